//! What a statement that the driver prepared may serve.

use super::target::Target;

/// What a prepared statement may serve, once the driver has it.
///
/// This is the half of a switch of tenant that is forgotten most easily: a statement can remember more of the tenant that it was
/// prepared for than its text says, such as the types of its parameters, the columns of its result, and with some servers
/// the very tables (MySQL reads those of the database that was in use when it was prepared). So whoever moves a connection says
/// with each statement what it may be kept for, and nothing is kept for more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The same text for the same target, on this connection. The driver keeps statements by their text, so the target's name is
    /// part of it.
    For(Target),
    /// Nothing: it is forgotten with the transaction that it was prepared in. Behind a pooler the next one runs in any session, where
    /// the name of a kept statement is unknown or another's.
    Never,
}

impl From<Target> for Kept {
    fn from(target: Target) -> Self {
        Self::For(target)
    }
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
