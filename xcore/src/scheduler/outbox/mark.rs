//! Which tenants may have rows in their files.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::scheduler::SchedulerError;
use crate::scheduler::queue::Queue;
use crate::tenancy::TenantId;

/// The marks that this process knows of.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<HashMap<TenantId, Arc<Mark>>>);

#[derive(Debug, Default)]
struct Mark {
    /// Transactions that may write a row, or have.
    open: AtomicUsize,
    /// Whether the directory has it.
    is_noted: tokio::sync::Mutex<bool>,
}

/// A transaction that may write a row. Its end is when this is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Mark>);

impl Marks {
    /// A transaction is about to write a row.
    pub(super) fn open(&self, tenant: &TenantId) -> Open {
        let mark = Arc::clone(self.all().entry(*tenant).or_default());
        mark.open.fetch_add(1, Ordering::SeqCst);
        Open(mark)
    }

    /// The directory has this mark.
    pub(super) fn add(&self, tenant: &TenantId) {
        let mark = Mark { open: AtomicUsize::new(0), is_noted: tokio::sync::Mutex::new(true) };
        self.all().entry(*tenant).or_insert_with(|| Arc::new(mark));
    }

    pub(super) fn tenants(&self) -> Vec<TenantId> {
        self.all().keys().copied().collect()
    }

    /// Takes a mark back, unless a transaction is open that may write a row. The caller has seen that there is none, and keeps others
    /// from writing to the file.
    pub(super) async fn take_back(&self, queue: &dyn Queue, tenant: &TenantId) -> Result<(), SchedulerError> {
        let Some(mark) = self.all().get(tenant).cloned() else { return Ok(()) };
        let mut is_noted = mark.is_noted.lock().await;
        // Whoever opens from now on waits for the lock, and then makes the mark anew.
        if mark.open.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        queue.unmark(tenant.as_str()).await?;
        *is_noted = false;
        drop(is_noted);
        let mut all = self.all();
        // This one and that of the list.
        if Arc::strong_count(&mark) == 2 {
            all.remove(tenant);
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Mark>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Makes sure that the directory has the mark.
    pub(super) async fn note(&self, queue: &dyn Queue, tenant: &TenantId) -> Result<(), SchedulerError> {
        let mut is_noted = self.0.is_noted.lock().await;
        if !*is_noted {
            queue.mark(tenant.as_str()).await?;
            *is_noted = true;
        }
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
