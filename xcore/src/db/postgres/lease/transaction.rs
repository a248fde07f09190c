//! A transaction of the session on loan: how it begins, moves and ends, and what is known of it meanwhile.

use sea_orm::DbErr;

use super::super::run;
#[cfg(test)]
use super::Held;
use super::{Lease, Moved, Running};
use crate::db::DatabaseError;

impl Lease {
    /// Makes sure that a transaction is not begun, after a begin that was cut short.
    pub(in super::super) async fn undo_begin(&mut self) -> Result<(), DbErr> {
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
    pub(in super::super) async fn begin(&mut self, text: &str) -> Result<(), DbErr> {
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
    pub(in super::super) fn commit_text(&self) -> &'static str {
        let sound = self.sound && self.running.is_none();
        #[cfg(test)]
        let sound = sound || self.believes_in_each_commit();
        if sound { "COMMIT" } else { "SAVEPOINT xcore_end; COMMIT" }
    }

    #[cfg(test)]
    fn believes_in_each_commit(&self) -> bool {
        let believes = |held: &Held| held.pool.mutant.is(super::super::mutants::Mutant::BelievesInEachCommit);
        self.held.as_ref().is_some_and(believes)
    }

    /// Moves the session to its target within the open transaction.
    pub(in super::super) async fn move_within(&mut self) -> Result<(), DbErr> {
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

    /// The transaction was committed.
    pub(in super::super) fn committed(&mut self) {
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
    pub(in super::super) fn end_transaction(&mut self) {
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

    /// A savepoint was undone, and what put the path in place behind it.
    pub(in super::super) fn went_back(&mut self) {
        if self.moved == Moved::Yes {
            self.moved = Moved::Undone;
        }
        self.displaced |= self.tainted || self.moved == Moved::Undone;
    }

    /// Finds out that the transaction is still open after SQL that might have ended it, and sets its path again.
    pub(super) async fn put_in_place(&mut self) -> Result<(), DbErr> {
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

    /// Whether raw SQL has left a transaction open; asked by a savepoint, which is refused outside of one.
    pub(in super::super) async fn left_open(&mut self) -> bool {
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
}
