//! The right to create or delete a tenant, among all processes that work on one database.
//!
//! Several processes of an app may serve one database at once; what must not happen at once is the creation and deletion of
//! one tenant. So a claim is an advisory lock of the tenant's name, held by a session of its own: it lasts as long as
//! the plugins' hooks do, and no statement of anybody ever runs on it. The server gives the lock free when the session ends,
//! however it ends.
//!
//! A session that was lost may be noticed late. Therefore nothing that cannot be taken back rests on the claim alone: a
//! schema is dropped under the lock of its [changes](super::schema::lock_key), and the claim is asked after that lock was
//! taken. Whoever has the claim by then must wait for the drop before he can make the schema anew.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::time::timeout;

use super::connection::Connection;
use super::schema::claim_key;
use crate::db::DatabaseError;
use crate::db::backend::TenantClaim;
use crate::tenancy::TenantId;

/// How many tenants one process creates or deletes at once: each holds a session beside those of the pool.
pub(super) const AT_ONCE: usize = 8;

/// How long another process may take to create or delete a tenant that this one wants to. Hooks of plugins run meanwhile.
pub(super) const WAIT: Duration = Duration::from_secs(60);

/// How long the server may take to say that the session is still there.
const ANSWER: Duration = Duration::from_secs(5);

/// A claim that is held.
pub(super) struct Claim {
    tenant: TenantId,
    /// `None` only while it is being dropped.
    session: Mutex<Option<Connection>>,
    runtime: Handle,
    _permit: OwnedSemaphorePermit,
}

impl Claim {
    /// Waits for the tenant's lock on a session of nobody else's.
    pub(super) async fn take(
        mut session: Connection,
        tenant: TenantId,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<Self, DatabaseError> {
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout(left, wait_for(&mut session.raw, claim_key(&tenant))).await {
            Ok(taken) => taken?,
            Err(_late) => return Err(DatabaseError::Claimed { tenant, waited: WAIT }),
        }
        let session = Mutex::new(Some(session));
        Ok(Self { tenant, session, runtime: Handle::current(), _permit: permit })
    }
}

impl TenantClaim for Claim {
    fn check(&self) -> BoxFuture<'_, Result<(), DatabaseError>> {
        async move {
            let mut session = self.session.lock().await;
            // A session that lives has its locks.
            let lives = match session.as_mut() {
                Some(session) => timeout(ANSWER, session.settle()).await,
                None => return Err(DatabaseError::Closed),
            };
            match lives {
                Ok(Ok(())) => Ok(()),
                _ => Err(DatabaseError::ClaimLost { tenant: self.tenant }),
            }
        }
        .boxed()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(session) = self.session.get_mut().take() {
            self.runtime.spawn(session.close());
        }
    }
}

/// Takes an advisory lock for the session.
///
/// It asks again and again: a statement that waited on the server would hold a snapshot, for which a
/// `CREATE INDEX CONCURRENTLY` of the one who has the lock waits in turn.
pub(super) async fn wait_for(connection: &mut PgConnection, lock: i64) -> Result<(), sqlx::Error> {
    let text = format!("SELECT pg_catalog.pg_try_advisory_lock({lock})");
    while !connection.fetch_one(AssertSqlSafe(text.clone())).await?.try_get_unchecked::<bool, _>(0)? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
