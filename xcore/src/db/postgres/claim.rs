//! The right to create or delete a tenant, among all processes that work on one database.
//!
//! Several processes of an app may serve one database at once; what must not happen at once is the creation and deletion of
//! one tenant. So a claim is an advisory lock of the tenant's name. It lasts as long as the plugins' hooks do, so there may
//! be many, and all of a process are held by one session, on which no statement of anybody ever runs. The server gives the
//! locks free when the session ends, however it ends.
//!
//! A session that was lost may be noticed late. Therefore nothing that cannot be taken back rests on the claim alone: a
//! schema is dropped under the lock of its [changes](super::schema::lock_key), and the claim is asked after that lock was
//! taken. Whoever has the claim by then must wait for the drop before he can make the schema anew.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connection::Connection;
use super::run;
use super::schema::claim_key;
use crate::db::DatabaseError;
use crate::db::backend::TenantClaim;
use crate::tenancy::{TenantId, Turns};

/// How long another process may take to create or delete a tenant that this one wants to. Hooks of plugins run meanwhile.
const WAIT: Duration = Duration::from_secs(60);

/// For how long the session is kept without a claim.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a lock that another session has is left alone before it is asked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// The claims of this process.
pub(super) struct Claims {
    options: PgConnectOptions,
    runtime: Handle,
    /// One claim per tenant in this process: the server gives a session a lock that it has already.
    turns: Turns,
    /// The session that holds the claims, while there are any.
    session: Mutex<Weak<Session>>,
    /// It is there for a while after the last one, for the next; since when.
    kept: std::sync::Mutex<Option<(Arc<Session>, Instant)>>,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

impl Claims {
    pub(super) fn new(options: PgConnectOptions) -> Arc<Self> {
        let session = Mutex::new(Weak::new());
        let kept = std::sync::Mutex::default();
        Arc::new(Self { options, runtime: Handle::current(), turns: Turns::default(), session, kept })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(Arc<Session>, Instant)>> {
        // Nothing that can panic happens under the lock.
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Lets go of the session, unless it has claims.
    pub(super) fn close(&self) {
        drop(self.kept().take());
    }

    /// Waits for the claim on a tenant. Cancellation safe.
    pub(super) async fn take(self: &Arc<Self>, tenant: TenantId) -> Result<Claim, DatabaseError> {
        let deadline = Instant::now() + WAIT;
        let (mut answer, answered) = oneshot::channel();
        let claims = Arc::clone(self);
        // A task of its own: an answer of the server that nobody reads would be a lock that nobody gives free. A claim that
        // nobody waits for any more is dropped with the answer.
        self.runtime.spawn(async move {
            let taken = tokio::select! {
                biased;
                () = answer.closed() => return,
                turn = timeout_at(deadline, claims.turns.of(&tenant)) => match turn {
                    Ok(turn) => claims.wait_for(tenant, deadline, turn, &mut answer).await,
                    Err(_late) => Err(DatabaseError::Claimed { tenant, waited: WAIT }),
                },
            };
            drop(answer.send(taken));
        });
        answered.await.unwrap_or(Err(DatabaseError::Closed))
    }

    async fn wait_for(
        self: &Arc<Self>,
        tenant: TenantId,
        deadline: Instant,
        turn: OwnedMutexGuard<()>,
        answer: &mut oneshot::Sender<Result<Claim, DatabaseError>>,
    ) -> Result<Claim, DatabaseError> {
        let mut session = self.session().await?;
        let mut has_lost_one = false;
        loop {
            match session.try_lock(claim_key(&tenant)).await {
                Ok(true) => {
                    let claims = Arc::downgrade(self);
                    return Ok(Claim { tenant, claims, held: Some((session, turn)) });
                }
                Ok(false) => {}
                // It may have died long ago: nobody looks at it while hooks run.
                Err(_lost) if !has_lost_one => {
                    has_lost_one = true;
                    session = self.session().await?;
                    continue;
                }
                Err(lost) => return Err(lost.into()),
            }
            if Instant::now() >= deadline {
                return Err(DatabaseError::Claimed { tenant, waited: WAIT });
            }
            tokio::select! {
                () = answer.closed() => return Err(DatabaseError::Closed),
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// The session for claims, or a new one when there is none that lives.
    async fn session(&self) -> Result<Arc<Session>, DatabaseError> {
        let mut present = self.session.lock().await;
        if let Some(session) = present.upgrade()
            && session.connection.lock().await.is_some()
        {
            return Ok(session);
        }
        let connection = Connection::open(&self.options, std::time::Instant::now()).await?;
        let connection = Mutex::new(Some(connection));
        let session = Arc::new(Session { connection, runtime: self.runtime.clone() });
        *present = Arc::downgrade(&session);
        Ok(session)
    }
}

/// What holds the locks. It is never opened anew: who has a lock of a session that was lost must not go on.
struct Session {
    /// `None` once it was lost.
    connection: Mutex<Option<Connection>>,
    runtime: Handle,
}

impl Session {
    /// Asks the server something. Without an answer the session is lost, with all its locks. What is cancelled may have been
    /// done all the same.
    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut Connection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut present = self.connection.lock().await;
        let Some(connection) = present.as_mut() else { return Err(sqlx::Error::PoolClosed) };
        let (answer, is_lost) = match timeout(ANSWER, question(connection)).await {
            // Refused by a server that goes on: its table of locks is full, for example.
            Ok(answer) => {
                let is_lost = answer.as_ref().is_err_and(run::is_broken);
                (answer, is_lost)
            }
            Err(_late) => (Err(sqlx::Error::PoolTimedOut), true),
        };
        if is_lost && let Some(lost) = present.take() {
            self.runtime.spawn(lost.abandon());
        }
        answer
    }

    async fn try_lock(&self, lock: i64) -> Result<bool, sqlx::Error> {
        self.ask(async |connection: &mut Connection| try_lock(connection.raw(), lock).await).await
    }

    async fn unlock(&self, lock: i64) -> Result<(), sqlx::Error> {
        let text = format!("SELECT pg_catalog.pg_advisory_unlock({lock})");
        self.ask(async |connection: &mut Connection| connection.control(text).await).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.get_mut().take() {
            self.runtime.spawn(connection.close());
        }
    }
}

/// A claim that is held.
pub(super) struct Claim {
    tenant: TenantId,
    claims: Weak<Claims>,
    /// `None` only while it is being dropped.
    held: Option<(Arc<Session>, OwnedMutexGuard<()>)>,
}

impl TenantClaim for Claim {
    fn check(&self) -> BoxFuture<'_, Result<(), DatabaseError>> {
        async move {
            let Some((session, _)) = &self.held else { return Err(DatabaseError::Closed) };
            // A session that lives has its locks.
            let lives = session.ask(async |connection: &mut Connection| connection.settle().await).await;
            lives.map_err(|_lost| DatabaseError::ClaimLost { tenant: self.tenant })
        }
        .boxed()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some((session, turn)) = self.held.take() else { return };
        let (lock, claims) = (claim_key(&self.tenant), Weak::clone(&self.claims));
        session.runtime.clone().spawn(async move {
            if let Err(error) = session.unlock(lock).await {
                tracing::debug!(%error, "the session of the claims was lost");
            }
            drop(turn);
            let now = Instant::now();
            if let Some(claims) = claims.upgrade() {
                *claims.kept() = Some((session, now));
            }
            sleep(KEPT_FOR).await;
            if let Some(claims) = claims.upgrade() {
                drop(claims.kept().take_if(|(_, since)| *since == now));
            }
        });
    }
}

/// Takes an advisory lock for the session.
///
/// It asks again and again: a statement that waited on the server would hold a snapshot, for which a
/// `CREATE INDEX CONCURRENTLY` of the one who has the lock waits in turn.
pub(super) async fn wait_for(connection: &mut PgConnection, lock: i64) -> Result<(), sqlx::Error> {
    while !try_lock(connection, lock).await? {
        sleep(PAUSE).await;
    }
    Ok(())
}

/// The same for so long. The server is asked once at least, however long its answer takes: that it is slow does not mean
/// that somebody else has the lock.
pub(super) async fn wait_for_at_most(
    connection: &mut PgConnection,
    lock: i64,
    at_most: Duration,
) -> Result<bool, sqlx::Error> {
    let deadline = Instant::now() + at_most;
    while !try_lock(connection, lock).await? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(PAUSE).await;
    }
    Ok(true)
}

async fn try_lock(connection: &mut PgConnection, lock: i64) -> Result<bool, sqlx::Error> {
    let text = format!("SELECT pg_catalog.pg_try_advisory_lock({lock})");
    connection.fetch_one(AssertSqlSafe(text)).await?.try_get_unchecked(0)
}
