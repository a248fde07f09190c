//! A session on loan, and what happens to it afterwards.
//!
//! I2 is kept here: a session goes back only when its last operation ran to its end and no transaction is open. Otherwise
//! it is reset first, or closed when its state is not known. So is I3: a session that ran SQL which may have changed it
//! is reset in full. Whoever waits for it gets it after that.

use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use sea_orm::DbErr;
use sqlx::PgConnection;
use tokio::time::timeout;

use super::cleaning::{Cleaning, PATIENCE};
use super::connection::Connection;
use super::plain::Plain;
use super::pool::{Held, Way};
use super::run;
use super::stats::{Stats, add};
use super::target::{Role, Target};
use super::text::Verdict;
use super::user_code::Definition;
use crate::db::DatabaseError;
use crate::tenancy::TenantId;

/// Why a transaction is not told what its session did last.
const REMEMBERS: &str = "lastval() and currval() in a transaction would tell of whoever used the connection before; use INSERT .. \
     RETURNING, or begin the transaction on a session()";

/// A session on loan.
pub(super) struct Lease {
    held: Option<Held>,
    connection: Option<Connection>,
    target: Target,
    running: Option<Running>,
    pub(super) in_transaction: bool,
    /// The session may have been changed by SQL (I3).
    tainted: bool,
    /// Nothing was done in the session before this loan.
    fresh: bool,
    /// The search path may be another one within the open transaction.
    displaced: bool,
    moved: Moved,
    /// The open transaction is known to be open and to have no failed statement in it: all of them were sent in full, so they cannot end it,
    /// and all came to a good end.
    sound: bool,
    /// Something may have been defined that changes what statements mean.
    defines: bool,
    definition: Option<Definition>,
    /// Statements have gone by the path, where code of users may be met that no text shows.
    by_path: bool,
    broken: bool,
}

/// What the operation that is under way may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Reads,
    Writes,
}

/// Whether the open transaction has moved the session to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    No,
    Yes,
    /// It did so behind a savepoint that was undone, perhaps.
    Undone,
}

impl Lease {
    pub(super) fn new(held: Held, connection: Connection, target: Target) -> Self {
        Self {
            held: Some(held),
            connection: Some(connection),
            target,
            running: None,
            in_transaction: false,
            tainted: false,
            fresh: false,
            displaced: false,
            moved: Moved::No,
            sound: false,
            defines: false,
            definition: None,
            by_path: false,
            broken: false,
        }
    }

    pub(super) fn target(&self) -> Target {
        self.target
    }

    /// Takes another session in the place of a dead one.
    pub(super) fn replace(&mut self, connection: Connection) {
        self.connection = Some(connection);
        self.running = None;
        self.broken = false;
    }

    /// The same before anything of a transaction was done.
    pub(super) async fn renew(&mut self) -> Result<(), DatabaseError> {
        let Some(held) = &self.held else { return Err(DatabaseError::Closed) };
        let deadline = Instant::now() + held.pool.limits.acquire_timeout;
        let connection = held.pool.connect(deadline, self.target).await?;
        self.replace(connection);
        self.in_transaction = false;
        Ok(())
    }

    fn connection(&mut self) -> Result<&mut Connection, DatabaseError> {
        // There is one from `new` until `drop`.
        self.connection.as_mut().ok_or(DatabaseError::Closed)
    }

    fn count(&self, which: impl FnOnce(&Stats) -> &AtomicUsize) {
        if let Some(held) = &self.held {
            add(which(&held.pool.stats));
        }
    }

    /// A switch may have found the session changed, and reset it.
    fn count_change(&mut self) {
        let found = self.connection.as_mut().map(|connection| &mut connection.found_changed);
        if found.is_some_and(std::mem::take) {
            self.count(|stats| &stats.changed);
            self.count(|stats| &stats.resets);
        }
    }

    /// Makes sure that the session stands on the target.
    pub(super) async fn stand(&mut self) -> Result<(), DatabaseError> {
        let target = self.target;
        if self.connection()?.is_trusted_on(target) {
            return Ok(());
        }
        let looks = self.looks();
        self.running = Some(Running::Reads);
        self.count(|stats| &stats.switches);
        #[cfg(test)]
        let switched = {
            let mutant = self.held.as_ref().map(|held| held.pool.mutant.current());
            let mutant = mutant.unwrap_or(super::mutants::Mutant::None);
            self.connection()?.switch_wrongly(target, looks, mutant).await
        };
        #[cfg(not(test))]
        let switched = self.connection()?.switch(target, looks).await;
        self.running = None;
        self.count_change();
        if let Err(DatabaseError::Engine { source }) = &switched
            && run::is_broken(source)
        {
            self.break_off();
        }
        switched
    }

    /// Whether a switch looks at what earlier users left in the session. What this one did in it is its own, and is reset in the end.
    fn looks(&self) -> bool {
        #[cfg(test)]
        if self.held.as_ref().is_some_and(|held| held.pool.mutant.current().is_blind()) {
            return false;
        }
        !(self.tainted || self.fresh)
    }

    pub(super) async fn stand_as(&mut self, way: Way) -> Result<(), DatabaseError> {
        match way {
            Way::Switched | Way::Unit => self.stand().await,
            Way::InFull => self.stand_apart().await,
        }
    }

    /// Moves the session to the target although it may stand there: something was not found, so the schema may be gone (I5).
    pub(super) async fn stand_anew(&mut self) -> Result<(), DatabaseError> {
        self.connection()?.doubt();
        self.stand().await
    }

    /// Makes sure that a statement which names its tables in full may run: on the target, or where the path names nobody. Never on
    /// the path of another tenant, where a trigger or default could reach it. With roles always on the target, whose role it needs.
    pub(super) async fn stand_apart(&mut self) -> Result<(), DatabaseError> {
        let target = self.target;
        if self.connection()?.session.role(target) != Role::AsItIs {
            return self.stand().await;
        }
        #[cfg(test)]
        if self
            .held
            .as_ref()
            .is_some_and(|held| held.pool.mutant.is(super::mutants::Mutant::SendsInFullAnywhere))
        {
            return Ok(());
        }
        // On the path of the tenant `cake.price` may be the call of a function.
        let hides = self.may_alter();
        let connection = self.connection()?;
        if connection.is_trusted_in_full(target) && (!hides || connection.stands_on(Target::Nobody)) {
            return Ok(());
        }
        let looks = self.looks();
        self.count(|stats| &stats.switches);
        self.running = Some(Running::Reads);
        let switched = self.connection()?.switch(Target::Nobody, looks).await;
        self.running = None;
        self.count_change();
        if let Err(DatabaseError::Engine { source }) = &switched
            && run::is_broken(source)
        {
            self.break_off();
        }
        switched
    }

    /// Whether the schema is gone: asked when a table was not found.
    pub(super) async fn is_missing(&mut self) -> bool {
        match &mut self.connection {
            Some(connection) => connection.doubt(),
            None => return false,
        }
        matches!(self.stand().await, Err(DatabaseError::Missing { .. }))
    }

    /// Marks an operation as under way and gives the session to run it on. Until [`Lease::finish`] is called, dropping
    /// the lease means that it was cut short.
    pub(super) async fn start(&mut self, verdict: Verdict) -> Result<&mut PgConnection, DbErr> {
        self.settle().await?;
        if self.displaced {
            self.put_in_place().await?;
        }
        if verdict.fresh && !self.fresh {
            if self.in_transaction {
                // It cannot be reset here, and would tell what an earlier user of it did, of whatever tenant.
                return Err(DatabaseError::Refused { reason: REMEMBERS }.into());
            }
            self.reset().await?;
        }
        let verdict = self.with_what_is_hidden(verdict)?;
        // The others are the framework's own questions.
        if self.target != Target::Nobody {
            self.count(|stats| if verdict.in_full { &stats.in_full } else { &stats.by_path });
        }
        self.running = Some(if verdict.writes { Running::Writes } else { Running::Reads });
        self.sound &= verdict.in_full;
        self.tainted |= verdict.session;
        self.defines |= verdict.defines;
        self.displaced = self.in_transaction && verdict.session;
        if verdict.defines && self.definition.is_none() {
            let target = self.target;
            self.definition = self.held.as_ref().map(|held| held.pool.code.define(target));
        }
        #[cfg(test)]
        let verdict = Verdict { session: verdict.session && !self.trusts_all_sql(), ..verdict };
        if verdict.session {
            // I1: it may be moved by this.
            self.connection()?.doubt();
        }
        Ok(self.connection()?.raw())
    }

    /// What the text does not show: code of users, which the path finds. Where it names nobody there is none, as statements in full are
    /// for plain schemas only.
    fn with_what_is_hidden(&mut self, verdict: Verdict) -> Result<Verdict, DatabaseError> {
        if self.connection()?.stands_on(Target::Nobody) {
            return Ok(verdict);
        }
        self.by_path = true;
        Ok(Verdict { session: verdict.session || self.may_alter(), ..verdict })
    }

    fn may_alter(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.pool.may_alter(self.target))
    }

    #[cfg(test)]
    fn believes_in_each_commit(&self) -> bool {
        let believes = |held: &Held| held.pool.mutant.is(super::mutants::Mutant::BelievesInEachCommit);
        self.held.as_ref().is_some_and(believes)
    }

    #[cfg(test)]
    fn trusts_all_sql(&self) -> bool {
        let trusts = |held: &Held| held.pool.mutant.is(super::mutants::Mutant::TrustsAllSql);
        self.held.as_ref().is_some_and(trusts)
    }

    /// Makes the session one in which nothing was done.
    pub(super) async fn reset(&mut self) -> Result<(), DbErr> {
        self.count(|stats| &stats.resets);
        self.running = Some(Running::Writes);
        self.connection()?.reset().await.map_err(run::exec_error)?;
        self.running = None;
        self.stand().await?;
        Ok(())
    }

    /// Keeps a session for several users of it, and makes it one in which nothing was done before.
    pub(super) async fn pin(&mut self) -> Result<(), DbErr> {
        self.reset().await?;
        self.fresh = true;
        Ok(())
    }

    /// Before a statement that is by itself in a pinned session: the one before may have moved it (I1), and the schema may
    /// be gone since (I5).
    pub(super) async fn stand_again(&mut self) -> Result<(), DbErr> {
        self.settle().await?;
        self.stand().await?;
        Ok(())
    }

    /// Makes sure that a transaction is not begun, after a begin that was cut short.
    pub(super) async fn undo_begin(&mut self) -> Result<(), DbErr> {
        // Nothing else was done in it, so that it does no more harm than a read.
        self.running = Some(Running::Reads);
        self.connection()?.doubt();
        self.settle().await?;
        // Without a transaction this is a warning.
        self.control("ROLLBACK").await?;
        self.end_transaction();
        Ok(())
    }

    /// Sends the begin of a transaction.
    pub(super) async fn begin(&mut self, text: &str) -> Result<(), DbErr> {
        // From before it is sent: a begin that is cut short is rolled back (I2).
        self.in_transaction = true;
        self.sound = false;
        self.control(text).await?;
        self.sound = true;
        Ok(())
    }

    /// The end that keeps what was done. `COMMIT` of a transaction that has failed, or was ended by raw SQL, is answered without an error
    /// though nothing is committed. A savepoint is refused in both cases, and then the rest is not run; it costs the server as much as a
    /// small statement, so it is asked for only where either can be.
    pub(super) fn commit_text(&self) -> &'static str {
        let sound = self.sound && self.running.is_none();
        #[cfg(test)]
        let sound = sound || self.believes_in_each_commit();
        if sound { "COMMIT" } else { "SAVEPOINT xcore_end; COMMIT" }
    }

    /// Moves the session to its target within the open transaction.
    pub(super) async fn move_within(&mut self) -> Result<(), DbErr> {
        self.settle().await?;
        let target = self.target;
        if self.connection()?.stands_on(target) {
            return Ok(());
        }
        self.count(|stats| &stats.switches);
        self.sound = false;
        // Done again when it is cut short.
        self.running = Some(Running::Reads);
        let moved = self.connection()?.move_within(target).await;
        self.running = None;
        if let Err(DatabaseError::Engine { source }) = &moved
            && run::is_broken(source)
        {
            self.break_off();
        }
        moved?;
        self.moved = Moved::Yes;
        Ok(())
    }

    /// The tenant that statements in full may be sent for, and what is known of its schema.
    pub(super) fn tenant(&self) -> Option<(TenantId, &Plain)> {
        match (self.target, &self.held) {
            (Target::Tenant(id), Some(held)) => Some((id, &held.pool.plain)),
            _ => None,
        }
    }

    /// The transaction was committed.
    pub(super) fn committed(&mut self) {
        let moved = self.moved;
        self.end_transaction();
        if moved == Moved::Yes
            && !self.tainted
            && let (Some(connection), target) = (&mut self.connection, self.target)
        {
            connection.stays(target);
        }
    }

    /// The transaction has ended; what it has set outlives it.
    pub(super) fn end_transaction(&mut self) {
        if self.defines
            && let Some(held) = &self.held
        {
            held.pool.defined(self.target);
            self.defines = false;
        }
        self.in_transaction = false;
        self.sound = false;
        self.definition = None;
        self.displaced = false;
        // Where the session stands after a rollback is found out by the next switch.
        let moved = std::mem::replace(&mut self.moved, Moved::No) != Moved::No;
        if (self.tainted || moved)
            && let Some(connection) = &mut self.connection
        {
            connection.doubt();
        }
    }

    /// Runs a statement of the framework's own.
    pub(super) async fn control(&mut self, text: impl Into<String>) -> Result<(), DbErr> {
        self.settle().await?;
        self.running = Some(Running::Writes);
        let result = self.connection()?.control(text).await.map_err(run::exec_error);
        self.finish(result.as_ref().err());
        result
    }

    /// Waits for a read of this transaction that was cancelled.
    async fn settle(&mut self) -> Result<(), DbErr> {
        match self.running {
            None => Ok(()),
            Some(Running::Writes) => Err(DatabaseError::TransactionInterrupted.into()),
            Some(Running::Reads) => {
                // It may have failed, unseen.
                self.sound = false;
                let settled = timeout(PATIENCE * 10, self.connection()?.settle()).await;
                if !matches!(settled, Ok(Ok(()))) {
                    self.running = Some(Running::Writes);
                    return Err(DatabaseError::TransactionInterrupted.into());
                }
                self.running = None;
                Ok(())
            }
        }
    }

    /// A savepoint was undone, and what put the path in place behind it.
    pub(super) fn went_back(&mut self) {
        if self.moved == Moved::Yes {
            self.moved = Moved::Undone;
        }
        self.displaced |= self.tainted || self.moved == Moved::Undone;
    }

    /// Finds out that the transaction is still open after SQL that might have ended it, and sets its path again.
    async fn put_in_place(&mut self) -> Result<(), DbErr> {
        let target = self.target;
        let (path, role) = (target.path(), self.connection()?.session.role(target).set_local());
        // A savepoint is refused outside of a transaction.
        let text = format!("SAVEPOINT xcore_open; RELEASE xcore_open; SET LOCAL search_path TO {path}{role}");
        // When it is cut short it is done again, so that does no more harm than a read.
        self.running = Some(Running::Reads);
        let result = self.connection()?.control(text).await.map_err(run::exec_error);
        self.finish(result.as_ref().err());
        result?;
        self.displaced = false;
        Ok(())
    }

    /// The operation ran to its end, well or not.
    pub(super) fn finish(&mut self, error: Option<&DbErr>) {
        self.running = None;
        self.sound &= error.is_none();
        if self.defines
            && !self.in_transaction
            && let Some(held) = &self.held
        {
            held.pool.defined(self.target);
            // A session that broke may still come to the end of it.
            self.defines = error.is_some_and(run::is_broken_by);
        }
        if !self.in_transaction && !self.defines {
            self.definition = None;
        }
        if error.is_some_and(run::is_broken_by) {
            self.break_off();
        }
    }

    /// Forgets plans that no longer fit.
    pub(super) async fn forget_plans(&mut self) -> Result<(), DbErr> {
        self.running = Some(Running::Writes);
        let result = self.connection()?.forget_plans().await.map_err(run::exec_error);
        self.finish(result.as_ref().err());
        result
    }

    /// Whether raw SQL has left a transaction open; asked by a savepoint, which is refused outside of one.
    pub(super) async fn left_open(&mut self) -> bool {
        self.running = Some(Running::Writes);
        let open = match &mut self.connection {
            Some(connection) => connection.control("SAVEPOINT xcore_open").await,
            None => Ok(()),
        };
        self.running = None;
        let is_open = !matches!(&open, Err(error) if run::is_no_transaction(error));
        self.in_transaction |= is_open;
        is_open
    }

    fn break_off(&mut self) {
        if std::mem::replace(&mut self.broken, true) {
            return;
        }
        if let Some(held) = &self.held {
            held.pool.mark_broken();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(connection), Some(held)) = (self.connection.take(), self.held.take()) else { return };
        if self.defines {
            held.pool.defined(self.target);
        }
        let cleaning = Cleaning {
            target: self.target,
            drain: self.running.is_some(),
            defines: self.defines,
            roll_back: self.in_transaction,
            // It may be known by now what ran.
            reset: self.tainted || (self.by_path && held.pool.may_alter(self.target)),
            broken: self.broken,
        };
        #[cfg(test)]
        let cleaning = cleaning.broken_by(held.pool.mutant.current());
        if cleaning.reset {
            add(&held.pool.stats.resets);
        }
        if cleaning.is_nothing() && !held.pool.is_closed() && connection.retires > Instant::now() {
            held.put_back(connection);
            return;
        }
        let runtime = held.pool.runtime.clone();
        runtime.spawn(cleaning.run(connection, held, self.definition.take()));
    }
}
