//! One open database file with its connections.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::{Connection, Target};
use super::lease::{Held, Lease};
use super::registry::Registry;
use crate::db::DatabaseError;
use crate::tenancy::Tenant;

/// What all files have in common.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) max_open: usize,
    pub(super) connections: usize,
    pub(super) busy_timeout: Duration,
    pub(super) acquire_timeout: Duration,
    pub(super) drain_timeout: Duration,
    /// Where connections are reset and closed after a drop.
    pub(super) runtime: Handle,
    /// How many callers wait for a tenant database to become free.
    pub(super) waiting: AtomicUsize,
    pub(super) mutants: Mutants,
}

/// Rules that a test breaks on purpose, to see that another test notices.
#[derive(Debug, Default)]
pub(super) struct Mutants {
    /// I2: connections go back as they are.
    #[cfg(test)]
    pub(super) reuse_anything: AtomicBool,
}

impl Mutants {
    pub(super) fn reuses_anything(&self) -> bool {
        #[cfg(test)]
        return self.reuse_anything.load(Ordering::Relaxed);
        #[cfg(not(test))]
        false
    }
}

/// A file that is open, or about to be.
pub(super) struct OpenFile {
    pub(super) target: Target,
    pub(super) limits: Arc<Limits>,
    registry: Weak<Registry>,
    /// One permit per connection that may be on loan.
    pub(super) connections: Semaphore,
    /// The right to write. SQLite has one writer per file and makes the others sleep and retry, in no order; this makes
    /// them wait in order, on no thread.
    pub(super) writer: Semaphore,
    idle: Mutex<Vec<Connection>>,
    opening: tokio::sync::Mutex<()>,
    /// How many connections exist.
    alive: Arc<AtomicUsize>,
    generation: AtomicU64,
    closed: AtomicBool,
    pub(super) users: AtomicUsize,
    pub(super) last_used: AtomicU64,
    /// Its place among the `max_open`; the shared file needs none.
    pub(super) place: OnceCell<OwnedSemaphorePermit>,
    draining: AtomicBool,
    freed: Notify,
}

impl OpenFile {
    pub(super) fn new(target: Target, limits: Arc<Limits>, registry: Weak<Registry>) -> Self {
        Self {
            target,
            registry,
            connections: Semaphore::new(limits.connections),
            writer: Semaphore::new(1),
            idle: Mutex::new(Vec::new()),
            opening: tokio::sync::Mutex::new(()),
            alive: Arc::default(),
            generation: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            users: AtomicUsize::new(0),
            last_used: AtomicU64::new(0),
            place: OnceCell::new(),
            draining: AtomicBool::new(false),
            freed: Notify::new(),
            limits,
        }
    }

    /// Lends a connection; one who writes waits for the right to write first, so that waiting writers keep no
    /// connection from readers.
    pub(super) async fn lend(user: FileUser, writes: bool) -> Result<Lease, DatabaseError> {
        Self::lend_to(None, user, writes).await
    }

    /// The same to a tenant whose plan may count its connections. Its own line comes first: nobody else waits for the right to write
    /// because this tenant waits for itself.
    pub(super) async fn lend_to(
        whose: Option<&Tenant>,
        user: FileUser,
        writes: bool,
    ) -> Result<Lease, DatabaseError> {
        let mut held = Held { user, connection: false, writer: false, seat: None };
        if let Some(tenant) = whose.filter(|tenant| tenant.has_seats()) {
            let waited = held.user.file().limits.acquire_timeout;
            let seat = tenant.take_seat(waited).await.map_err(|none| DatabaseError::PlanConnections {
                tenant: *tenant.id(),
                connections: none.seats,
                waited,
            })?;
            held.seat = Some(seat);
        }
        if writes {
            held.take_writer().await?;
        }
        let file = held.user.file();
        let (wait, connections) = (file.limits.acquire_timeout, file.limits.connections);
        take(&file.connections, wait, || DatabaseError::NoConnection { connections, waited: wait }).await?;
        held.connection = true;
        let connection = held.user.file().connection().await?;
        Ok(Lease::new(held, connection))
    }

    /// An idle connection, or a new one. The caller has a permit for it.
    async fn connection(&self) -> Result<Connection, DatabaseError> {
        if let Some(connection) = self.reusable().await {
            return Ok(connection);
        }
        // One at a time: who waited may find that a connection came back, and a crashed file is recovered once.
        let _opening = self.opening.lock().await;
        if let Some(connection) = self.reusable().await {
            return Ok(connection);
        }
        if self.is_closed() {
            return Err(DatabaseError::Closed);
        }
        Connection::open(&self.target, self.generation(), &self.alive).await
    }

    async fn reusable(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle().pop()?;
            if connection.generation == self.generation() && matches!(connection.is_current().await, Ok(true))
            {
                return Some(connection);
            }
            connection.close().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Nothing that can panic happens under the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put_back(&self, connection: Connection) {
        self.idle().push(connection);
    }

    pub(super) fn has_connections(&self) -> bool {
        self.alive.load(Ordering::Acquire) > 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Tables came, went or changed: connections that were open before are not used again. Their prepared statements may
    /// read a shared table where the tenant now has one of its own.
    pub(super) fn schema_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until nobody uses it.
    pub(super) async fn drain(&self, wait: Duration) -> bool {
        self.draining.store(true, Ordering::SeqCst);
        let all_gone = async {
            loop {
                let freed = self.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if self.users.load(Ordering::SeqCst) == 0 {
                    return;
                }
                freed.await;
            }
        };
        timeout(wait, all_gone).await.is_ok()
    }

    /// Refuses new loans and closes what is idle. What is on loan is closed when it comes back.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.connections.close();
        self.writer.close();
        loop {
            let Some(connection) = self.idle().pop() else {
                return;
            };
            connection.close().await;
        }
    }
}

impl Held {
    /// Waits for the right to write, in line.
    pub(super) async fn take_writer(&mut self) -> Result<(), DatabaseError> {
        if !self.writer {
            let file = self.user.file();
            let wait = file.limits.busy_timeout;
            take(&file.writer, wait, || DatabaseError::WriterBusy { waited: wait }).await?;
            self.writer = true;
        }
        Ok(())
    }

    pub(super) fn give_writer_back(&mut self) {
        if std::mem::take(&mut self.writer) {
            self.user.file().writer.add_permits(1);
        }
    }
}

/// Takes a permit for good; whoever holds it adds it back. In line behind those who came before.
async fn take(
    semaphore: &Semaphore,
    wait: Duration,
    timed_out: impl FnOnce() -> DatabaseError,
) -> Result<(), DatabaseError> {
    if let Ok(permit) = semaphore.try_acquire() {
        permit.forget();
        return Ok(());
    }
    match timeout(wait, semaphore.acquire()).await {
        Ok(Ok(permit)) => {
            permit.forget();
            Ok(())
        }
        Ok(Err(_closed)) => Err(DatabaseError::Closed),
        Err(_elapsed) => Err(timed_out()),
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("tenant", &self.target.tenant).finish_non_exhaustive()
    }
}

/// A claim that keeps a file open.
pub(super) struct FileUser(Arc<OpenFile>);

impl FileUser {
    /// The caller holds the registry's lock, or the file is the shared one, which is never evicted.
    pub(super) fn of(file: &Arc<OpenFile>) -> Self {
        file.users.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(file))
    }

    pub(super) fn again(&self) -> Self {
        // Safe without the lock: this claim keeps the count above zero.
        Self::of(&self.0)
    }

    pub(super) fn file(&self) -> &Arc<OpenFile> {
        &self.0
    }
}

impl Drop for FileUser {
    fn drop(&mut self) {
        let file = &self.0;
        if file.users.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        if file.draining.load(Ordering::SeqCst) {
            file.freed.notify_waiters();
        }
        let useless = file.target.tenant.is_some() && !file.has_connections();
        if (useless || file.limits.waiting.load(Ordering::SeqCst) > 0)
            && let Some(registry) = file.registry.upgrade()
        {
            registry.freed(file, useless);
        }
    }
}
