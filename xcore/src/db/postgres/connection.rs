//! One session on the server, and which tenant it stands on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor, PgConnection, Row};

use sqlx::postgres::{PgConnectOptions, PgRow};

#[cfg(test)]
use super::look::LOOK;
use super::look::{HOLDS_TEMPORARY, Look};
use super::pool::Way;
use super::roles::Roles;
use super::target::{NOBODY, Role, Target};
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// For how long a session may serve its tenant before it asks again whether the schema is there. A schema that was
/// dropped or renamed by somebody else is noticed after this time at the latest (I5); removals of this process are
/// noticed at once.
const TRUSTED: Duration = Duration::from_secs(1);

/// A session.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) raw: PgConnection,
    /// The tenant that the session is known to stand on. `None` is *unknown*, and never serves (I1).
    stands: Option<Target>,
    checked: Instant,
    pub(super) retires: Instant,
    pub(super) used: Instant,
    /// As whom it was opened.
    who: Option<(String, String)>,
    /// Whose rights it has; `None` while all have the same.
    roles: Option<Arc<Roles>>,
    /// The tenant whose login it was opened with, for life; `None`: the app's own.
    pub(super) login: Option<TenantId>,
    /// A switch has found it changed by code that no statement shows, which is still to be counted.
    pub(super) found_changed: bool,
    /// Whether it is as it was opened or reset.
    #[cfg(test)]
    fresh: bool,
}

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

impl Connection {
    pub(super) async fn open(options: &PgConnectOptions, retires: Instant) -> Result<Self, sqlx::Error> {
        let raw = options.connect().await?;
        let now = Instant::now();
        Ok(Self {
            raw,
            // I4: opened with it.
            stands: Some(Target::Nobody),
            checked: now,
            retires,
            used: now,
            who: None,
            roles: None,
            login: None,
            found_changed: false,
            #[cfg(test)]
            fresh: true,
        })
    }

    /// Believes in a target, as nobody may behind a pooler.
    #[cfg(test)]
    pub(super) fn remember(&mut self, target: Target) {
        self.stands = Some(target);
    }

    /// A session that works with the rights of the targets that it serves, opened with this target's login.
    pub(super) async fn open_for(
        target: Target,
        roles: &Arc<Roles>,
        options: &PgConnectOptions,
        retires: Instant,
    ) -> Result<Self, sqlx::Error> {
        let opened = Self::open(&roles.options(options, target), retires).await?;
        let roles_used = roles.are_used().then(|| Arc::clone(roles));
        Ok(Self { roles: roles_used, login: roles.login_of(target), ..opened })
    }

    #[cfg(test)]
    pub(super) async fn open_wrongly(
        mutant: super::mutants::Mutant,
        target: Target,
        roles: &Arc<Roles>,
        options: &PgConnectOptions,
        retires: Instant,
    ) -> Result<Self, sqlx::Error> {
        if mutant != super::mutants::Mutant::ForgetsTheRole {
            return Self::open_for(target, roles, options, retires).await;
        }
        let opened = Self::open_for(Target::Nobody, roles, options, retires).await?;
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

    /// Whether the session may serve this target as it is.
    pub(super) fn stands_on(&self, target: Target) -> bool {
        self.stands == Some(target)
    }

    /// Whether the session may serve this target without a switch. Since its last one it was used by the same target only: by its
    /// statements on the path, which are followed by a reset when code that may alter the session can have run, and by its statements in
    /// full, which meet no such code. Others' statements in full never run where the path names a tenant. Code that nobody knew of
    /// (`user_code.rs`: a second) can have moved it even so; that is seen by the next switch.
    pub(super) fn is_trusted_on(&self, target: Target) -> bool {
        self.stands_on(target)
            && (!matches!(target, Target::Tenant(_) | Target::Copy(..)) || self.checked.elapsed() < TRUSTED)
    }

    /// Forgets where the session stands.
    pub(super) fn doubt(&mut self) {
        self.stands = None;
    }

    /// Whether a statement that names every table in full means the same here as on the target. A session that stands on nobody has the rights
    /// of the app's login, and a tenant with a role must not have them.
    pub(super) fn serves_in_full(&self, target: Target) -> bool {
        self.stands_on(target) || (self.roles.is_none() && self.stands_on(Target::Nobody))
    }

    /// The same, and it was found to be so a moment ago. User code that nobody knew of yet may have moved the session since; and a
    /// session that died is found before the statement is sent.
    pub(super) fn is_trusted_in_full(&self, target: Target) -> bool {
        self.serves_in_full(target) && self.checked.elapsed() < TRUSTED
    }

    /// Whether a statement that goes this way can run at once.
    pub(super) fn serves(&self, target: Target, way: Way) -> bool {
        match way {
            Way::Switched => self.stands_on(target),
            Way::InFull => self.serves_in_full(target),
            // Any: nothing is remembered, and it is better than a new one.
            Way::Unit => true,
        }
    }

    /// Moves the session to a target, and finds out whether its schema exists, in one round trip. A session that is not as it was left
    /// is reset before that, if it is looked at.
    pub(super) async fn switch(&mut self, target: Target, looks: bool) -> Result<(), DatabaseError> {
        // I1: unknown from before the switch is sent until its reply was read.
        let stood = self.stands.take();
        let role = self.role(target);
        let text = format!("{}{}", role.before_switch(), target.switch(&role));
        self.switch_by(text, target, looks.then_some(stood)).await
    }

    /// Moves the session to a target within a transaction. Whether it stays there is known with the end of that, see
    /// [`Connection::stays`].
    pub(super) async fn move_within(&mut self, target: Target) -> Result<(), DatabaseError> {
        let moved = self.switch(target, false).await;
        self.stands = None;
        moved
    }

    /// The transaction that moved the session here was committed.
    pub(super) fn stays(&mut self, target: Target) {
        self.stands = Some(target);
    }

    async fn switch_by(
        &mut self,
        text: String,
        target: Target,
        looks_for: Option<Option<Target>>,
    ) -> Result<(), DatabaseError> {
        let mut found = self.raw.fetch_optional(AssertSqlSafe(text.clone())).await?;
        if let (Some(row), Some(stood)) = (&found, looks_for)
            && !self.is_as_left(&Look::read(row)?, stood).await?
        {
            tracing::warn!("a session was changed by code that no statement shows, and is reset");
            self.found_changed = true;
            self.reset().await?;
            // As long as it is looked at it stands nowhere.
            self.stands = None;
            #[cfg(test)]
            {
                self.fresh = false;
            }
            found = self.raw.fetch_optional(AssertSqlSafe(text)).await?;
            if let Some(row) = &found
                && !self.is_as_left(&Look::read(row)?, Some(Target::Nobody)).await?
            {
                let error = "a session is not as new after a reset".to_owned();
                return Err(sqlx::Error::Protocol(error).into());
            }
        }
        match (found, target) {
            (Some(_), _) => {
                self.stands = Some(target);
                self.checked = Instant::now();
                Ok(())
            }
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

    /// A switch that breaks the rules.
    #[cfg(test)]
    pub(super) async fn switch_wrongly(
        &mut self,
        target: Target,
        looks: bool,
        mutant: super::mutants::Mutant,
    ) -> Result<(), DatabaseError> {
        use super::mutants::Mutant;
        let was_fresh = std::mem::replace(&mut self.fresh, false);
        match mutant {
            _ if was_fresh && mutant.forgets() => {
                self.stands = Some(target);
                self.checked = Instant::now();
                Ok(())
            }
            Mutant::BelievesBeforeTheReply => {
                let switched = self.switch(target, looks).await;
                self.stands = Some(target);
                self.checked = Instant::now();
                switched
            }
            Mutant::AsksForNoSchema => {
                self.stands = None;
                self.switch_by(
                    format!("SELECT {LOOK}, set_config('search_path', '{}', false)", target.path()),
                    target,
                    None,
                )
                .await
            }
            Mutant::ForgetsTheRole => {
                self.stands = None;
                self.switch_by(target.switch(&Role::AsItIs), target, None).await
            }
            _ => self.switch(target, looks).await,
        }
    }

    /// Waits until the server has answered everything that was sent.
    pub(super) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        self.raw.ping().await
    }

    pub(super) async fn control(&mut self, text: impl Into<String>) -> Result<(), sqlx::Error> {
        self.raw.execute(AssertSqlSafe(text.into())).await.map(drop)
    }

    /// Makes the session as good as new: no settings, temporary tables, locks, cursors, prepared statements or listening.
    /// It then stands nowhere (I4).
    pub(super) async fn reset(&mut self) -> Result<(), sqlx::Error> {
        self.stands = None;
        // The driver would go on using statements that the server has forgotten.
        self.raw.clear_cached_statements().await?;
        #[cfg(test)]
        {
            self.fresh = true;
        }
        self.control("DISCARD ALL").await?;
        self.stands = Some(Target::Nobody);
        Ok(())
    }

    /// Forgets the plans of this session.
    pub(super) async fn forget_plans(&mut self) -> Result<(), sqlx::Error> {
        self.raw.clear_cached_statements().await
    }

    /// Says good-bye to the server.
    pub(super) async fn close(self) {
        if let Err(error) = self.raw.close().await {
            tracing::debug!(%error, "a connection did not close in order");
        }
    }

    /// Goes without a word, because an operation is under way.
    pub(super) async fn abandon(self) {
        if let Err(error) = self.raw.close_hard().await {
            tracing::debug!(%error, "a connection did not close in order");
        }
    }
}
