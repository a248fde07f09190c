//! One session on the server, and which tenant it stands on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;

#[cfg(test)]
use super::look::LOOK;
use super::pg::PgSession;
use super::pool::Way;
use super::roles::Roles;
use super::switch::Switch;
#[cfg(test)]
use super::target::Role;
use super::target::Target;
use crate::db::DatabaseError;

/// For how long a session may serve its tenant before it asks again whether the schema is there. A schema that was
/// dropped or renamed by somebody else is noticed after this time at the latest (I5); removals of this process are
/// noticed at once.
const TRUSTED: Duration = Duration::from_secs(1);

/// A session, and what is known of where it stands.
#[derive(Debug)]
pub(super) struct Connection<S: Switch = PgSession> {
    pub(super) session: S,
    /// The tenant that the session is known to stand on. `None` is *unknown*, and never serves (I1).
    stands: Option<Target>,
    checked: Instant,
    pub(super) retires: Instant,
    pub(super) used: Instant,
    /// A switch has found it changed by code that no statement shows, which is still to be counted.
    pub(super) found_changed: bool,
    /// Whether it is as it was opened or reset.
    #[cfg(test)]
    fresh: bool,
}

impl Connection {
    pub(super) async fn open(options: &PgConnectOptions, retires: Instant) -> Result<Self, sqlx::Error> {
        PgSession::open(options).await.map(|session| Self::of(session, retires))
    }

    /// A session that works with the rights of the targets that it serves, opened with this target's login.
    #[cfg(not(test))]
    pub(super) async fn open_for(
        target: Target,
        roles: &Arc<Roles>,
        options: &PgConnectOptions,
        retires: Instant,
    ) -> Result<Self, sqlx::Error> {
        PgSession::open_for(target, roles, options).await.map(|session| Self::of(session, retires))
    }

    #[cfg(test)]
    pub(super) async fn open_wrongly(
        mutant: super::mutants::Mutant,
        target: Target,
        roles: &Arc<Roles>,
        options: &PgConnectOptions,
        retires: Instant,
    ) -> Result<Self, sqlx::Error> {
        let opened = PgSession::open_wrongly(mutant, target, roles, options).await;
        opened.map(|session| Self::of(session, retires))
    }

    /// Believes in a target, as nobody may behind a pooler.
    #[cfg(test)]
    pub(super) fn remember(&mut self, target: Target) {
        self.stands = Some(target);
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
                self.believe(target);
                Ok(())
            }
            Mutant::BelievesBeforeTheReply => {
                let switched = self.switch(target, looks).await;
                self.believe(target);
                switched
            }
            Mutant::AsksForNoSchema => {
                self.stands = None;
                let text = format!("SELECT {LOOK}, set_config('search_path', '{}', false)", target.path());
                self.session.switch_by(text, target, None).await?;
                self.believe(target);
                Ok(())
            }
            Mutant::ForgetsTheRole => {
                self.stands = None;
                self.session.switch_by(target.switch(&Role::AsItIs), target, None).await?;
                self.believe(target);
                Ok(())
            }
            _ => self.switch(target, looks).await,
        }
    }
}

impl<S: Switch> Connection<S> {
    /// A session that was just opened.
    pub(super) fn of(session: S, retires: Instant) -> Self {
        let now = Instant::now();
        Self {
            session,
            // I4: opened with it.
            stands: Some(Target::Nobody),
            checked: now,
            retires,
            used: now,
            found_changed: false,
            #[cfg(test)]
            fresh: true,
        }
    }

    /// For the statements of whoever has the session on loan.
    pub(super) fn raw(&mut self) -> &mut S::Raw {
        self.session.raw()
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
        self.stands_on(target) || (self.session.has_one_role() && self.stands_on(Target::Nobody))
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

    /// Moves the session to a target, and finds out whether its schema exists. A session that is not as it was left is reset before that,
    /// if it is looked at.
    pub(super) async fn switch(&mut self, target: Target, looks: bool) -> Result<(), DatabaseError> {
        // I1: unknown from before the switch is sent until its reply was read.
        let stood = self.stands.take();
        let switched = self.session.switch(target, looks.then_some(stood)).await?;
        self.found_changed |= switched.was_changed;
        self.believe(target);
        Ok(())
    }

    fn believe(&mut self, target: Target) {
        self.stands = Some(target);
        self.checked = Instant::now();
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

    pub(super) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        self.session.settle().await
    }

    pub(super) async fn control(&mut self, text: impl Into<String>) -> Result<(), sqlx::Error> {
        self.session.control(text.into()).await
    }

    /// Makes the session as good as new. It then stands nowhere (I4).
    pub(super) async fn reset(&mut self) -> Result<(), sqlx::Error> {
        self.stands = None;
        self.session.reset().await?;
        // Not before: a reset that is cut short has perhaps not begun.
        #[cfg(test)]
        {
            self.fresh = true;
        }
        self.stands = Some(Target::Nobody);
        Ok(())
    }

    pub(super) async fn forget_plans(&mut self) -> Result<(), sqlx::Error> {
        self.session.forget_plans().await
    }

    pub(super) async fn close(self) {
        self.session.close().await;
    }

    pub(super) async fn abandon(self) {
        self.session.abandon().await;
    }
}
