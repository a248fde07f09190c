//! Rules that a test breaks on purpose, to see that the other tests would notice.

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// No name is a common table expression.
    ScopeIsEmpty,
    /// A common table expression is seen after its query, too.
    ScopeStaysOpen,
    /// Every list of common table expressions is read as if it were recursive.
    AllIsRecursive,
    /// The target of a change may be a common table expression.
    TargetIsScoped,
    /// `(WITH ..) ORDER BY ..` is understood.
    BehindWith,
    /// Positions are one too far.
    OneOff,
    /// Bare names are not folded.
    NotFolded,
}

#[cfg(test)]
thread_local! {
    static BROKEN: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
impl Mutant {
    pub(super) const ALL: [Self; 7] = [
        Self::ScopeIsEmpty,
        Self::ScopeStaysOpen,
        Self::AllIsRecursive,
        Self::TargetIsScoped,
        Self::BehindWith,
        Self::OneOff,
        Self::NotFolded,
    ];

    /// What is broken in this thread.
    pub(super) fn current() -> Option<Self> {
        BROKEN.get()
    }

    /// Breaks a rule in this thread.
    pub(super) fn set(mutant: Option<Self>) {
        BROKEN.set(mutant);
    }

    pub(super) fn is_on(self) -> bool {
        Self::current() == Some(self)
    }
}

#[cfg(not(test))]
impl Mutant {
    pub(super) const fn current() -> Option<Self> {
        None
    }

    pub(super) const fn set(_: Option<Self>) {}

    pub(super) const fn is_on(self) -> bool {
        let _ = self;
        false
    }
}
