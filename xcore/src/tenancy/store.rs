//! Where the directory keeps what it knows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::TenantId;

/// The state of a tenant's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Its data is being made. Not routable.
    Provisioning,
    /// It is served.
    Active,
    /// Its data is being dropped. Not routable.
    Deleting,
    /// What another version of xcore has written. Not routable, and left alone.
    Foreign,
}

impl State {
    /// As it is stored and printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Deleting => "deleting",
            Self::Foreign => "unknown to this version",
        }
    }

    /// Whether a creation or a deletion was begun and has not come to its end.
    pub(crate) const fn is_unfinished(self) -> bool {
        matches!(self, Self::Provisioning | Self::Deleting)
    }

    pub(crate) fn parse(text: &str) -> Self {
        let known = [Self::Provisioning, Self::Active, Self::Deleting];
        known.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Foreign)
    }
}

/// A tenant as the directory's store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRecord {
    /// Its name.
    pub id: TenantId,
    /// Where it stands.
    pub state: State,
    /// The [fingerprint](crate::db::Migrations) of the migrations that its data has; `None` before the first one.
    pub version: Option<String>,
    /// A number that no other tenant of this name has had or will have. 0 where the directory does not keep one.
    pub life: i64,
    /// The server that holds its data, by its name in `services.database.servers`. `None` where there was one server only when
    /// the tenant was created; that is the first one now.
    pub server: Option<Arc<str>>,
}

impl TenantRecord {
    /// A tenant whose data is not versioned by the directory.
    pub(crate) fn active(id: TenantId) -> Self {
        Self { id, state: State::Active, version: None, life: 0, server: None }
    }
}

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The tenant is there already.
    #[error("tenant `{id}` exists already")]
    Exists {
        /// Its name.
        id: TenantId,
    },
    /// The tenant is not there.
    #[error("there is no tenant `{id}`; `tenant list` shows those there are")]
    NotFound {
        /// Its name.
        id: TenantId,
    },
    /// The domain belongs to a tenant already.
    #[error("the domain {domain} belongs to tenant `{id}`; remove it there first")]
    DomainTaken {
        /// The domain.
        domain: String,
        /// Whose it is.
        id: TenantId,
    },
    /// There is no such API key.
    #[error("there is no API key `{key}`; `tenant key list NAME` shows those of a tenant")]
    NoSuchKey {
        /// Its id.
        key: String,
    },
    /// There is no such domain.
    #[error("the domain {domain} belongs to no tenant; `tenant domain list` shows those that do")]
    NoSuchDomain {
        /// The domain.
        domain: String,
    },
    /// The directory is not kept by xcore.
    #[error("the directory is {kind}, so tenants cannot be created or deleted; {remedy}")]
    ReadOnly {
        /// What kind of directory it is.
        kind: &'static str,
        /// How to get one that can.
        remedy: &'static str,
    },
    /// The store took too long.
    #[error("the directory did not answer within {limit:?}")]
    Slow {
        /// How long it was waited for.
        limit: Duration,
    },
    /// The database failed.
    #[error("the directory's table cannot be read or written")]
    Database {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Keeps the tenants. One implementation a kind of directory.
#[async_trait]
pub trait DirectoryStore: Send + Sync + 'static {
    /// One tenant.
    async fn find(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError>;
    /// All tenants, sorted by name.
    async fn list(&self) -> Result<Vec<TenantRecord>, StoreError>;
    /// Adds a tenant in state provisioning, on that of the `servers` that has the least tenants; the first of them when several have
    /// the least. Of two that race for one name, one gets [`StoreError::Exists`].
    async fn insert(&self, id: &TenantId, servers: &[Arc<str>]) -> Result<(), StoreError>;
    /// Moves a tenant in this life of it from one state to another; `false` when it was not in `from`, or in another life.
    async fn advance(&self, id: &TenantId, life: i64, from: State, to: State) -> Result<bool, StoreError>;
    /// Notes the migrations that a tenant's data has.
    async fn set_version(&self, id: &TenantId, version: &str) -> Result<(), StoreError>;
    /// Forgets a tenant that is being deleted, in this life of it only.
    async fn remove(&self, id: &TenantId, life: i64) -> Result<(), StoreError>;
    /// Whether it keeps the state of each tenant; the others know only active ones.
    fn is_managed(&self) -> bool {
        false
    }
    /// A number that changes with every change that any process makes.
    async fn revision(&self) -> Result<i64, StoreError>;
}

/// The tenants that `xcore.yaml` names, for an app without a database.
pub(crate) struct FixedStore {
    tenants: BTreeSet<TenantId>,
}

const FIXED: StoreError = StoreError::ReadOnly {
    kind: "the list in xcore.yaml",
    remedy: "add the tenant to `tenancy.ensure`, or configure `services.database`",
};

impl FixedStore {
    pub(crate) fn new(tenants: impl IntoIterator<Item = TenantId>) -> Self {
        Self { tenants: tenants.into_iter().collect() }
    }
}

#[async_trait]
impl DirectoryStore for FixedStore {
    async fn find(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
        Ok(self.tenants.get(id).copied().map(TenantRecord::active))
    }

    async fn list(&self) -> Result<Vec<TenantRecord>, StoreError> {
        Ok(self.tenants.iter().copied().map(TenantRecord::active).collect())
    }

    async fn insert(&self, _: &TenantId, _: &[Arc<str>]) -> Result<(), StoreError> {
        Err(FIXED)
    }

    async fn advance(&self, _: &TenantId, _: i64, _: State, _: State) -> Result<bool, StoreError> {
        Err(FIXED)
    }

    async fn set_version(&self, _: &TenantId, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove(&self, _: &TenantId, _: i64) -> Result<(), StoreError> {
        Err(FIXED)
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        Ok(0)
    }
}

/// `tenancy.directory: open`: whoever has data is a tenant.
pub(crate) struct OpenStore<E> {
    existence: Arc<E>,
}

/// Tells which tenants have data. The database service does.
#[async_trait]
pub(crate) trait Existence: Send + Sync + 'static {
    async fn has_data(&self, id: &TenantId) -> Result<bool, StoreError>;
    async fn all(&self) -> Result<Vec<TenantId>, StoreError>;
}

impl<E: Existence> OpenStore<E> {
    pub(crate) fn new(existence: Arc<E>) -> Self {
        Self { existence }
    }
}

#[async_trait]
impl<E: Existence> DirectoryStore for OpenStore<E> {
    async fn find(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
        let found = self.existence.has_data(id).await?;
        Ok(found.then(|| TenantRecord::active(*id)))
    }

    async fn list(&self) -> Result<Vec<TenantRecord>, StoreError> {
        let mut all = self.existence.all().await?;
        all.sort_unstable();
        Ok(all.into_iter().map(TenantRecord::active).collect())
    }

    async fn insert(&self, id: &TenantId, _: &[Arc<str>]) -> Result<(), StoreError> {
        if self.existence.has_data(id).await? { Err(StoreError::Exists { id: *id }) } else { Ok(()) }
    }

    async fn advance(&self, _: &TenantId, _: i64, _: State, _: State) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn set_version(&self, _: &TenantId, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove(&self, _: &TenantId, _: i64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        Ok(0)
    }
}
