//! A session of PostgreSQL, and how it is moved.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor, PgConnection, Row};

use super::look::{HOLDS_TEMPORARY, Look};
use super::roles::Roles;
use super::switch::{Kept, Switch, Switched};
use super::target::{NOBODY, Role, Target};
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// What every session begins with.
pub(super) fn prepare_options(options: PgConnectOptions, lock_timeout: Duration) -> PgConnectOptions {
    options
        .options([
            // I4: also what `DISCARD ALL` goes back to.
            ("search_path", NOBODY.to_owned()),
            ("lock_timeout", lock_timeout.as_millis().to_string()),
        ])
        // Texts times the tenants that a connection serves. With 512 a thousand tenants are half as fast (docs/performance.md).
        .statement_cache_capacity(2048)
        .disable_statement_logging()
}

/// A setting that servers before 14 do not have: a statement whose client has gone stops within this time.
pub(super) fn with_client_check(options: PgConnectOptions, version: Option<u32>) -> PgConnectOptions {
    if version.is_some_and(|version| version >= 140_000) {
        options.options([("client_connection_check_interval", "1000")])
    } else {
        options
    }
}

/// For those who serve: what changes a schema takes the time it takes. A setting of the start of a session is what `DISCARD
/// ALL` goes back to.
pub(super) fn with_statement_timeout(options: PgConnectOptions, limit: Option<Duration>) -> PgConnectOptions {
    match limit {
        // 0 would be no limit.
        Some(limit) => options.options([("statement_timeout", limit.as_millis().max(1).to_string())]),
        None => options,
    }
}

/// For a replica: what it would refuse anyway is refused for its own reason.
pub(super) fn with_reads_only(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("default_transaction_read_only", "on")])
}

/// A session. Its search path names the schema of the target, and with roles it has the rights of that schema's owner.
#[derive(Debug)]
pub(super) struct PgSession {
    raw: PgConnection,
    /// As whom it was opened.
    who: Option<(String, String)>,
    /// Whose rights it has; `None` while all have the same.
    roles: Option<Arc<Roles>>,
    /// The tenant whose login it was opened with, for life; `None`: the app's own.
    pub(super) login: Option<TenantId>,
}

impl PgSession {
    pub(super) async fn open(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        Ok(Self { raw: options.connect().await?, who: None, roles: None, login: None })
    }

    /// A session that works with the rights of the targets that it serves, opened with this target's login.
    pub(super) async fn open_for(
        target: Target,
        roles: &Arc<Roles>,
        options: &PgConnectOptions,
    ) -> Result<Self, sqlx::Error> {
        let opened = Self::open(&roles.options(options, target)).await?;
        let roles_used = roles.are_used().then(|| Arc::clone(roles));
        Ok(Self { roles: roles_used, login: roles.login_of(target), ..opened })
    }

    #[cfg(test)]
    pub(super) async fn open_wrongly(
        mutant: super::mutants::Mutant,
        target: Target,
        roles: &Arc<Roles>,
        options: &PgConnectOptions,
    ) -> Result<Self, sqlx::Error> {
        if mutant != super::mutants::Mutant::ForgetsTheRole {
            return Self::open_for(target, roles, options).await;
        }
        let opened = Self::open_for(Target::Nobody, roles, options).await?;
        Ok(Self { login: roles.login_of(target), ..opened })
    }

    /// Whose rights it must have on a target.
    pub(super) fn role(&self, target: Target) -> Role {
        self.roles.as_ref().map_or(Role::AsItIs, |roles| roles.role(target))
    }

    /// Refuses a pooler that shares sessions: behind it a session would not stay on its tenant (I1).
    pub(super) async fn refuse_pooler(&mut self, other: &mut Self) -> Result<(), DatabaseError> {
        let text = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('search_path')";
        let (one, other) = (self.raw.fetch_one(text).await?, other.raw.fetch_one(text).await?);
        let backend = |row: &PgRow| row.try_get_unchecked::<i32, _>(0);
        if backend(&one)? == backend(&other)? {
            return Err(DatabaseError::Pooler { sign: "two connections are one session" });
        }
        // I4 rests on it.
        if one.try_get_unchecked::<String, _>(1)? != NOBODY {
            return Err(DatabaseError::Pooler { sign: "the options of a connection are not passed on" });
        }
        Ok(())
    }

    /// The same with another text, and whether the session was reset.
    pub(super) async fn switch_by(
        &mut self,
        text: String,
        target: Target,
        left: Option<Option<Target>>,
    ) -> Result<Switched, DatabaseError> {
        let mut was_changed = false;
        let mut found = self.raw.fetch_optional(AssertSqlSafe(text.clone())).await?;
        if let (Some(row), Some(stood)) = (&found, left)
            && !self.is_as_left(&Look::read(row)?, stood).await?
        {
            tracing::warn!("a session was changed by code that no statement shows, and is reset");
            was_changed = true;
            self.reset().await?;
            found = self.raw.fetch_optional(AssertSqlSafe(text)).await?;
            if let Some(row) = &found
                && !self.is_as_left(&Look::read(row)?, Some(Target::Nobody)).await?
            {
                let error = "a session is not as new after a reset".to_owned();
                return Err(sqlx::Error::Protocol(error).into());
            }
        }
        match (found, target) {
            (Some(_), _) => Ok(Switched { was_changed }),
            (None, Target::Tenant(tenant)) if self.roles.is_some() && self.has_schema(&tenant).await? => {
                Err(DatabaseError::NoRole { tenant })
            }
            (None, Target::Tenant(tenant) | Target::Copy(tenant, _)) => {
                Err(DatabaseError::Missing { tenant })
            }
            (None, _) => Err(DatabaseError::OddShared { problem: "its schema is missing" }),
        }
    }

    /// Whether a session was left as those who used it were seen to leave it.
    async fn is_as_left(&mut self, look: &Look, stood: Option<Target>) -> Result<bool, sqlx::Error> {
        // The first look is at a session that nobody has used.
        let who = self.who.get_or_insert_with(|| look.who.clone());
        // With roles each target has its own.
        let role = match (&self.roles, stood) {
            (None, _) => Some(who.0.clone()),
            (Some(roles), Some(target)) => Some(roles.role(target).setting().to_owned()),
            (Some(_), None) => None,
        };
        if who.1 != look.who.1
            || role.is_some_and(|role| role != look.who.0)
            || stood.is_some_and(|target| target.path() != look.path)
        {
            return Ok(false);
        }
        if !look.temporary {
            return Ok(true);
        }
        let holds = self.raw.fetch_one(HOLDS_TEMPORARY).await?;
        Ok(!holds.try_get_unchecked::<bool, _>(0)?)
    }

    /// Whether there is a schema of the tenant's name, whoever owns it.
    pub(super) async fn has_schema(&mut self, tenant: &TenantId) -> Result<bool, sqlx::Error> {
        let text = format!("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = '{tenant}'");
        Ok(self.raw.fetch_optional(AssertSqlSafe(text)).await?.is_some())
    }
}

impl Switch for PgSession {
    type Raw = PgConnection;

    fn raw(&mut self) -> &mut PgConnection {
        &mut self.raw
    }

    /// In one round trip.
    async fn switch(
        &mut self,
        target: Target,
        left: Option<Option<Target>>,
    ) -> Result<Switched, DatabaseError> {
        let role = self.role(target);
        let text = format!("{}{}", role.before_switch(), target.switch(&role));
        self.switch_by(text, target, left).await
    }

    /// A plan is made for the path that it was prepared on, is made anew on another one, and fails where its columns have other types
    /// there: so each target has its own.
    fn kept(target: Target) -> Kept {
        Kept::For(target)
    }

    fn has_one_role(&self) -> bool {
        self.roles.is_none()
    }

    async fn reset(&mut self) -> Result<(), sqlx::Error> {
        // The driver would go on using statements that the server has forgotten.
        self.raw.clear_cached_statements().await?;
        // The settings of the connection's start come back with it, and with them a path that names nobody.
        self.control("DISCARD ALL".to_owned()).await
    }

    async fn settle(&mut self) -> Result<(), sqlx::Error> {
        self.raw.ping().await
    }

    async fn control(&mut self, text: String) -> Result<(), sqlx::Error> {
        self.raw.execute(AssertSqlSafe(text)).await.map(drop)
    }

    async fn forget_plans(&mut self) -> Result<(), sqlx::Error> {
        self.raw.clear_cached_statements().await
    }

    async fn close(self) {
        if let Err(error) = self.raw.close().await {
            tracing::debug!(%error, "a connection did not close in order");
        }
    }

    async fn abandon(self) {
        if let Err(error) = self.raw.close_hard().await {
            tracing::debug!(%error, "a connection did not close in order");
        }
    }
}
