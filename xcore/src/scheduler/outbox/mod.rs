//! Work that is put in line within a transaction.
//!
//! The run cannot be written where runs are, since that is another database or another server, and two commits are never one. So it
//! is written beside the tenant's data, in the tenant's transaction: into the *outbox*. A relay brings it from there into line, and
//! takes it out of the outbox afterwards. A process that dies in between has brought it and not taken it out; then it is brought a
//! second time under the same key, which changes nothing.
//!
//! ```text
//! PostgreSQL   xcore_outbox.queue on each server, one table for all tenants of it. A tenant's role can write its own rows and read none
//! SQLite       xcore_outbox in each tenant's file, made when it is first needed; xcore_outbox_marks in the directory says in whose
//! ```
//!
//! On SQLite the mark is written before the row is, and taken back when the file holds no row and no transaction is open that may
//! write one. So after a crash the files of the marked tenants are opened, and no others.

mod file;
mod mark;
mod relay;
mod server;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use sea_orm::DbBackend;
use tokio::sync::Notify;

use super::SchedulerError;
use super::queue::{Queue, Queued};
use crate::db::{Servers, Transaction};
use crate::tenancy::{Tenant, TenantId};

use mark::Marks;
pub(crate) use relay::{Admit, Admitted, Rounds};
#[cfg(all(test, feature = "postgres"))]
pub(crate) use server::{PUT, prepare};

/// How many rows go at once.
const AT_ONCE: u32 = 500;

/// The outboxes of an app.
pub(crate) struct Outbox {
    servers: Servers,
    queue: Arc<dyn Queue>,
    /// Whether tenants have jobs of their own.
    isolates_jobs: bool,
    /// Whether tenants have databases of their own.
    isolates_data: bool,
    marks: Marks,
    /// Tenants whose transactions have ended, with files.
    ended: Mutex<HashMap<TenantId, Tenant>>,
    /// Servers whose table is there.
    ready: Mutex<HashSet<usize>>,
    wake: Notify,
    itself: OnceLock<Weak<Self>>,
    #[cfg(test)]
    pub(super) mutants: Mutants,
}

/// Rules that a test breaks.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Mutants {
    /// What was brought stays in the outbox: the process dies in between.
    pub(super) dies_between: std::sync::atomic::AtomicBool,
    /// A run gets a key of its own each time it is brought.
    pub(super) forgets_keys: std::sync::atomic::AtomicBool,
    /// The mark is not written.
    pub(super) forgets_marks: std::sync::atomic::AtomicBool,
}

impl Outbox {
    pub(crate) fn new(
        servers: Servers,
        queue: Arc<dyn Queue>,
        isolates_jobs: bool,
        isolates_data: bool,
    ) -> Arc<Self> {
        let outbox = Arc::new(Self {
            servers,
            queue,
            isolates_jobs,
            isolates_data,
            marks: Marks::default(),
            ended: Mutex::default(),
            ready: Mutex::default(),
            wake: Notify::new(),
            itself: OnceLock::new(),
            #[cfg(test)]
            mutants: Mutants::default(),
        });
        // Set once, here.
        let _ = outbox.itself.set(Arc::downgrade(&outbox));
        outbox
    }

    fn is_in_files(&self) -> bool {
        self.servers.is_sqlite()
    }

    /// Makes the tables of servers, where there are none, on those that can be reached.
    ///
    /// # Errors
    /// When a server fails.
    pub(crate) async fn prepare(&self) -> Result<(), SchedulerError> {
        if self.is_in_files() {
            return Ok(());
        }
        for (number, database) in self.servers.open_numbered() {
            if self.ready.lock().unwrap_or_else(PoisonError::into_inner).contains(&number) {
                continue;
            }
            server::prepare(database).await?;
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        }
        Ok(())
    }

    /// Writes a run beside the tenant's data, in its transaction.
    pub(super) async fn put(
        &self,
        transaction: &Transaction,
        tenant: &Tenant,
        run: &Queued,
    ) -> Result<(), SchedulerError> {
        if sea_orm::ConnectionTrait::get_database_backend(transaction) != DbBackend::Sqlite {
            server::put(transaction, tenant, run).await?;
            let outbox = self.itself.get().cloned().unwrap_or_default();
            transaction.when_ended(move |is_committed| {
                if let (true, Some(outbox)) = (is_committed, outbox.upgrade()) {
                    outbox.wake.notify_one();
                }
            });
            return Ok(());
        }
        let open = self.marks.open(tenant.id());
        #[cfg(test)]
        let is_noted = self.mutants.forgets_marks.load(std::sync::atomic::Ordering::Relaxed);
        #[cfg(not(test))]
        let is_noted = false;
        if !is_noted {
            open.note(self.queue.as_ref(), tenant.id()).await?;
        }
        file::put(transaction, tenant, run).await?;
        let (outbox, tenant) = (self.itself.get().cloned().unwrap_or_default(), tenant.clone());
        transaction.when_ended(move |_| {
            // Also when it was undone as far as is known: a commit whose end nobody awaited may have gone through.
            drop(open);
            if let Some(outbox) = outbox.upgrade() {
                outbox.ended().insert(*tenant.id(), tenant);
                outbox.wake.notify_one();
            }
        });
        Ok(())
    }

    /// Gives a tenant what it has in outboxes by another name.
    pub(super) async fn hand_over(
        &self,
        from: (&TenantId, i64),
        to: (&TenantId, i64),
        server: Option<&str>,
    ) -> Result<(), SchedulerError> {
        if self.is_in_files() {
            // The file has the new name, and its rows need none.
            self.queue.mark(to.0.as_str()).await?;
            self.marks.add(to.0);
            return Ok(());
        }
        let database = self
            .servers
            .at(to.0, server)
            .map_err(|source| SchedulerError::Unavailable { source: Box::new(source) })?;
        server::hand_over(database, from, to).await
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Tenant>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
