//! A key set that is read again from time to time, and when a token names a key that it does not have.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::KeysError;
use super::fetch::Origin;
use super::key::Key;
use crate::plugin::chain;

/// Made-up key ids must not become a flood of requests to the one who signs.
const UNKNOWN_INTERVAL: Duration = Duration::from_secs(10);

/// How soon after a failure it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The keys of an issuer. While they cannot be read, the last ones that could be are used.
pub(super) struct KeySet {
    origin: Origin,
    allowed: Vec<Algorithm>,
    refresh: Duration,
    loaded: RwLock<Option<Arc<Loaded>>>,
    reading: Arc<Mutex<Reading>>,
}

struct Loaded {
    keys: Vec<Key>,
    at: Instant,
}

/// What is known of the readings so far. Whoever holds it is the only one who reads.
#[derive(Default)]
struct Reading {
    /// When the last one ended.
    last: Option<Instant>,
    /// When the last one began for a key that the set did not have.
    for_unknown: Option<Instant>,
    failed: bool,
}

/// What a search for a key gives.
pub(super) enum Found {
    Key(Box<Key>),
    /// The set has no such key.
    Unknown,
    /// The set cannot be read now, and what there is of it has no such key.
    Unavailable,
}

impl KeySet {
    /// A file must be readable; a URL is asked when the first token comes, so that an app starts without it.
    pub(super) fn new(origin: Origin, allowed: Vec<Algorithm>, refresh: Duration) -> Result<Self, KeysError> {
        let loaded = match &origin {
            Origin::File(path) => {
                let text = std::fs::read(path)
                    .map_err(|source| KeysError::File { path: path.display().to_string(), source })?;
                Some(Arc::new(Loaded { keys: read(&text, &origin, &allowed)?, at: Instant::now() }))
            }
            #[cfg(feature = "jwks-url")]
            Origin::Url(_) => None,
        };
        Ok(Self { origin, allowed, refresh, loaded: RwLock::new(loaded), reading: Arc::default() })
    }

    /// The key that a token names.
    pub(super) async fn find(self: &Arc<Self>, id: Option<&str>, algorithm: Algorithm) -> Found {
        self.refresh();
        if let Some(key) = self.known(id, algorithm) {
            return Found::Key(Box::new(key));
        }
        let seen = self.loaded().map(|loaded| loaded.at);
        let is_readable = self.read_now(seen).await;
        match self.known(id, algorithm) {
            Some(key) => Found::Key(Box::new(key)),
            None if is_readable => Found::Unknown,
            None => Found::Unavailable,
        }
    }

    fn loaded(&self) -> Option<Arc<Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn known(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Key> {
        let loaded = self.loaded()?;
        let mut fitting = loaded.keys.iter().filter(|key| key.fits(algorithm));
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)).cloned(),
            // Without a name only one can be meant.
            None => fitting.next().filter(|_| fitting.next().is_none()).cloned(),
        }
    }

    fn is_stale(&self) -> bool {
        self.loaded().is_some_and(|loaded| loaded.at.elapsed() >= self.refresh)
    }

    /// Has a set that is old read again. Nobody waits for it: the keys that are there are good until others are.
    fn refresh(self: &Arc<Self>) {
        if !self.is_stale() {
            return;
        }
        // Whoever holds it reads already.
        let Ok(reading) = Arc::clone(&self.reading).try_lock_owned() else { return };
        if self.is_stale() && !(reading.failed && is_within(reading.last, RETRY_INTERVAL)) {
            self.start(reading);
        }
    }

    /// Reads the set for a token that waits, unless that was done since `seen` or a moment ago; `false` when it cannot be
    /// read.
    async fn read_now(self: &Arc<Self>, seen: Option<Instant>) -> bool {
        let mut reading = Arc::clone(&self.reading).lock_owned().await;
        if self.loaded().map(|loaded| loaded.at) != seen {
            return true;
        }
        let was_just_read = match seen {
            Some(_) => is_within(reading.for_unknown, UNKNOWN_INTERVAL),
            None => is_within(reading.last, RETRY_INTERVAL),
        };
        if was_just_read {
            return !reading.failed;
        }
        if seen.is_some() {
            reading.for_unknown = Some(Instant::now());
        }
        self.start(reading).await.unwrap_or(false)
    }

    /// Reads in a task of its own: a client that goes away must not end what others wait for, nor use up their turn.
    fn start(self: &Arc<Self>, mut reading: OwnedMutexGuard<Reading>) -> JoinHandle<bool> {
        let set = Arc::clone(self);
        tokio::spawn(async move { set.read(&mut reading).await })
    }

    async fn read(&self, reading: &mut Reading) -> bool {
        let read = match self.origin.get().await {
            Ok(text) => read(&text, &self.origin, &self.allowed),
            Err(problem) => Err(problem),
        };
        // Now, not before: those who have waited for an issuer that hangs must not each wait for it anew.
        reading.last = Some(Instant::now());
        match read {
            Ok(keys) => {
                if reading.failed {
                    info!(origin = %self.origin, "the keys of tokens can be read again");
                }
                if keys.is_empty() {
                    warn!(origin = %self.origin, "the key set has no key that tokens can be checked with");
                }
                reading.failed = false;
                let loaded = Arc::new(Loaded { keys, at: Instant::now() });
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
                true
            }
            Err(problem) => {
                // Said once: an issuer that is away would fill the log otherwise.
                if !reading.failed {
                    warn!(error = %chain(&problem), "the keys of tokens cannot be read; those that are known are used on");
                }
                reading.failed = true;
                false
            }
        }
    }
}

fn is_within(at: Option<Instant>, interval: Duration) -> bool {
    at.is_some_and(|at| at.elapsed() < interval)
}

/// The keys of a set that tokens can be checked with. Others are left out: a set may hold keys for other purposes, and of kinds that
/// are newer than this.
fn read(text: &[u8], origin: &Origin, allowed: &[Algorithm]) -> Result<Vec<Key>, KeysError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let no_set = |source| KeysError::NoSet { origin: origin.to_string(), source };
    let set: Set = serde_json::from_slice(text).map_err(no_set)?;
    let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    Ok(jwks.filter_map(|jwk| Key::of_jwk(&jwk, allowed)).collect())
}
