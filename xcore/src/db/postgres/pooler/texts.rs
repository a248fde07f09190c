//! What is sent at the beginning and the end of a unit of work.
//!
//! Each is one message, and so one round trip. A pooler gives a session away only when a whole message was answered and no
//! transaction is open then.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::TransactionOptions;

use super::super::roles::Roles;
use super::super::session::begin_text;
use super::super::target::{Role, Target};

/// Everything that `DISCARD ALL` does to what a later transaction can see, in the parts that are allowed inside of one. In a
/// transaction that is rolled back it is undone, except what no rollback brings back.
const CLEAN: &str = "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; DEALLOCATE ALL; UNLISTEN *; \
     SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

/// What a failed commit would leave behind, because it is no part of the transaction. Deferred triggers run before, while the
/// path stands: nothing of the user's runs in the commit itself.
const CLEAN_BEFORE_COMMIT: &str = "SET CONSTRAINTS ALL IMMEDIATE; DEALLOCATE ALL; \
     SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD SEQUENCES";

/// The column that says where a unit stands.
pub(super) const STANDS: &str = "xcore_stands";

/// The texts, with the limits that each transaction sets for itself.
#[derive(Debug)]
pub(super) struct Texts {
    /// Settings by name and value, beside the path.
    settings: String,
    roles: Arc<Roles>,
}

impl Texts {
    pub(super) fn new(
        lock_timeout: Duration,
        statement_timeout: Option<Duration>,
        version: Option<u32>,
        roles: Arc<Roles>,
    ) -> Self {
        let mut settings = vec![
            ("lock_timeout", lock_timeout.as_millis().to_string()),
            // The reading of a text must not depend on what was set before, see `text.rs`.
            ("standard_conforming_strings", "on".to_owned()),
            // What the driver asks for when it opens a session, and `RESET ALL` takes back.
            ("client_encoding", "UTF8".to_owned()),
            ("DateStyle", "ISO, MDY".to_owned()),
            ("TimeZone", "UTC".to_owned()),
        ];
        if let Some(limit) = statement_timeout {
            // 0 would be no limit.
            settings.push(("statement_timeout", limit.as_millis().max(1).to_string()));
        }
        if version.is_some_and(|version| version >= 140_000) {
            settings.push(("client_connection_check_interval", "1000".to_owned()));
        }
        let settings = settings
            .iter()
            .map(|(name, value)| format!(", pg_catalog.set_config('{name}', '{value}', true)"));
        Self { settings: settings.collect(), roles }
    }

    /// The path and the limits, for this transaction alone. Everything that says on whose behalf it works belongs here.
    fn place(&self, target: Target) -> String {
        self.place_as(target, &self.roles.role(target))
    }

    fn place_as(&self, target: Target, role: &Role) -> String {
        let (path, role, settings) = (target.path(), role.set(true), &self.settings);
        format!("SELECT pg_catalog.set_config('search_path', '{path}', true) AS {STANDS}{role}{settings}")
    }

    /// Opens a transaction in a session as good as new, and puts it in place. It gives a row with [`STANDS`] when the schema
    /// exists (I5), and is the role's.
    pub(super) fn begin(&self, target: Target, options: &TransactionOptions) -> String {
        self.begin_as(target, &self.roles.role(target), options)
    }

    /// Whether a schema can be there and not be the tenant's.
    pub(super) fn have_roles(&self) -> bool {
        self.roles.are_used()
    }

    fn begin_as(&self, target: Target, role: &Role, options: &TransactionOptions) -> String {
        let (begin, place) = (begin_text(options), self.place_as(target, role));
        // No name is looked up by a path that somebody may have left.
        let exists = format!(
            "FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) '{}'{}",
            target.schema(),
            role.owns()
        );
        format!("{begin}; {CLEAN}; {place} {exists}")
    }

    /// Finds out that the transaction is still open after SQL that may have changed the session, and puts it in place again.
    pub(super) fn again(&self, target: Target) -> String {
        // A savepoint is refused outside of a transaction.
        format!("SAVEPOINT xcore_open; RELEASE xcore_open; {}", self.place(target))
    }

    /// Keeps what was done. `COMMIT` of a transaction that has failed is answered without an error though nothing is committed;
    /// a savepoint is refused then, and the rest is not run.
    pub(super) fn commit(&self, target: Target, tainted: bool) -> String {
        if !tainted {
            return "SAVEPOINT xcore_end; COMMIT".to_owned();
        }
        // Behind the commit and in the same message, so that nobody gets the session before. In a transaction of its own: where
        // that fails it stays open, and then the session is closed.
        let place = self.place(target);
        format!("{place}; {CLEAN_BEFORE_COMMIT}; SAVEPOINT xcore_end; COMMIT; BEGIN; {CLEAN}; COMMIT")
    }

    /// Undoes what was done.
    pub(super) fn rollback(tainted: bool) -> String {
        if tainted { format!("ROLLBACK; BEGIN; {CLEAN}; COMMIT") } else { "ROLLBACK".to_owned() }
    }

    /// The texts of rules that are broken on purpose.
    #[cfg(test)]
    pub(super) fn begin_wrongly(
        &self,
        target: Target,
        options: &TransactionOptions,
        mutant: super::super::mutants::Mutant,
        stands_already: bool,
    ) -> String {
        use super::super::mutants::Mutant;
        let text = self.begin(target, options);
        match mutant {
            Mutant::RemembersBehindAPooler if stands_already => begin_text(options),
            Mutant::RemembersBehindAPooler => {
                text.replace(&format!("{CLEAN}; "), "").replace(", true)", ", false)")
            }
            Mutant::TrustsAllSql => text.replace(&format!("{CLEAN}; "), ""),
            Mutant::AsksForNoSchema => text.split(" FROM pg_catalog.pg_namespace").next().unwrap().to_owned(),
            Mutant::ForgetsTheRole => self.begin_as(target, &Role::AsItIs, options),
            _ => text,
        }
    }
}
