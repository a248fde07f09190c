//! Streaming replicas of a server, which answer reads.
//!
//! A replica is behind, so it may still have the schema of an earlier tenant of a name, with that tenant's rows. What makes it safe:
//! on a replica a session is moved to a schema by its name *and its number* ([`Target::Copy`]), and the number is asked of the
//! primary, once per life of a tenant. A schema that is dropped and made anew has another number; so a replica has the
//! tenant of this life or none, and then the primary answers. Statements in full (`in_full.rs`) name no number and are not
//! sent to replicas.
//!
//! What users' code may do to a session is known from the primary before the replica has that code, and from the replica
//! as long as it has it (`user_code.rs`).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use sea_orm::DbErr;
use sqlx::{Executor, PgConnection, Row};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::pool::Evacuated;
use super::run;
use super::service::Postgres;
use super::target::Target;
use super::user_code::UserCode;
use crate::db::backend::{Answer, Backend, Replica, Scope};
use crate::db::settings::redacted;
use crate::db::{DatabaseError, DatabaseSettings, DbRole};
use crate::tenancy::{Tenant, TenantId};

/// How often a replica is asked whether it is one.
const EVERY: Duration = Duration::from_secs(1);

/// How long it may take to answer that.
const ANSWER: Duration = Duration::from_secs(2);

/// How long the first connections to it and the first questions may take.
const OPENING: Duration = Duration::from_secs(15);

/// How long a read waits for a session on a replica before the primary answers.
const ACQUIRE: Duration = Duration::from_secs(2);

/// Which schemas tenants have, in which life of theirs.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    known: papaya::HashMap<TenantId, (i64, u32), foldhash::fast::RandomState>,
    /// A mutant: a schema of the tenant's name will do.
    #[cfg(test)]
    pub(super) ignored: AtomicBool,
}

impl Numbers {
    fn of(&self, tenant: &Tenant) -> Option<u32> {
        let (life, number) = *self.known.pin().get(tenant.id())?;
        (life == tenant.life()).then_some(number)
    }
}

/// What a copy knows of its primary.
#[derive(Debug, Clone)]
pub(super) struct Original {
    pub(super) numbers: Arc<Numbers>,
    pub(super) code: Arc<UserCode>,
}

/// What a server knows of copies.
#[derive(Debug)]
pub(super) struct Copies {
    replicas: Vec<Arc<PostgresReplica>>,
    numbers: Arc<Numbers>,
    /// This is a copy itself.
    is_copy: bool,
}

impl Copies {
    /// For a copy.
    pub(super) fn copy(numbers: Arc<Numbers>) -> Self {
        Self { replicas: Vec::new(), numbers, is_copy: true }
    }

    /// For a primary, with the replicas that it has.
    pub(super) async fn of(
        primary: &mut PgConnection,
        settings: &DatabaseSettings,
        code: &Arc<UserCode>,
    ) -> Self {
        let original = Original { numbers: Arc::default(), code: Arc::clone(code) };
        let mut replicas = Vec::new();
        let has_roles = settings.db_role != DbRole::Shared;
        if has_roles && !settings.replicas.is_empty() {
            tracing::error!(
                "no replica is used: they are read with the rights of the app's login, and `tenancy.db_role` gives each tenant its own"
            );
        } else if !settings.replicas.is_empty() {
            match Identity::ask(primary).await {
                Ok((identity, _)) => {
                    let watched = settings.replicas.iter().map(|url| {
                        let settings = DatabaseSettings {
                            server: Some(url.clone()),
                            replicas: Vec::new(),
                            acquire_timeout: settings.acquire_timeout.min(ACQUIRE),
                            ..settings.clone()
                        };
                        PostgresReplica::watched(settings, identity.clone(), original.clone())
                    });
                    replicas = watched.collect();
                }
                Err(error) => tracing::error!(
                    %error,
                    "no replica is used, because the primary does not say which cluster it is; its user needs the right to call \
                     pg_control_system()"
                ),
            }
        }
        Self { replicas, numbers: original.numbers, is_copy: false }
    }

    /// Of a copy: which schema must be the tenant's. 0 is none's.
    pub(super) fn number_here(&self, tenant: &Tenant) -> Option<u32> {
        #[cfg(test)]
        if self.numbers.ignored.load(Ordering::Relaxed) {
            return None;
        }
        self.is_copy.then(|| self.numbers.of(tenant).unwrap_or(0))
    }

    /// The replica that a target's reads go to: the same as long as it is up (rendezvous hashing).
    pub(super) fn best(&self, target: &Target) -> Option<Usable> {
        let weight = target.weights();
        let up = self.replicas.iter().enumerate().filter(|(_, replica)| replica.is_up());
        let (_, best) = up.max_by_key(|(at, _)| weight(*at))?;
        // It is up, so it was opened.
        Some(Usable { copy: Arc::clone(best.copy.get()?), replica: Arc::clone(best) })
    }

    /// Whether the tenant's schema is known, so that a replica may be asked.
    pub(super) fn is_known(&self, tenant: &Tenant) -> bool {
        self.numbers.of(tenant).is_some()
    }

    pub(super) fn learn(&self, tenant: &Tenant, number: u32) {
        self.numbers.known.pin().insert(*tenant.id(), (tenant.life(), number));
    }

    /// Keeps new users of a tenant from all replicas, and waits for those there are.
    pub(super) async fn evacuate(&self, id: TenantId) -> Result<Vec<Evacuated>, DatabaseError> {
        self.numbers.known.pin().remove(&id);
        let open = self.replicas.iter().filter_map(|replica| replica.copy.get());
        join_all(open.map(|copy| copy.pool.evacuate(id))).await.into_iter().collect()
    }

    pub(super) async fn close(&self) {
        join_all(self.replicas.iter().map(|replica| async {
            replica.closed.store(true, Ordering::SeqCst);
            replica.doubted.notify_one();
            if let Some(copy) = replica.copy.get() {
                copy.close().await;
            }
        }))
        .await;
    }
}

#[cfg(test)]
impl Postgres {
    pub(super) fn replicas_up(&self) -> usize {
        self.copies.replicas.iter().filter(|replica| replica.is_up()).count()
    }

    pub(super) fn ignore_numbers(&self, ignored: bool) {
        self.copies.numbers.ignored.store(ignored, Ordering::Relaxed);
    }
}

/// Which database of which cluster. A streaming replica has those of its primary.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    cluster: String,
    database: i64,
}

impl Identity {
    /// With it, whether the server takes over what another one does.
    async fn ask(connection: &mut PgConnection) -> Result<(Self, bool), sqlx::Error> {
        const TEXT: &str = "SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), \
            (SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()), \
            pg_catalog.pg_is_in_recovery()";
        let row = connection.fetch_one(TEXT).await?;
        let identity = Self { cluster: row.try_get_unchecked(0)?, database: row.try_get_unchecked(1)? };
        Ok((identity, row.try_get_unchecked(2)?))
    }
}

/// Why a replica is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Driver(#[from] sqlx::Error),
    #[error("it does not answer within {ANSWER:?}")]
    Silent,
    #[error("it is a copy of another database; check its address")]
    Foreign,
    #[error("it is not a streaming replica, or is one no longer; check its address")]
    NoReplica,
}

/// One replica.
pub(super) struct PostgresReplica {
    /// Its address without user and password.
    name: String,
    copy: OnceLock<Arc<Postgres>>,
    up: watch::Sender<bool>,
    doubted: Arc<Notify>,
    original: Original,
    closed: AtomicBool,
}

impl fmt::Debug for PostgresReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresReplica").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PostgresReplica {
    fn watched(settings: DatabaseSettings, primary: Identity, original: Original) -> Arc<Self> {
        let name = settings.server.as_ref().map(|url| redacted(url.as_str())).unwrap_or_default();
        let replica = Arc::new(Self {
            name,
            copy: OnceLock::new(),
            up: watch::Sender::new(false),
            doubted: Arc::default(),
            original,
            closed: AtomicBool::new(false),
        });
        tokio::spawn(watch(Arc::downgrade(&replica), settings, primary));
        replica
    }

    fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Is not used until it was found to be usable again, which is looked at now.
    fn suspect(&self) {
        if self.up.send_if_modified(|up| std::mem::replace(up, false)) {
            self.doubted.notify_one();
        }
    }

    /// Whether it can be used, asked in a session that is for nothing else.
    async fn examine(
        &self,
        session: &mut Option<PgConnection>,
        settings: &DatabaseSettings,
        primary: &Identity,
    ) -> Result<(), Unusable> {
        let copy = match self.copy.get() {
            Some(copy) => copy,
            None => {
                let opened = Postgres::open_as(settings.clone(), Some(self.original.clone())).await?;
                self.copy.get_or_init(|| Arc::new(opened))
            }
        };
        let mut asked = match session.take() {
            Some(connection) => connection,
            None => sqlx::ConnectOptions::connect(&copy.pool.options).await?,
        };
        let (identity, is_replica) = Identity::ask(&mut asked).await?;
        *session = Some(asked);
        if identity != *primary {
            return Err(Unusable::Foreign);
        }
        if is_replica { Ok(()) } else { Err(Unusable::NoReplica) }
    }
}

/// Looks after a replica until the service ends.
async fn watch(replica: Weak<PostgresReplica>, settings: DatabaseSettings, primary: Identity) {
    let mut session = None;
    let mut said: Option<String> = None;
    loop {
        let Some(replica) = replica.upgrade() else { return };
        if replica.closed.load(Ordering::SeqCst) {
            return;
        }
        let limit = if replica.copy.get().is_some() { ANSWER } else { OPENING };
        let examined = timeout(limit, replica.examine(&mut session, &settings, &primary)).await;
        match examined.unwrap_or(Err(Unusable::Silent)) {
            Ok(()) => {
                replica.up.send_replace(true);
                if said.take().is_some() {
                    tracing::info!(replica = replica.name, "the replica can be used");
                }
            }
            Err(problem) => {
                session = None;
                replica.up.send_replace(false);
                let problem = problem.to_string();
                if said.as_ref() != Some(&problem) {
                    tracing::warn!(
                        replica = replica.name,
                        error = problem,
                        "the replica is not used; the primary answers its reads"
                    );
                    said = Some(problem);
                }
            }
        }
        let doubted = Arc::clone(&replica.doubted);
        drop(replica);
        // Whoever doubts it wants to know at once, but a replica that goes up and down must not keep this busy.
        sleep(EVERY / 20).await;
        let _ = timeout(EVERY, doubted.notified()).await;
    }
}

/// A replica that was up a moment ago.
pub(super) struct Usable {
    copy: Arc<Postgres>,
    replica: Arc<PostgresReplica>,
}

impl Replica for Usable {
    fn backend(&self) -> &dyn Backend {
        &*self.copy
    }

    fn went_down(&self) -> BoxFuture<'_, ()> {
        let mut up = self.replica.up.subscribe();
        async move { drop(up.wait_for(|up| !up).await) }.boxed()
    }

    fn judge(&self, error: &DbErr, scope: &Scope) -> Answer {
        match DatabaseError::find_in(error) {
            Some(DatabaseError::Missing { tenant }) => {
                // It may have been made anew by an operator, who restores it for example.
                self.replica.original.numbers.known.pin().remove(tenant);
                match scope {
                    Scope::Tenant(tenant) if tenant.has_ended() => Answer::Final,
                    _ => Answer::Behind,
                }
            }
            Some(DatabaseError::NoConnection { .. }) => Answer::Behind,
            Some(DatabaseError::Engine { .. } | DatabaseError::Closed) => {
                self.replica.suspect();
                Answer::Down
            }
            Some(_) => Answer::Final,
            None if run::is_broken_by(error) => {
                self.replica.suspect();
                Answer::Down
            }
            None if run::is_unknown_name(error) || run::is_conflict_with_recovery(error) => Answer::Behind,
            None => Answer::Final,
        }
    }
}
