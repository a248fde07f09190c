//! The sessions of the server, shared by all tenants.
//!
//! There are as many places as connections are allowed, and at most as many permits. Whoever wants a session first gets a
//! permit, in the order of asking, so there is a place for each permit. A place is empty, holds an idle session, or is lent. The permit is
//! given back only after the session was dealt with, so no session is ever lost.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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
use super::run::is_broken;
use super::schema;
use super::stats::{Connections, Stats, add};
use super::target::Target;
use super::user_code::UserCode;
use crate::db::{DatabaseError, DatabaseSettings};
use crate::tenancy::{Seat, Tenant, TenantId};

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

/// After being idle for this long, a session is asked whether it lives before it serves.
const SUSPECT_AFTER: Duration = Duration::from_secs(30);
/// A session that was idle for this long is closed.
const IDLE_FOR: Duration = Duration::from_secs(600);
/// A session is closed at about this age.
const LIFETIME: Duration = Duration::from_secs(1800);

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
        pool.runtime.spawn(look_after(Arc::downgrade(&pool)));
        pool.runtime.spawn(plain::answer(Arc::downgrade(&pool)));
        pool
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a session that stands on the target.
    pub(super) async fn lend(self: &Arc<Self>, target: Target) -> Result<Lease, DatabaseError> {
        self.lend_for(None, target, Way::Switched).await
    }

    /// Lends a session that serves the target in this way, to the tenant whose plan counts it; `None` for the framework's own work.
    pub(super) async fn lend_for(
        self: &Arc<Self>,
        whose: Option<&Tenant>,
        target: Target,
        way: Way,
    ) -> Result<Lease, DatabaseError> {
        let (held, idle, deadline) = self.take(whose, target, way).await?;
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
        whose: Option<&Tenant>,
        target: Target,
        way: Way,
    ) -> Result<(Held, Option<Box<Connection>>, Instant), DatabaseError> {
        let waited = self.limits.acquire_timeout;
        let deadline = Instant::now() + waited;
        // First its own line, so that it takes no place in that of all tenants meanwhile.
        let (seat, left) = match whose.filter(|tenant| tenant.has_seats()) {
            None => (None, waited),
            Some(tenant) => {
                let seat = tenant.take_seat(waited).await.map_err(|none| DatabaseError::PlanConnections {
                    tenant: *tenant.id(),
                    connections: none.seats,
                    waited,
                })?;
                (Some(seat), deadline.saturating_duration_since(Instant::now()))
            }
        };
        let permit = match self.permit(left).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_closed)) => return Err(DatabaseError::Closed),
            Err(_late) => {
                add(&self.stats.timeouts);
                return Err(DatabaseError::NoConnection { connections: self.limits.active, waited });
            }
        };
        let (mut held, idle) = self.take_place(permit, target, way)?;
        held.seat = seat;
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
        Ok((Held { pool: Arc::clone(self), at, target, permit: Some(permit), seat: None }, idle))
    }

    /// An idle session, if it lives.
    async fn examined(&self, mut connection: Connection) -> Option<Connection> {
        let suspect = self.state().broken.is_some_and(|at| connection.used <= at);
        if suspect || connection.used.elapsed() > SUSPECT_AFTER {
            let lives = timeout(Duration::from_secs(1), connection.settle()).await;
            if !matches!(lives, Ok(Ok(()))) {
                add(&self.stats.lost);
                return None;
            }
        }
        Some(connection)
    }

    /// Whether an error in a session from the pool is the session's, and a new one may have none.
    fn is_dead(&self, error: &DatabaseError, target: Target) -> bool {
        // The tenant was made anew, and its old login is nobody now; the server may not even find a name for it.
        let has_login = self.roles.login_of(target).is_some();
        match error {
            DatabaseError::Engine { source } => is_broken(source) || has_login,
            DatabaseError::NoRole { .. } => has_login,
            _ => false,
        }
    }

    /// Opens a session with the target's login; while the server refuses, again and again until the deadline.
    pub(super) async fn connect(
        &self,
        deadline: Instant,
        target: Target,
    ) -> Result<Connection, DatabaseError> {
        let mut pause = Duration::from_millis(10);
        #[cfg(test)]
        let options = &self.mutant.current().options(&self.options);
        #[cfg(not(test))]
        let options = &self.options;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let begun = Instant::now();
            let retires = begun + jittered(LIFETIME);
            #[cfg(test)]
            let opening =
                Connection::open_wrongly(self.mutant.current(), target, &self.roles, options, retires);
            #[cfg(not(test))]
            let opening = Connection::open_for(target, &self.roles, options, retires);
            let error = match timeout(left, opening).await {
                Ok(Ok(connection)) => {
                    self.stats.connected(begun.elapsed());
                    return Ok(connection);
                }
                Ok(Err(error)) => error,
                Err(_late) => sqlx::Error::PoolTimedOut,
            };
            self.stats.failed_to_connect();
            let passing = match &error {
                sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
                sqlx::Error::Database(error) => {
                    error.code().is_some_and(|code| super::run::is_passing(&code))
                }
                _ => false,
            };
            if let Some(tenant) = self.roles.login_of(target)
                && is_refused_login(&error)
            {
                return Err(self.why_refused(tenant, error).await);
            }
            let pausing = jittered(pause);
            if !passing || Instant::now() + pausing >= deadline {
                return Err(error.into());
            }
            tokio::time::sleep(pausing).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    /// The server does not know the tenant's login: because it does not know the tenant (I5)? Asked in a session of its own,
    /// in the place that is kept for the one that was refused.
    async fn why_refused(&self, tenant: TenantId, refusal: sqlx::Error) -> DatabaseError {
        let asked = async {
            let mut own = Connection::open(&self.options, Instant::now()).await?;
            let found = schema::look(own.raw(), &tenant).await;
            own.close().await;
            found
        };
        match asked.await {
            Ok(schema::Found::Nothing) => DatabaseError::Missing { tenant },
            Ok(_) => {
                DatabaseError::LoginRefused { tenant, group: self.roles.group(), source: refusal.into() }
            }
            Err(error) => error,
        }
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

    /// Closes sessions that nobody needs, and opens those that are to be ready.
    pub(super) async fn tend(self: &Arc<Self>) {
        let (now, broken) = (Instant::now(), self.state().broken);
        let mut spare = self.open_sessions().saturating_sub(self.limits.min_connections);
        let tired = self.take_idle(|connection| {
            let is_old = connection.retires <= now || broken.is_some_and(|at| connection.used <= at);
            let is_spare = !is_old && connection.used.elapsed() > IDLE_FOR && spare > 0;
            spare -= usize::from(is_spare);
            is_old || is_spare
        });
        for connection in tired {
            connection.close().await;
        }
        while self.open_sessions() < self.limits.min_connections {
            let Some(held) = self.take_empty() else { return };
            match self.connect(Instant::now() + Duration::from_secs(1), held.target).await {
                Ok(connection) => held.put_back(connection),
                // Whoever needs one says so; the next round tries again.
                Err(error) => return tracing::debug!(%error, "no connection can be made ready"),
            }
        }
    }

    fn open_sessions(&self) -> usize {
        self.state().places.iter().filter(|place| !matches!(place, Place::Empty)).count()
    }

    /// A place without a session, unless somebody waits for it.
    fn take_empty(self: &Arc<Self>) -> Option<Held> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let mut state = self.state();
        let at = state.places.iter().position(|place| matches!(place, Place::Empty))?;
        if state.closed {
            return None;
        }
        state.places[at] = Place::Lent;
        drop(state);
        // No tenant's: nobody waits for its end.
        Some(Held { pool: Arc::clone(self), at, target: Target::Directory, permit: Some(permit), seat: None })
    }

    /// How many places are lent to a tenant.
    #[cfg(test)]
    pub(super) fn users_of(&self, id: &TenantId) -> usize {
        self.state().users.get(id).copied().unwrap_or(0)
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

/// Whether the server let nobody in under this name: `invalid_authorization_specification`, `invalid_password`.
fn is_refused_login(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code.starts_with("28")))
}

/// Up to a tenth longer or shorter, so that many do not act at once.
fn jittered(time: Duration) -> Duration {
    // A hasher with random keys is the random number that the standard library has.
    let random = RandomState::new().hash_one(0_u8) % 201;
    time.mul_f64(0.9 + 0.001 * f64::from(u8::try_from(random).unwrap_or(u8::MAX)))
}

/// Keeps as many sessions as are wanted, and tells the figures.
async fn look_after(pool: Weak<Pool>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    for second in 0_u64.. {
        every.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.is_closed() {
            return;
        }
        pool.tell();
        if second.is_multiple_of(10) {
            pool.tend().await;
        }
    }
}

/// A place on loan. Given back when the session was dealt with.
pub(super) struct Held {
    pub(super) pool: Arc<Pool>,
    at: usize,
    target: Target,
    permit: Option<OwnedSemaphorePermit>,
    /// Of a tenant whose plan counts its connections. Free again when the place is.
    seat: Option<Seat>,
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
        drop(self.seat.take());
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
