//! Makes tenants by replaying the template.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Executor};
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use super::capture::{Script, capture, in_schema};
use crate::db::postgres::connection::Connection;
use crate::db::postgres::schema::{self, Found, lock_key};
use crate::db::postgres::service::Doubts;
use crate::db::postgres::target::{Role, Target};
use crate::db::postgres::{Postgres, claim};
use crate::db::{DatabaseError, Migrations};
use crate::tenancy::TenantId;

/// What this process knows of the script.
#[derive(Debug, Default)]
pub(in crate::db::postgres) struct Replay {
    /// The script; `None` when tenants are made by running their migrations.
    pub(super) known: OnceLock<Option<Script>>,
    making: Mutex<()>,
    kept: Arc<Kept>,
    /// How many tenants this process has made, or begun to.
    pub(super) made: AtomicUsize,
    /// When this process first looked at the spare schemas, by the server's clock.
    pub(super) looked: OnceLock<i64>,
    #[cfg(test)]
    pub(in crate::db::postgres) replayed: AtomicUsize,
}

/// For how long the session that has made a tenant is there for the next one.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// The session of the tenant that was made last, and since when it is kept.
#[derive(Debug, Default)]
struct Kept(std::sync::Mutex<Option<(Connection, Instant)>>);

impl Kept {
    fn locked(&self) -> MutexGuard<'_, Option<(Connection, Instant)>> {
        // Nothing that can panic happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Connection> {
        self.locked().take().map(|(session, _)| session)
    }

    /// The one that is kept since then.
    fn take_of(&self, since: Instant) -> Option<Connection> {
        self.locked().take_if(|(_, kept)| *kept == since).map(|(session, _)| session)
    }

    /// What it gives has no place.
    fn put(&self, session: Connection, now: Instant) -> Option<Connection> {
        self.locked().replace((session, now)).map(|(session, _)| session)
    }
}

impl Replay {
    pub(in crate::db::postgres) async fn close(&self) {
        if let Some(session) = self.kept.take() {
            session.close().await;
        }
    }
}

impl Postgres {
    /// Makes a tenant's schema with all that the migrations of this program make, if it is not there; `false` when it has to be
    /// made by running them. All of it, or nothing.
    pub(in crate::db::postgres) async fn replay(
        &self,
        id: &TenantId,
        migrations: &[Migrations],
    ) -> Result<bool, DatabaseError> {
        if self.is_shared(id) || migrations.is_empty() {
            return Ok(false);
        }
        let Some(script) = self.script(migrations).await else { return Ok(false) };
        let target = Target::Tenant(*id);
        let (mut operator, _permit) = self.replayer(lock_key(target)).await?;
        let made = async {
            if schema::look(operator.raw(), id).await? != Found::Nothing {
                return Ok(false);
            }
            let creation = match self.roles.creation(operator.raw(), id).await? {
                Some(creation) => creation,
                None => schema::creation(id, None),
            };
            let role = match self.roles.role(target) {
                Role::Tenant(role) | Role::Login(role) => format!("SET LOCAL ROLE \"{role}\";"),
                Role::AsItIs | Role::None => String::new(),
            };
            let _doubts = Doubts::of(&self.pool, target);
            let text = format!("BEGIN; {creation}; {role} {}; COMMIT", in_schema(id.as_str(), &script));
            match operator.raw().execute(AssertSqlSafe(text)).await {
                Ok(_) => Ok(true),
                Err(error) if error.as_database_error().is_none() => Err(error.into()),
                Err(error) => {
                    tracing::warn!(tenant = %id, %error, "the template could not be replayed; the migrations are run");
                    operator.raw().execute("ROLLBACK").await?;
                    Ok(false)
                }
            }
        }
        .await;
        self.keep(operator, made.is_ok()).await;
        #[cfg(test)]
        if let Ok(true) = made {
            self.replay.replayed.fetch_add(1, Ordering::Relaxed);
        }
        made
    }

    /// A session that holds this lock, perhaps one that has made a tenant before: it knows the server's catalog already.
    pub(super) async fn replayer(
        &self,
        lock: i64,
    ) -> Result<(Connection, OwnedSemaphorePermit), DatabaseError> {
        let permit = self.operate().await?;
        if let Some(mut kept) = self.replay.kept.take() {
            if claim::wait_for(kept.raw(), lock).await.is_ok() {
                return Ok((kept, permit));
            }
            kept.close().await;
        }
        let mut fresh = Connection::open(&self.options, Instant::now()).await?;
        claim::wait_for(fresh.raw(), lock).await?;
        Ok((fresh, permit))
    }

    /// Gives the lock free, and keeps the session for a while as if it were new.
    pub(super) async fn keep(&self, mut session: Connection, is_sound: bool) {
        let is_new = is_sound && session.raw().execute("DISCARD ALL").await.is_ok();
        if !is_new || self.pool.is_closed() {
            return session.close().await;
        }
        let now = Instant::now();
        // One is enough.
        let other = self.replay.kept.put(session, now);
        let kept = Arc::downgrade(&self.replay.kept);
        self.pool.runtime.spawn(async move {
            if let Some(other) = other {
                other.close().await;
            }
            tokio::time::sleep(KEPT_FOR).await;
            let old = kept.upgrade().and_then(|kept| kept.take_of(now));
            if let Some(old) = old {
                old.close().await;
            }
        });
    }

    /// The script, made when this process makes its second tenant: for one alone it takes longer than it saves. Nobody waits for
    /// one who makes it.
    pub(super) async fn script(&self, migrations: &[Migrations]) -> Option<Script> {
        let is_first = self.replay.made.fetch_add(1, Ordering::Relaxed) == 0;
        if let Some(known) = self.replay.known.get() {
            return known.clone();
        }
        let _making = self.replay.making.try_lock().ok()?;
        let script = match self.captured(migrations, is_first).await {
            // Perhaps next time.
            Ok(None) => return None,
            Ok(Some(Ok(script))) => Some(script),
            Ok(Some(Err(why))) => {
                tracing::warn!(
                    why,
                    "no script makes a tenant at once, so each is made by running its migrations"
                );
                None
            }
            Err(problem @ DatabaseError::NoTemplate { .. }) => {
                tracing::info!("{problem}");
                None
            }
            Err(problem) if problem.is_unavailable() => return None,
            Err(problem) => {
                tracing::warn!(error = %problem, "the template cannot be made, so each tenant is made by running its migrations");
                None
            }
        };
        self.replay.known.get_or_init(|| script).clone()
    }

    async fn captured(
        &self,
        migrations: &[Migrations],
        only_present: bool,
    ) -> Result<Option<Result<Script, String>>, DatabaseError> {
        let Some(mut template) = self.template_now(migrations, only_present).await? else { return Ok(None) };
        let captured = capture(template.session.raw()).await;
        template.close().await;
        captured.map(Some)
    }
}
