//! Opens sessions for the pool, and tells the dead from the living.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::super::connection::Connection;
use super::super::run::{is_broken, is_passing};
use super::super::schema;
use super::super::stats::add;
use super::super::target::Target;
use super::Pool;
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// After being idle for this long, a session is asked whether it lives before it serves.
const SUSPECT_AFTER: Duration = Duration::from_secs(30);
/// A session is closed at about this age.
const LIFETIME: Duration = Duration::from_secs(1800);

impl Pool {
    /// An idle session, if it lives.
    pub(super) async fn examined(&self, mut connection: Connection) -> Option<Connection> {
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
    pub(super) fn is_dead(&self, error: &DatabaseError, target: Target) -> bool {
        // The tenant was made anew, and its old login is nobody now; the server may not even find a name for it.
        let has_login = self.roles.login_of(target).is_some();
        match error {
            DatabaseError::Engine { source } => is_broken(source) || has_login,
            DatabaseError::NoRole { .. } => has_login,
            _ => false,
        }
    }

    /// Opens a session with the target's login; while the server refuses, again and again until the deadline.
    pub(in super::super) async fn connect(
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
                sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing(&code)),
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
