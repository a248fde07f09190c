//! Where the directory keeps what it knows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};

use super::{DataVersion, Profile, ProfileError, State, TenantId};

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
    /// Why it is suspended or failed.
    pub reason: Option<String>,
    /// The name that one which is renaming gets; whose name one that is reserved will be.
    pub other_name: Option<TenantId>,
    /// Until when it can be restored, if it is soft-deleted. Then its data is dropped.
    pub delete_after: Option<DateTime<Utc>>,
    /// What an operator has noted of it.
    pub profile: Profile,
    /// When it was created, came into its state and was changed last. `None` where the directory keeps no times.
    pub times: Option<Times>,
}

/// When things happened to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Its creation began.
    pub created: DateTime<Utc>,
    /// It came into its state.
    pub since: DateTime<Utc>,
    /// Anything of it was changed.
    pub updated: DateTime<Utc>,
}

impl TenantRecord {
    /// A tenant whose data is not versioned by the directory.
    pub(crate) fn active(id: TenantId) -> Self {
        Self {
            id,
            state: State::Active,
            version: None,
            life: 0,
            server: None,
            reason: None,
            other_name: None,
            delete_after: None,
            profile: Profile::default(),
            times: None,
        }
    }

    /// Whether the time in which it could be restored is over.
    pub(crate) fn is_overdue(&self) -> bool {
        self.left_to_restore().is_some_and(|left| left.is_zero())
    }

    /// How long it can still be restored: zero when its time is over. `None` when it is not soft-deleted.
    pub(crate) fn left_to_restore(&self) -> Option<Duration> {
        if self.state != State::SoftDeleted {
            return None;
        }
        // Without a time nobody has said how long it is kept: it waits for a `tenant purge`.
        let until = self.delete_after?;
        Some((until - Utc::now()).to_std().unwrap_or_default())
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
    /// The name belongs to a tenant that can still be restored.
    #[error(
        "tenant `{id}` was deleted and keeps its name{}; `tenant restore {id}` brings it back, `tenant purge {id}` drops it for good now",
        until(*delete_after)
    )]
    SoftDeleted {
        /// Its name.
        id: TenantId,
        /// Until when.
        delete_after: Option<DateTime<Utc>>,
    },
    /// Only what was deleted, and not dropped since, can be restored.
    #[error("tenant `{id}` is {state}, so there is nothing to restore; `tenant show {id}` tells more")]
    NotSoftDeleted {
        /// Its name.
        id: TenantId,
        /// Its state.
        state: State,
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
    /// The directory keeps nothing of a tenant but that it is there.
    #[error("the directory is {kind}, which keeps no states, plans or settings of tenants; {remedy}")]
    Stateless {
        /// What kind of directory it is.
        kind: &'static str,
        /// How to get one that does.
        remedy: &'static str,
    },
    /// A tenant in this state cannot come into that one.
    #[error("tenant `{id}` is {from}{}; `tenant show {id}` tells more", illegal(*from, *to))]
    Illegal {
        /// Its name.
        id: TenantId,
        /// Its state.
        from: State,
        /// The state that was asked for.
        to: State,
    },
    /// What was to be noted of the tenant cannot be.
    #[error("tenant `{id}` is left as it was")]
    Profile {
        /// Its name.
        id: TenantId,
        /// Why.
        #[source]
        source: ProfileError,
    },
    /// The store took too long.
    #[error("the directory did not answer within {limit:?}")]
    Slow {
        /// How long it was waited for.
        limit: Duration,
    },
    /// The store could not be asked a moment ago.
    #[error(
        "the directory's database cannot be reached; it is tried twice a second, and as soon as it answers all is as before"
    )]
    Away,
    /// The database failed.
    #[error("the directory's table cannot be read or written")]
    Database {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn until(time: Option<DateTime<Utc>>) -> String {
    time.map(|time| format!(" until {}", time.to_rfc3339_opts(SecondsFormat::Secs, true))).unwrap_or_default()
}

fn illegal(from: State, to: State) -> String {
    if from == to { " already".to_owned() } else { format!(", and from there it cannot become {to}") }
}

/// Changes a profile, or says why it cannot be changed so.
pub type Change<'a> = dyn Fn(&mut Profile) -> Result<(), ProfileError> + Send + Sync + 'a;

/// Keeps the tenants. One implementation a kind of directory.
#[async_trait]
pub trait DirectoryStore: Send + Sync + 'static {
    /// One tenant.
    async fn find(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError>;
    /// One tenant that clients may learn of: active, suspended or renaming. Any other one is to the store, too, as if it were not there, so
    /// that the time that the answer takes does not tell them apart.
    async fn find_routable(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
        Ok(self.find(id).await?.filter(|record| record.state.is_told()))
    }
    /// All tenants, sorted by name.
    async fn list(&self) -> Result<Vec<TenantRecord>, StoreError>;
    /// Adds a tenant in state provisioning, on that of the `servers` that has the least tenants; the first of them when several have
    /// the least. Of two that race for one name, one gets [`StoreError::Exists`]; the name of one that can be restored is taken as well,
    /// with [`StoreError::SoftDeleted`].
    async fn insert(&self, id: &TenantId, servers: &[Arc<str>]) -> Result<(), StoreError>;
    /// As [`DirectoryStore::insert`], in state importing. Only where states are kept.
    async fn insert_importing(&self, _: &TenantId, _: &[Arc<str>]) -> Result<(), StoreError> {
        Err(NOT_MANAGED)
    }
    /// Moves a tenant in this life of it from one state to another; `false` when it was not in `from`, or in another life.
    /// The reason is that of the new state. A soft deletion and its end are no such moves.
    async fn advance_because(
        &self,
        id: &TenantId,
        life: i64,
        from: State,
        to: State,
        reason: Option<&str>,
    ) -> Result<bool, StoreError>;
    /// As [`DirectoryStore::advance_because`], to a state that needs no reason.
    async fn advance(&self, id: &TenantId, life: i64, from: State, to: State) -> Result<bool, StoreError> {
        self.advance_because(id, life, from, to, None).await
    }
    /// Moves a tenant in this life of it from `from` to soft-deleted, notes until when it can be restored, and keeps what it was;
    /// `false` as above.
    async fn soft_delete(
        &self,
        id: &TenantId,
        life: i64,
        from: State,
        delete_after: DateTime<Utc>,
    ) -> Result<bool, StoreError>;
    /// Moves a soft-deleted tenant in this life of it back to what it was, with the reason that it had; `None` when it was not
    /// soft-deleted, or in another life.
    async fn restore(&self, id: &TenantId, life: i64) -> Result<Option<State>, StoreError>;
    /// Moves a soft-deleted tenant in this life of it to deleting, if its time is over at `now`; `false` when it is not, or was
    /// restored.
    async fn end_soft_deletion(
        &self,
        id: &TenantId,
        life: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;
    /// Changes what is noted of a tenant. Of changes at once, none is lost. Of one that is refused, nothing is kept.
    async fn change(&self, id: &TenantId, change: &Change<'_>) -> Result<(), StoreError>;
    /// Notes that a tenant's data has all of these migrations, and, before that, which they are. `is_served`: other processes may serve
    /// the tenant, so they are told. Only a directory that keeps states notes anything.
    async fn set_version(
        &self,
        _id: &TenantId,
        _version: &DataVersion,
        _is_served: bool,
    ) -> Result<(), StoreError> {
        Ok(())
    }
    /// The migrations that stand behind what is noted of a tenant, as `plugin: name`; `None` when no program has written them.
    async fn migrations_of(&self, _version: &str) -> Result<Option<BTreeSet<String>>, StoreError> {
        Ok(None)
    }
    /// Forgets a tenant that is being deleted, in this life of it only.
    async fn remove(&self, id: &TenantId, life: i64) -> Result<(), StoreError>;
    /// Begins to give a tenant another name: it is renaming, and a row of the new name is reserved for it, both or neither. Of two that
    /// race for a name, one gets [`StoreError::Exists`]. Does nothing when the same was begun before.
    async fn begin_renaming(&self, _id: &TenantId, _to: &TenantId) -> Result<(), StoreError> {
        Err(NOT_MANAGED)
    }
    /// Ends it, in this life of the tenant only; `false` when that was done. With `is_renamed` the row of the new name has all that is
    /// noted of the tenant from then on, with its domains and keys, and is in the state that the tenant was in; the other row is gone.
    /// Otherwise it is as if it had not been begun.
    async fn end_renaming(&self, _id: &TenantId, _life: i64, _is_renamed: bool) -> Result<bool, StoreError> {
        Err(NOT_MANAGED)
    }
    /// Whether it keeps the state of each tenant; the others know only active ones.
    fn is_managed(&self) -> bool {
        false
    }
    /// A number that changes with every change that any process makes.
    async fn revision(&self) -> Result<i64, StoreError>;
}

/// Half a tenant must not be taken for a whole one.
const NOT_MANAGED: StoreError = StoreError::Stateless {
    kind: "not managed",
    remedy: "use `tenancy.directory: managed` with `services.database`",
};

/// The tenants that `xcore.yaml` names, for an app without a database.
pub(crate) struct FixedStore {
    tenants: BTreeSet<TenantId>,
}

const FIXED: StoreError = StoreError::ReadOnly {
    kind: "the list in xcore.yaml",
    remedy: "add the tenant to `tenancy.ensure`, or configure `services.database`",
};

const FIXED_STATES: StoreError =
    StoreError::Stateless { kind: "the list in xcore.yaml", remedy: "configure `services.database`" };

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

    async fn advance_because(
        &self,
        _: &TenantId,
        _: i64,
        _: State,
        to: State,
        _: Option<&str>,
    ) -> Result<bool, StoreError> {
        Err(if to == State::Suspended { FIXED_STATES } else { FIXED })
    }

    async fn change(&self, _: &TenantId, _: &Change<'_>) -> Result<(), StoreError> {
        Err(FIXED_STATES)
    }

    async fn soft_delete(
        &self,
        _: &TenantId,
        _: i64,
        _: State,
        _: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Err(FIXED_STATES)
    }

    async fn restore(&self, _: &TenantId, _: i64) -> Result<Option<State>, StoreError> {
        Err(FIXED_STATES)
    }

    async fn end_soft_deletion(&self, _: &TenantId, _: i64, _: DateTime<Utc>) -> Result<bool, StoreError> {
        Err(FIXED_STATES)
    }

    async fn remove(&self, _: &TenantId, _: i64) -> Result<(), StoreError> {
        Err(FIXED)
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        Ok(0)
    }
}

const OPEN: StoreError = StoreError::Stateless { kind: "open", remedy: "use `tenancy.directory: managed`" };

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

    async fn advance_because(
        &self,
        _: &TenantId,
        _: i64,
        _: State,
        to: State,
        _: Option<&str>,
    ) -> Result<bool, StoreError> {
        if to == State::Suspended { Err(OPEN) } else { Ok(true) }
    }

    async fn change(&self, _: &TenantId, _: &Change<'_>) -> Result<(), StoreError> {
        Err(OPEN)
    }

    async fn soft_delete(
        &self,
        _: &TenantId,
        _: i64,
        _: State,
        _: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Err(OPEN)
    }

    async fn restore(&self, _: &TenantId, _: i64) -> Result<Option<State>, StoreError> {
        Err(OPEN)
    }

    async fn end_soft_deletion(&self, _: &TenantId, _: i64, _: DateTime<Utc>) -> Result<bool, StoreError> {
        Err(OPEN)
    }

    async fn remove(&self, _: &TenantId, _: i64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        Ok(0)
    }
}
