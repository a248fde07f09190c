//! The proof that a tenant was admitted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::TenantId;

/// A tenant that the [directory](super::Directory) has admitted: it exists and is active.
///
/// Only the framework makes one, so holding a `Tenant` is proof. Contexts and service handles hold a
/// `Tenant`, never a bare [`TenantId`]. Cloning is one reference count.
///
/// It stands for one life of the tenant. When the tenant is deleted, every `Tenant` of that life ends with it: a context
/// that is still held somewhere fails from then on, also when another tenant of the same name has been created since.
#[derive(Clone)]
pub struct Tenant(Arc<Admitted>);

struct Admitted {
    id: TenantId,
    life: i64,
    server: Option<Arc<str>>,
    has_ended: AtomicBool,
}

impl Tenant {
    /// Records an admission. The only caller is the directory, which makes one per life.
    pub(crate) fn admit_on(id: TenantId, life: i64, server: Option<Arc<str>>) -> Self {
        Self(Arc::new(Admitted { id, life, server, has_ended: AtomicBool::new(false) }))
    }

    /// On the only server there is.
    #[cfg(test)]
    pub(crate) fn admit(id: TenantId, life: i64) -> Self {
        Self::admit_on(id, life, None)
    }

    /// The server that holds its data, by its name in `services.database.servers`; `None` with one server or none.
    pub(crate) fn server(&self) -> Option<&str> {
        self.0.server.as_deref()
    }

    /// Which life of its name this is, see [`TenantRecord`](super::TenantRecord).
    pub(crate) fn life(&self) -> i64 {
        self.0.life
    }

    /// Ends this life: the tenant is being deleted.
    pub(crate) fn end(&self) {
        self.0.has_ended.store(true, Ordering::Release);
    }

    /// Whether the tenant was deleted. Every service asks before it touches data.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::Acquire)
    }

    /// The name of the tenant.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        &self.0.id
    }
}

impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Tenant {}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenant({})", self.id())
    }
}
