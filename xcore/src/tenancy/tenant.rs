//! The proof that a tenant was admitted.

use std::fmt;
use std::sync::Arc;

use super::TenantId;

/// A tenant that the [directory](super::Directory) has admitted: it exists and is active.
///
/// Only the framework makes one, so holding a `Tenant` is proof. Contexts and service handles hold a
/// `Tenant`, never a bare [`TenantId`]. Cloning is one reference count.
#[derive(Clone)]
pub struct Tenant(Arc<Admitted>);

struct Admitted {
    id: TenantId,
}

impl Tenant {
    /// Records an admission. The callers are the directory and the start-up of the app.
    pub(crate) fn admit(id: TenantId) -> Self {
        Self(Arc::new(Admitted { id }))
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
