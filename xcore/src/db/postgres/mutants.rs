//! Rules broken on purpose, so that the tests which guard them can be seen to catch it.

use std::sync::atomic::{AtomicU8, Ordering};

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mutant {
    None,
    /// I1
    BelievesBeforeTheReply,
    /// I2
    ReusesAnything,
    /// I3
    TrustsAllSql,
    /// I5
    AsksForNoSchema,
}

#[derive(Debug, Default)]
pub(super) struct Chosen(AtomicU8);

impl Chosen {
    pub(super) fn choose(&self, mutant: Mutant) {
        self.0.store(mutant as u8, Ordering::Relaxed);
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.0.load(Ordering::Relaxed) == mutant as u8
    }

    pub(super) fn current(&self) -> Mutant {
        use Mutant::{AsksForNoSchema, BelievesBeforeTheReply, None, ReusesAnything, TrustsAllSql};
        let all = [None, BelievesBeforeTheReply, ReusesAnything, TrustsAllSql, AsksForNoSchema];
        all.into_iter().find(|mutant| self.is(*mutant)).unwrap_or(None)
    }
}
