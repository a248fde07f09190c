//! The states of a tenant's life, and the moves between them.

/// The state of a tenant's life.
///
/// | from | to | by |
/// |---|---|---|
/// | (nothing) | provisioning | `tenant create` |
/// | (nothing) | importing | `tenant import`, `tenant clone` |
/// | provisioning | active, failed | the end of the creation |
/// | importing | active, (nothing) | the end of the import, which is undone when it fails |
/// | failed | active | another try: `tenant create`, `tenant resume`, a start, a server that runs |
/// | active | suspended | `tenant suspend` |
/// | suspended | active | `tenant resume` |
/// | active, suspended | soft-deleted | `tenant delete`, until when is noted |
/// | soft-deleted | active, suspended: what it was | `tenant restore` |
/// | soft-deleted | deleting | the end of `tenancy.delete_after`, `tenant purge` |
/// | provisioning, failed, active, suspended | deleting | `tenant purge`; `tenant delete` of what was never whole |
/// | deleting | (nothing) | the end of the deletion |
/// | active, suspended | renaming | `tenant rename`, which makes a row of the new name as well, reserved |
/// | renaming | (nothing) | the end of the renaming: the row of the new name has all of it then |
/// | reserved | active, suspended | the same; whichever the tenant was in |
/// | renaming | active, suspended | a renaming that cannot be done; the row of the new name goes |
///
/// Nothing else is possible: each move is one statement that names the life and the state that it goes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Its data is being made. Not routable.
    Provisioning,
    /// The data of another tenant is being copied into its own. Not routable. Undone when it does not come to its end.
    Importing,
    /// It is served.
    Active,
    /// It is refused with its reason, and its jobs rest, until it is resumed. Its data is kept and migrated.
    Suspended,
    /// It was deleted and can be restored until its time is over: its data, keys and domains are kept and admit nobody, its jobs
    /// rest. Not routable. A version that does not know the word leaves the tenant alone.
    SoftDeleted,
    /// Its data is being dropped, for good. Not routable.
    Deleting,
    /// Its creation did not come to its end; the reason is noted. Not routable. It is tried again, or deleted.
    Failed,
    /// It is getting another name, whose row is reserved meanwhile. Refused for as long as that takes.
    Renaming,
    /// No tenant yet: the name that a tenant is getting, which nobody else can take.
    Reserved,
    /// What another version of xcore has written. Not routable, and left alone.
    Foreign,
}

/// Every move that there is, but for the first and the last of a life.
const MOVES: &[(State, State)] = &[
    (State::Provisioning, State::Active),
    (State::Importing, State::Active),
    (State::Importing, State::Deleting),
    (State::Provisioning, State::Failed),
    // Tried again: it stays failed until all of it is done.
    (State::Failed, State::Active),
    (State::Failed, State::Failed),
    (State::Active, State::Suspended),
    // With another reason.
    (State::Suspended, State::Suspended),
    (State::Suspended, State::Active),
    (State::Active, State::SoftDeleted),
    (State::Suspended, State::SoftDeleted),
    (State::SoftDeleted, State::Active),
    (State::SoftDeleted, State::Suspended),
    (State::SoftDeleted, State::Deleting),
    (State::Provisioning, State::Deleting),
    (State::Failed, State::Deleting),
    (State::Active, State::Deleting),
    (State::Suspended, State::Deleting),
    (State::Active, State::Renaming),
    (State::Suspended, State::Renaming),
    (State::Renaming, State::Active),
    (State::Renaming, State::Suspended),
    (State::Reserved, State::Active),
    (State::Reserved, State::Suspended),
];

impl State {
    const KNOWN: [Self; 9] = [
        Self::Provisioning,
        Self::Importing,
        Self::Active,
        Self::Suspended,
        Self::SoftDeleted,
        Self::Deleting,
        Self::Failed,
        Self::Renaming,
        Self::Reserved,
    ];

    /// As it is stored and printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Importing => "importing",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::SoftDeleted => "soft-deleted",
            Self::Deleting => "deleting",
            Self::Failed => "failed",
            Self::Renaming => "renaming",
            Self::Reserved => "reserved",
            Self::Foreign => "unknown to this version",
        }
    }

    /// Whether a tenant in this state may come into the other one.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        MOVES.contains(&(self, next))
    }

    /// Whether more is noted at this move than the state: until when the tenant can be restored, and to what. Such a move is made by
    /// [`DirectoryStore::soft_delete`](super::DirectoryStore::soft_delete) and
    /// [`restore`](super::DirectoryStore::restore) alone, so that neither is ever taken for another one.
    pub(crate) fn is_soft(self, next: Self) -> bool {
        next == Self::SoftDeleted || (self == Self::SoftDeleted && next != Self::Deleting)
    }

    /// Whether a creation, a deletion or a renaming was begun and has not come to its end.
    pub(crate) const fn is_unfinished(self) -> bool {
        matches!(self, Self::Provisioning | Self::Deleting | Self::Failed | Self::Renaming)
    }

    /// Whether its data is whole and in use, so that it has to be kept up to date.
    pub(crate) const fn has_data(self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }

    /// Whether clients may learn that there is such a tenant, whatever they are answered.
    pub(crate) const fn is_told(self) -> bool {
        self.has_data() || matches!(self, Self::Renaming)
    }

    pub(crate) fn parse(text: &str) -> Self {
        Self::KNOWN.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Foreign)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written_and_another_word_is_left_alone() {
        for state in State::KNOWN {
            assert_eq!(State::parse(state.as_str()), state);
        }
        // What an older version takes for a state of another one.
        assert_eq!(State::SoftDeleted.as_str(), "soft-deleted");
        assert_eq!(State::parse("hibernating"), State::Foreign);
        assert_eq!(State::parse(State::Foreign.as_str()), State::Foreign);
    }

    #[test]
    fn every_state_can_end_and_none_comes_back_from_there() {
        use State::{
            Active, Deleting, Failed, Foreign, Importing, Provisioning, Renaming, Reserved, SoftDeleted,
            Suspended,
        };
        for state in [Provisioning, Importing, Active, Suspended, Failed, SoftDeleted] {
            assert!(state.may_become(Deleting), "{state}");
            assert!(!Deleting.may_become(state) && !state.may_become(Provisioning), "{state}");
            assert!(!state.may_become(Foreign) && !Foreign.may_become(state), "{state}");
        }
        // Half made data is never served, and whole data never taken for half made.
        assert!(!Provisioning.may_become(Suspended) && !Failed.may_become(Suspended));
        assert!(!Importing.may_become(Suspended) && !Importing.may_become(Failed));
        assert!(!Active.may_become(Failed) && !Suspended.may_become(Failed));
        // What has two names goes on to one of them first.
        for state in [Renaming, Reserved] {
            assert!(state.may_become(Active) && state.may_become(Suspended) && !state.may_become(Deleting));
        }
        assert!(
            ![Provisioning, Failed, SoftDeleted, Deleting, Foreign]
                .iter()
                .any(|state| state.may_become(Renaming))
        );
        // What was never whole is not kept, and what comes back was whole.
        assert!(!Deleting.may_become(SoftDeleted));
        for state in [Provisioning, Failed] {
            assert!(!state.may_become(SoftDeleted) && !SoftDeleted.may_become(state), "{state}");
        }
        for state in [Active, Suspended] {
            assert!(state.may_become(SoftDeleted) && state.is_soft(SoftDeleted), "{state}");
            assert!(SoftDeleted.may_become(state) && SoftDeleted.is_soft(state), "{state}");
        }
        assert!(!SoftDeleted.is_soft(Deleting) && !SoftDeleted.has_data() && !SoftDeleted.is_unfinished());
    }
}
