//! `get_or_load`: what is not cached is loaded once, however many ask for it.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex as Turn;

use super::LoadError;
use super::lock::{CacheLock, Purpose};
use super::scope::Scope;

/// How `get_or_load_with` loads.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct LoadOptions {
    ttl: Duration,
    stale_for: Duration,
    lease: Option<Duration>,
    failures: Option<Duration>,
}

impl LoadOptions {
    /// A loaded value expires after `ttl`.
    pub fn new(ttl: Duration) -> Self {
        Self { ttl, stale_for: Duration::ZERO, lease: None, failures: None }
    }

    /// For this long after `ttl` the old value is still given while a new one is loaded in the background. None by default.
    pub fn stale_for(mut self, time: Duration) -> Self {
        self.stale_for = time;
        self
    }

    /// Of all replicas one loads, and the others wait for what it stores. `longest` is how long they wait before they load
    /// themselves: a little longer than a load takes. Without it each process loads once.
    pub fn lease(mut self, longest: Duration) -> Self {
        self.lease = Some(longest);
        self
    }

    /// After a load that failed, this process fails with the same error for this long without loading. Not at all by default.
    pub fn cache_failures(mut self, time: Duration) -> Self {
        self.failures = Some(time);
        self
    }
}

type Failure = Arc<dyn Error + Send + Sync>;

/// Which life of a tenant, whose keys, which key.
type FlightKey = (i64, Box<str>, Box<str>);

/// What a load came to.
#[derive(Clone)]
enum Outcome {
    Loaded(Bytes),
    Failed(Failure),
}

/// The loads that are under way in this process.
#[derive(Default)]
pub(super) struct Flights {
    running: Mutex<HashMap<FlightKey, Flight>>,
    failures: OnceLock<moka::sync::Cache<FlightKey, (Failure, Instant)>>,
}

/// One load, for which the others wait their turn. A loader that panics or is dropped ends its turn without an outcome, and the
/// next one in line loads.
type Flight = Arc<Turn<Option<Outcome>>>;

/// A place in line. The last one who leaves takes the flight away.
struct Seat<'a> {
    flights: &'a Flights,
    key: FlightKey,
    flight: Flight,
}

/// Whether this replica is the one that loads.
enum Lease {
    /// It is; `None`: the cache is away and has no leases, so everybody loads.
    Had(Option<CacheLock>),
    Taken,
}

/// How many failures are remembered at most, when that is asked for.
const FAILURES: u64 = 10_000;

/// Between two looks for what another replica loads.
const PAUSE: Duration = Duration::from_millis(10);

impl Flights {
    fn join(&self, key: FlightKey) -> Seat<'_> {
        let flight = Arc::clone(self.running().entry(key.clone()).or_default());
        Seat { flights: self, key, flight }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<FlightKey, Flight>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self, key: &FlightKey) -> Option<Failure> {
        let (failure, until) = self.failures.get()?.get(key)?;
        (Instant::now() < until).then_some(failure)
    }

    fn remember(&self, key: FlightKey, failure: Failure, time: Duration) {
        let Some(until) = Instant::now().checked_add(time) else { return };
        let failures = self.failures.get_or_init(|| moka::sync::Cache::new(FAILURES));
        failures.insert(key, (failure, until));
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.running().len()
    }
}

impl Seat<'_> {
    /// Those who come from now on begin a flight of their own.
    fn land(&self) {
        let mut running = self.flights.running();
        if running.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            running.remove(&self.key);
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut running = self.flights.running();
        // One in the map and one here: nobody else waits, and nobody can join while the map is locked.
        if Arc::strong_count(&self.flight) == 2
            && running.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
        {
            running.remove(&self.key);
        }
    }
}

impl Scope {
    fn flight_key(&self, name: &str) -> FlightKey {
        (self.space.life(), self.space.prefix().into(), name.into())
    }

    /// The cached value, or the loaded one.
    pub(super) async fn get_or_load<T, E, F, Fut>(
        &self,
        name: &str,
        options: LoadOptions,
        load: F,
    ) -> Result<T, LoadError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.get(name).await? {
            return Ok(value);
        }
        self.fly(name, options, load).await
    }

    /// The same with a value that may be stale, which is loaded anew in the background.
    pub(super) async fn get_or_refresh<T, E, F, Fut>(
        &self,
        name: &str,
        options: LoadOptions,
        load: F,
    ) -> Result<T, LoadError>
    where
        T: Serialize + DeserializeOwned + Send,
        E: Into<Box<dyn Error + Send + Sync>> + Send,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send,
    {
        if options.stale_for.is_zero() {
            return self.get_or_load(name, options, load).await;
        }
        let Some((value, is_stale)) = self.get_fresh(name, options.stale_for).await? else {
            return self.fly(name, options, load).await;
        };
        if is_stale {
            let (scope, name) = (self.clone(), name.to_owned());
            // Whoever comes while it is loaded is content with the stale value.
            let is_under_way = self.common.flights.running().contains_key(&self.flight_key(&name));
            if !is_under_way {
                tokio::spawn(async move {
                    if let Err(error) = scope.refresh(&name, options, load).await {
                        tracing::warn!(
                            space = scope.space.prefix(),
                            key = name,
                            error = &error as &dyn Error,
                            "a stale value could not be loaded anew"
                        );
                    }
                });
            }
        }
        Ok(value)
    }

    async fn refresh<T, E, F, Fut>(&self, name: &str, options: LoadOptions, load: F) -> Result<(), LoadError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let seat = self.common.flights.join(self.flight_key(name));
        // Two may have seen that nothing was under way; one of them loads.
        let Ok(mut turn) = seat.flight.try_lock() else { return Ok(()) };
        if turn.is_some() || self.common.flights.failure(&seat.key).is_some() {
            return Ok(());
        }
        let lease = match options.lease {
            None => None,
            Some(longest) => match self.lease(name, longest).await? {
                Lease::Had(lease) => lease,
                Lease::Taken => return Ok(()),
            },
        };
        // It may be fresh by now: loaded by another flight, or by another replica.
        if !matches!(self.get_fresh::<T>(name, options.stale_for).await?, Some((_, false))) {
            self.load(name, options, load, &seat, &mut turn).await?;
        }
        release(lease).await;
        Ok(())
    }

    async fn fly<T, E, F, Fut>(&self, name: &str, options: LoadOptions, load: F) -> Result<T, LoadError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let seat = self.common.flights.join(self.flight_key(name));
        let mut turn = seat.flight.lock().await;
        match &*turn {
            Some(Outcome::Failed(failure)) => return Err(LoadError::Load(Arc::clone(failure))),
            // What another type was loaded as decodes as nothing here, and is loaded again.
            Some(Outcome::Loaded(bytes)) => {
                if let Some(value) = self.decode(name, bytes) {
                    return Ok(value);
                }
            }
            None => {}
        }
        if let Some(failure) = self.common.flights.failure(&seat.key) {
            return Err(LoadError::Load(failure));
        }
        // An earlier flight may have landed between the first look and this one's begin.
        if let Some(value) = self.get(name).await? {
            return Ok(value);
        }
        let Some(longest) = options.lease else {
            return self.load(name, options, load, &seat, &mut turn).await;
        };
        let until = tokio::time::Instant::now().checked_add(longest);
        loop {
            if let Lease::Had(lease) = self.lease(name, longest).await? {
                // The replica that had the lease has stored it, or has failed.
                if let Some(value) = self.get(name).await? {
                    release(lease).await;
                    return Ok(value);
                }
                let loaded = self.load(name, options, load, &seat, &mut turn).await;
                release(lease).await;
                return loaded;
            }
            if until.is_some_and(|until| tokio::time::Instant::now() >= until) {
                return self.load(name, options, load, &seat, &mut turn).await;
            }
            tokio::time::sleep(PAUSE).await;
            if let Some(value) = self.get(name).await? {
                return Ok(value);
            }
        }
    }

    async fn lease(&self, name: &str, longest: Duration) -> Result<Lease, LoadError> {
        match CacheLock::take(self, Purpose::Load, name, longest, Duration::ZERO).await {
            Ok(Some(lock)) => Ok(Lease::Had(Some(lock))),
            Ok(None) => Ok(Lease::Taken),
            Err(error) if self.common.pass_through && error.is_unavailable() => Ok(Lease::Had(None)),
            Err(error) => Err(error.into()),
        }
    }

    async fn load<T, E, F, Fut>(
        &self,
        name: &str,
        options: LoadOptions,
        load: F,
        seat: &Seat<'_>,
        turn: &mut Option<Outcome>,
    ) -> Result<T, LoadError>
    where
        T: Serialize,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let value = match load().await {
            Ok(value) => value,
            Err(error) => {
                let failure: Failure = Arc::from(error.into());
                if let Some(time) = options.failures {
                    self.common.flights.remember(seat.key.clone(), Arc::clone(&failure), time);
                }
                *turn = Some(Outcome::Failed(Arc::clone(&failure)));
                seat.land();
                return Err(LoadError::Load(failure));
            }
        };
        let bytes = self.encode(name, &value)?;
        let ttl = options.ttl.saturating_add(options.stale_for);
        match self.keep(name, bytes.clone(), Some(ttl), &[]).await {
            // It was loaded, and that is what the caller wants.
            Err(error) if error.is_unavailable() => {
                tracing::warn!(space = self.space.prefix(), key = name, %error, "a loaded value could not be cached");
            }
            kept => kept?,
        }
        *turn = Some(Outcome::Loaded(bytes));
        seat.land();
        Ok(value)
    }
}

async fn release(lease: Option<CacheLock>) {
    let Some(lease) = lease else { return };
    if let Err(error) = lease.release().await {
        tracing::debug!(%error, "the lease of a load was not given back and ends by its time");
    }
}
