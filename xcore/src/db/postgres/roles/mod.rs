//! Whose rights a tenant's statements have (`tenancy.db_role`).
//!
//! | | a tenant's session works as | stops |
//! |---|---|---|
//! | `shared` | the app's login | nothing: the search path alone keeps tenants apart |
//! | `set_role` | a role of the tenant that nobody can log in as | mistakes, and names of other schemas |
//! | `login` | a login of the tenant, from its first byte to its last | also SQL that asks for other rights |
//!
//! A role owns its tenant's schema and all that is in it. It reaches the shared tables as a member of a group, and nothing else.

mod handover;
mod login;
mod name;
mod password;
mod provision;

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor, PgConnection, Row};

pub(super) use login::findings;

use super::target::{Role, Target};
use crate::db::{DatabaseError, DbRole};
use crate::tenancy::TenantId;

/// The roles of one database.
pub(super) struct Roles {
    mode: DbRole,
    /// Roles belong to the whole server, so their names and marks tell of the database.
    database: String,
    /// What the tenants' passwords are made from; `Some` with [`DbRole::Login`].
    secret: Option<String>,
}

/// Without the secret.
impl std::fmt::Debug for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roles")
            .field("mode", &self.mode)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Roles {
    /// Makes what all tenants' roles need: their group, and the secret of their passwords.
    pub(super) async fn open(
        connection: &mut PgConnection,
        mode: DbRole,
    ) -> Result<Arc<Self>, DatabaseError> {
        let row = connection.fetch_one("SELECT pg_catalog.current_database()::text").await?;
        let mut roles = Self { mode, database: row.try_get_unchecked(0)?, secret: None };
        if mode != DbRole::Shared {
            // Nothing else is what a session returns to.
            let own = "SELECT pg_catalog.current_setting('role')";
            if connection.fetch_one(own).await?.try_get_unchecked::<String, _>(0)? != "none" {
                return Err(DatabaseError::BeginsAsRole);
            }
            roles.make_group(connection).await?;
        }
        if mode == DbRole::Login {
            roles.secret = Some(password::secret(connection).await?);
        }
        Ok(Arc::new(roles))
    }

    /// Whether tenants have roles.
    pub(super) fn are_used(&self) -> bool {
        self.mode != DbRole::Shared
    }

    /// The tenant whose login a session of this target must have; `None`: the app's own.
    pub(super) fn login_of(&self, target: Target) -> Option<TenantId> {
        match target {
            Target::Tenant(id) if self.mode == DbRole::Login => Some(id),
            _ => None,
        }
    }

    /// What a session of this target is opened with.
    pub(super) fn options<'a>(
        &self,
        options: &'a PgConnectOptions,
        target: Target,
    ) -> Cow<'a, PgConnectOptions> {
        let (Some(id), Some(secret)) = (self.login_of(target), &self.secret) else {
            return Cow::Borrowed(options);
        };
        let name = self.name(&id);
        let password = password::of(secret, &name);
        Cow::Owned(options.clone().username(&name).password(&password))
    }

    /// As whom a session that has the target's login works there.
    pub(super) fn role(&self, target: Target) -> Role {
        match (self.mode, target) {
            (DbRole::Shared, _) => Role::AsItIs,
            (DbRole::SetRole, Target::Tenant(id)) => Role::Tenant(self.name(&id)),
            (DbRole::Login, Target::Tenant(id)) => Role::Login(self.name(&id)),
            (_, _) => Role::None,
        }
    }
}
