//! Rules broken on purpose, so that the tests which guard them can be seen to catch it.

use std::sync::atomic::{AtomicU8, Ordering};

use sqlx::postgres::PgConnectOptions;

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
    /// No rule by itself: the first switch of a fresh or reset session is forgotten, which I4 makes harmless.
    ForgetsAFreshSession,
    /// I4, and a switch is forgotten, or it would not show.
    FreshSessionsReadPublic,
    /// I5
    AsksForNoSchema,
    /// A statement in full is sent on any session, also on that of another tenant.
    SendsInFullAnywhere,
    /// Behind a pooler, a connection's tenant is remembered as if its session stayed.
    RemembersBehindAPooler,
    /// I3: nobody reads what functions do.
    BelievesFunctionsHarmless,
    /// What a switch sees of the session is not looked at, and functions are believed harmless.
    LooksAtNothing,
    /// A session works with the rights of the app's login, whosever it is.
    ForgetsTheRole,
    /// A transaction is committed without asking whether it is open and has not failed.
    BelievesInEachCommit,
}

impl Mutant {
    pub(super) fn forgets(self) -> bool {
        matches!(self, Self::ForgetsAFreshSession | Self::FreshSessionsReadPublic)
    }

    pub(super) fn believes_functions_harmless(self) -> bool {
        matches!(self, Self::BelievesFunctionsHarmless | Self::LooksAtNothing)
    }

    /// Whether switches do not look at the session. A wrong path would be seen.
    pub(super) fn is_blind(self) -> bool {
        matches!(self, Self::LooksAtNothing | Self::FreshSessionsReadPublic)
    }

    /// What sessions are opened with.
    pub(super) fn options(self, options: &PgConnectOptions) -> PgConnectOptions {
        match self {
            Self::FreshSessionsReadPublic => options.clone().options([("search_path", "public")]),
            _ => options.clone(),
        }
    }
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
        use Mutant::*;
        let all = [
            None,
            BelievesBeforeTheReply,
            ReusesAnything,
            TrustsAllSql,
            ForgetsAFreshSession,
            FreshSessionsReadPublic,
            AsksForNoSchema,
            SendsInFullAnywhere,
            RemembersBehindAPooler,
            BelievesFunctionsHarmless,
            LooksAtNothing,
            ForgetsTheRole,
            BelievesInEachCommit,
        ];
        all.into_iter().find(|mutant| self.is(*mutant)).unwrap_or(None)
    }
}
