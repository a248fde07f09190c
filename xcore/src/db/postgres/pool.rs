//! The sessions of the server, shared by all tenants.
//!
//! There are as many places as connections are allowed, and at most as many permits. Whoever wants a session first gets a
//! permit, in the order of asking, so there is a place for each permit. A place is empty, holds an idle session, or is lent. The permit is
//! given back only after the session was dealt with, so no session is ever lost.

mod opening;
mod tending;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::runtime::Handle;
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::connection::Connection;
use super::lease::Lease;
use super::plain::{self, Plain};
use super::roles::Roles;
use super::stats::{Connections, Stats, add};
use super::target::Target;
use super::user_code::UserCode;
use crate::db::{DatabaseError, DatabaseSettings};
use crate::tenancy::TenantId;

pub(super) struct Limits {
    pub(super) connections: usize,
    /// How many sessions are kept open when nobody needs them.
    pub(super) min_connections: usize,
    /// How many of them work at once.
    pub(super) active: usize,
    pub(super) acquire_timeout: Duration,
    pub(super) drain_timeout: Duration,
}

impl Limits {
    pub(super) fn of(settings: &DatabaseSettings) -> Self {
        Self {
            connections: settings.connections.clamp(1, 10_000),
            min_connections: settings.min_connections.min(settings.connections),
            active: settings
                .active_connections
                .unwrap_or(settings.connections)
                .clamp(1, settings.connections.max(1)),
            acquire_timeout: settings.acquire_timeout,
            drain_timeout: settings.drain_timeout,
        }
    }
}

pub(super) struct Pool {
    pub(super) options: PgConnectOptions,
    pub(super) limits: Limits,
    permits: Arc<Semaphore>,
    state: Mutex<State>,
    left: Notify,
    pub(super) plain: Arc<Plain>,
    pub(super) code: Arc<UserCode>,
    roles: Arc<Roles>,
    pub(super) stats: Stats,
    pub(super) runtime: Handle,
    #[cfg(test)]
    pub(super) mutant: super::mutants::Chosen,
    /// Who holds it keeps the service from noticing what others define.
    #[cfg(test)]
    pub(super) watching: tokio::sync::Mutex<()>,
}

struct State {
    places: Vec<Place>,
    users: HashMap<TenantId, usize>,
    removing: HashSet<TenantId>,
    /// When a session was found broken; older ones are asked before they serve.
    broken: Option<Instant>,
    closed: bool,
}

/// How a statement finds its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By the session's search path.
    Switched,
    /// They are named in full.
    InFull,
    /// By a path that its transaction sets, behind a pooler.
    Unit,
}

enum Place {
    Empty,
    Idle(Box<Connection>),
    Lent,
}

impl Pool {
    pub(super) fn new(
        options: PgConnectOptions,
        roles: Arc<Roles>,
        limits: Limits,
        code: Arc<UserCode>,
    ) -> Arc<Self> {
        let places = (0..limits.connections).map(|_| Place::Empty).collect();
        let pool = Arc::new(Self {
            stats: Stats::new(&options),
            options,
            permits: Arc::new(Semaphore::new(limits.active)),
            limits,
            state: Mutex::new(State {
                places,
                users: HashMap::new(),
                removing: HashSet::new(),
                broken: None,
                closed: false,
            }),
            left: Notify::new(),
            plain: Arc::default(),
            code,
            roles,
            runtime: Handle::current(),
            #[cfg(test)]
            mutant: Default::default(),
            #[cfg(test)]
            watching: Default::default(),
        });
        pool.runtime.spawn(tending::look_after(Arc::downgrade(&pool)));
        pool.runtime.spawn(plain::answer(Arc::downgrade(&pool)));
        pool
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a session that stands on the target.
    pub(super) async fn lend(self: &Arc<Self>, target: Target) -> Result<Lease, DatabaseError> {
        self.lend_for(target, Way::Switched).await
    }

    /// Lends a session that serves the target in this way.
    pub(super) async fn lend_for(self: &Arc<Self>, target: Target, way: Way) -> Result<Lease, DatabaseError> {
        let (held, idle, deadline) = self.take(target, way).await?;
        let reused = idle.is_some();
        let connection = match idle {
            Some(connection) if connection.session.login != self.roles.login_of(target) => {
                // First this one, so that there are never more than allowed.
                let _ = timeout(Duration::from_secs(1), connection.close()).await;
                None
            }
            Some(connection) => self.examined(*connection).await,
            None => None,
        };
        let connection = match connection {
            Some(connection) => connection,
            None => self.connect(deadline, target).await?,
        };
        let mut lease = Lease::new(held, connection, target);
        match lease.stand_as(way).await {
            // The session had died in the pool, or its login has; nothing of the caller's was sent yet.
            Err(error) if reused && self.is_dead(&error, target) => {
                lease.replace(self.connect(deadline, target).await?);
                lease.stand_as(way).await?;
            }
            stood => stood?,
        }
        Ok(lease)
    }

    /// Waits for a place, until the deadline that is returned. What lies idle in it may have died.
    pub(super) async fn take(
        self: &Arc<Self>,
        target: Target,
        way: Way,
    ) -> Result<(Held, Option<Box<Connection>>, Instant), DatabaseError> {
        let waited = self.limits.acquire_timeout;
        let deadline = Instant::now() + waited;
        let permit = match self.permit(waited).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_closed)) => return Err(DatabaseError::Closed),
            Err(_late) => {
                add(&self.stats.timeouts);
                return Err(DatabaseError::NoConnection { connections: self.limits.active, waited });
            }
        };
        let (held, idle) = self.take_place(permit, target, way)?;
        Ok((held, idle, deadline))
    }

    /// In the order of asking: there is none at once while somebody waits.
    async fn permit(&self, at_most: Duration) -> Result<Result<OwnedSemaphorePermit, AcquireError>, Elapsed> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(Ok(permit));
        }
        let (begun, _waiting) = (Instant::now(), self.stats.waits());
        let permit = timeout(at_most, Arc::clone(&self.permits).acquire_owned()).await;
        self.stats.waited(begun.elapsed());
        permit
    }

    /// The best place that is not lent: one that stands on the target, else the one that the target likes most.
    fn take_place(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        target: Target,
        way: Way,
    ) -> Result<(Held, Option<Box<Connection>>), DatabaseError> {
        let mut state = self.state();
        if state.closed {
            return Err(DatabaseError::Closed);
        }
        if let Target::Tenant(id) | Target::Copy(id, _) = target {
            if state.removing.contains(&id) {
                return Err(DatabaseError::Removing { tenant: id });
            }
            *state.users.entry(id).or_default() += 1;
        }
        let (weight, login) = (target.weights(), self.roles.login_of(target));
        let best = (0..state.places.len())
            .filter_map(|at| match &state.places[at] {
                Place::Lent => None,
                // What is opened now names nobody.
                Place::Empty => Some((Suits::Makes, way == Way::InFull, weight(at), at)),
                // Whoever has not been there for longest goes.
                Place::Idle(connection) if connection.session.login != login => {
                    let idle_for = u64::try_from(connection.used.elapsed().as_micros()).unwrap_or(u64::MAX);
                    Some((Suits::Replaces, false, idle_for, at))
                }
                Place::Idle(connection) => {
                    let suits = if login.is_some() { Suits::Has } else { Suits::Makes };
                    Some((suits, connection.serves(target, way), weight(at), at))
                }
            })
            .max();
        // There is a place for each permit.
        let at = best.map_or(0, |(.., at)| at);
        let idle = match std::mem::replace(&mut state.places[at], Place::Lent) {
            Place::Idle(connection) => Some(connection),
            Place::Empty | Place::Lent => None,
        };
        drop(state);
        Ok((Held { pool: Arc::clone(self), at, target, permit: Some(permit) }, idle))
    }

    /// Closes the idle sessions of a tenant's login.
    pub(super) async fn close_login(&self, id: &TenantId) {
        for connection in self.take_idle(|connection| connection.session.login == Some(*id)) {
            connection.close().await;
        }
    }

    /// Says that a session was found broken, so that the others are looked at.
    pub(super) fn mark_broken(&self) {
        add(&self.stats.lost);
        self.state().broken = Some(Instant::now());
    }

    /// SQL of this target may have defined something, wherever.
    pub(super) fn defined(&self, target: Target) {
        self.plain.doubt_all();
        self.code.doubt(target);
    }

    /// Whether a statement on the path of a target may change its session unseen.
    pub(super) fn may_alter(&self, target: Target) -> bool {
        #[cfg(test)]
        if self.mutant.current().believes_functions_harmless() {
            return false;
        }
        self.code.may_alter(target)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Keeps new users from a tenant's schema and waits until those there are have left.
    pub(super) async fn evacuate(self: &Arc<Self>, id: TenantId) -> Result<Evacuated, DatabaseError> {
        if !self.state().removing.insert(id) {
            return Err(DatabaseError::Removing { tenant: id });
        }
        let evacuated = Evacuated { pool: Arc::clone(self), id };
        let waited = self.limits.drain_timeout;
        let empty = async {
            loop {
                let left = self.left.notified();
                if !self.state().users.contains_key(&id) {
                    return;
                }
                left.await;
            }
        };
        timeout(waited, empty).await.map_err(|_late| DatabaseError::StillUsed { tenant: id, waited })?;
        // I5: nobody stands on a schema that is being removed.
        self.doubt(Target::Tenant(id));
        Ok(evacuated)
    }

    /// Makes idle sessions ask again whether a target's schema is there.
    pub(super) fn doubt(&self, target: Target) {
        for place in &mut self.state().places {
            if let Place::Idle(connection) = place
                && connection.stands_on(target)
            {
                connection.doubt();
            }
        }
    }

    pub(super) async fn close(&self) {
        self.state().closed = true;
        let all = u32::try_from(self.limits.active).unwrap_or(u32::MAX);
        // After this time the sessions that are still lent are closed when they come back.
        let _ = timeout(self.limits.drain_timeout, self.permits.acquire_many(all)).await;
        self.permits.close();
        for connection in self.take_idle(|_| true) {
            connection.close().await;
        }
        self.tell();
    }

    /// Tells the figures to the app's recorder.
    pub(super) fn tell(&self) {
        let mut connections = Connections { active: 0, idle: 0, max: self.limits.connections };
        for place in &self.state().places {
            match place {
                Place::Empty => {}
                Place::Idle(_) => connections.idle += 1,
                Place::Lent => connections.active += 1,
            }
        }
        self.stats.tell(&connections);
    }

    fn take_idle(&self, mut unwanted: impl FnMut(&Connection) -> bool) -> Vec<Connection> {
        let mut taken = Vec::new();
        for place in &mut self.state().places {
            if matches!(place, Place::Idle(connection) if unwanted(connection))
                && let Place::Idle(connection) = std::mem::replace(place, Place::Empty)
            {
                taken.push(*connection);
            }
        }
        taken
    }

    /// How many places are not lent, and how many sessions are idle in them.
    #[cfg(test)]
    pub(super) fn free_places(&self) -> (usize, usize) {
        let state = self.state();
        let idle = state.places.iter().filter(|place| matches!(place, Place::Idle(_))).count();
        let lent = state.places.iter().filter(|place| matches!(place, Place::Lent)).count();
        (state.places.len() - lent, idle)
    }

    /// A session that stands nowhere, as it is after being opened.
    #[cfg(test)]
    pub(super) async fn fresh(&self) -> Connection {
        self.connect(Instant::now() + self.limits.acquire_timeout, Target::Nobody).await.unwrap()
    }
}

/// What taking a place means for the session in it, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suits {
    /// It has another login: it is closed, and one is opened.
    Replaces,
    /// One is opened, or any session does.
    Makes,
    /// It has the tenant's login.
    Has,
}

/// A place on loan. Given back when the session was dealt with.
pub(super) struct Held {
    pub(super) pool: Arc<Pool>,
    at: usize,
    target: Target,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Puts the session back for the next.
    pub(super) fn put_back(self, mut connection: Connection) {
        connection.used = Instant::now();
        self.pool.state().places[self.at] = Place::Idle(Box::new(connection));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        if let Place::Lent = state.places[self.at] {
            state.places[self.at] = Place::Empty;
        }
        if let Target::Tenant(id) | Target::Copy(id, _) = self.target
            && let Some(users) = state.users.get_mut(&id)
        {
            *users -= 1;
            if *users == 0 {
                state.users.remove(&id);
            }
        }
        drop(state);
        self.pool.left.notify_waiters();
        // Behind the place, which the next permit may take.
        drop(self.permit.take());
    }
}

/// A tenant that nobody can begin to use.
pub(super) struct Evacuated {
    pool: Arc<Pool>,
    id: TenantId,
}

impl Drop for Evacuated {
    fn drop(&mut self) {
        self.pool.doubt(Target::Tenant(self.id));
        self.pool.state().removing.remove(&self.id);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("connections", &self.limits.connections).finish_non_exhaustive()
    }
}
