//! What moves a session from one tenant to another.
//!
//! The pool knows where each session stands and when it has to move. How it is moved is the server's affair, and is all that stands
//! between the tenants, so it is one trait. PostgreSQL's is in `pg.rs`.

use super::target::Target;
use crate::db::DatabaseError;

/// A session with a server, which serves one target at a time.
///
/// # Contract
/// The rules of [`Connection`](super::connection::Connection) and of the pool are worth what this is worth. `tests/switch.rs` asks for
/// it.
///
/// - A [`switch`](Switch::switch) that gave [`Switched`] has moved the session, and nothing that a name can mean is another target's
///   from then on. Where there is no such target it is an error, and never a session that finds other tables by the same names (I5).
///   After an error, and when it was cut short, the session may stand anywhere; whoever sent it believes nothing until the next one.
/// - A prepared statement remembers more than its text says: the types of its parameters, the columns of its result, and with some
///   servers the tables themselves (MySQL goes on reading those of the database that was in use when it was prepared). It may serve what
///   [`kept`](Switch::kept) says and nothing else, also after the session was moved away and back.
/// - After a [`reset`](Switch::reset) there is nothing in the session that an earlier user has left: no setting, lock, cursor, temporary
///   table, prepared statement or open transaction, and unqualified names mean nothing (I4).
pub(super) trait Switch: Send + Sized {
    /// What statements are run on.
    type Raw;

    /// For the statements of whoever has the session on loan.
    fn raw(&mut self) -> &mut Self::Raw;

    /// Moves the session, and finds out whether the target exists. With `left` it looks first at whether the session is as it was left,
    /// standing on that target (or nobody knows where), and resets it otherwise.
    fn switch(
        &mut self,
        target: Target,
        left: Option<Option<Target>>,
    ) -> impl Future<Output = Result<Switched, DatabaseError>> + Send;

    /// What a statement that was prepared while the session served this target may serve from then on.
    fn kept(target: Target) -> Kept;

    /// Whether the session has the same rights wherever it stands. If so, a statement that names everything in full means the same.
    fn has_one_role(&self) -> bool;

    /// Makes the session one in which nothing was done.
    fn reset(&mut self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Waits until the server has answered everything that was sent.
    fn settle(&mut self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Runs a statement of the framework's own, without values or rows.
    fn control(&mut self, text: String) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Forgets all prepared statements.
    fn forget_plans(&mut self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Says good-bye to the server.
    fn close(self) -> impl Future<Output = ()> + Send;

    /// Goes without a word, because an operation is under way.
    fn abandon(self) -> impl Future<Output = ()> + Send;
}

/// The session stands on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Switched {
    /// It was not as it was left, and was reset before.
    pub(super) was_changed: bool,
}

/// What a prepared statement may serve, once the driver has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The same text for the same target, in this session. The driver keeps statements by their text, so the target's name is part of
    /// it.
    For(Target),
    /// Nothing: it is forgotten with the transaction that it was prepared in. Behind a pooler the next one runs in any session, where
    /// the name of a kept statement is unknown or another's.
    Never,
}

impl Kept {
    /// The text that the statement is kept by.
    pub(super) fn text(self, text: &str) -> String {
        match self {
            // Each table is named in full.
            Self::For(Target::Nobody) | Self::Never => text.to_owned(),
            Self::For(target) => format!("/*{}*/ {text}", target.schema()),
        }
    }

    /// Whether the driver gives it a name, by which the session knows it until the driver takes it back.
    pub(super) fn is_kept(self) -> bool {
        self != Self::Never
    }
}

impl From<Target> for Kept {
    fn from(target: Target) -> Self {
        super::pg::PgSession::kept(target)
    }
}
