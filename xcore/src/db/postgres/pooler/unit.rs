//! A unit of work: one transaction whose path is set.
//!
//! I1 and I4 are kept by its type. It is made when the answer to its `BEGIN` has said that the path is set, for this
//! transaction alone, and gives no statement a connection once it has ended. I2 is kept by its end: a unit that did
//! not come to it is rolled back, or its connection is closed, before the place is free again. A pooler closes its session
//! with the server then, which is asked at the start (`probe.rs`).

use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use sea_orm::{DbErr, TransactionOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection, Row};
use tokio::time::timeout;

use super::super::connection::Connection;
use super::super::pool::{Held, Pool, Way};
use super::super::run;
use super::super::stats::{Stats, add};
use super::super::target::Target;
use super::super::text::Verdict;
use super::super::user_code::Definition;
use super::texts::{STANDS, Texts};
use crate::db::DatabaseError;
use crate::tenancy::Tenant;
use std::sync::Arc;

/// For how long the answer to a statement that nobody waits for is waited for before its connection is closed.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a new try waits when a new connection was broken as well.
const PAUSE: Duration = Duration::from_millis(20);

/// A transaction on loan, with its path set.
pub(in super::super) struct Unit {
    held: Option<Held>,
    connection: Option<Connection>,
    target: Target,
    /// Puts it in place again.
    again: String,
    /// The ends of it: when nothing may have changed the session, and when something may.
    commits: [String; 2],
    running: Option<Running>,
    open: bool,
    /// The session may have been changed by SQL (I3).
    tainted: bool,
    /// The path may be another one by now.
    displaced: bool,
    /// What is being defined, until this has ended.
    definition: Option<Definition>,
    broken: bool,
}

/// What the operation that is under way may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Reads,
    Writes,
}

impl Unit {
    pub(super) async fn begin(
        pool: &Arc<Pool>,
        texts: &Texts,
        whose: Option<&Tenant>,
        target: Target,
        options: &TransactionOptions,
    ) -> Result<Self, DatabaseError> {
        let (held, idle, deadline) = pool.take(whose, target, Way::Unit).await?;
        let mut unit = Self {
            held: Some(held),
            connection: None,
            target,
            again: texts.again(target),
            commits: [texts.commit(target, false), texts.commit(target, true)],
            running: None,
            open: false,
            tainted: false,
            displaced: false,
            definition: None,
            broken: false,
        };
        let mut next = idle.map(|idle| *idle);
        let mut broke = None;
        loop {
            let connection = match next.take() {
                Some(connection) => connection,
                None => pool.connect(deadline, target).await?,
            };
            unit.connection = Some(connection);
            unit.broken = false;
            let began = unit.open(texts, options, deadline, pool.limits.acquire_timeout).await;
            match began {
                // The connection had died, or what it was given: nothing of the caller's was sent yet.
                Err(DatabaseError::Engine { source })
                    if run::is_broken(&source)
                        && !allows_no_transaction(&source)
                        && Instant::now() + PAUSE < deadline =>
                {
                    if broke.is_some() {
                        tokio::time::sleep(PAUSE).await;
                    }
                    if let Some(dead) = unit.connection.take() {
                        pool.runtime.spawn(dead.abandon());
                    }
                    (unit.open, unit.running) = (false, None);
                    broke = Some(source);
                }
                // It was late because nothing lives there.
                Err(DatabaseError::PoolerBusy { waited }) => {
                    return Err(broke.map_or(DatabaseError::PoolerBusy { waited }, |source| {
                        DatabaseError::Engine { source }
                    }));
                }
                began => return began.map(|()| unit),
            }
        }
    }

    async fn open(
        &mut self,
        texts: &Texts,
        options: &TransactionOptions,
        deadline: Instant,
        waited: Duration,
    ) -> Result<(), DatabaseError> {
        let target = self.target;
        #[cfg(not(test))]
        let text = texts.begin(target, options);
        #[cfg(test)]
        let text = self.text_of_mutant(texts, options);
        // From before it is sent: a begin that is cut short is rolled back (I2).
        (self.open, self.running) = (true, Some(Running::Reads));
        self.count(|stats| &stats.switches);
        let connection = self.connection()?;
        // The names of types that the driver remembers are those of the tenant before.
        connection.raw().clear_cached_statements().await?;
        let left = deadline.saturating_duration_since(Instant::now());
        let rows = match timeout(left, connection.raw().fetch_all(AssertSqlSafe(text))).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => {
                self.running = None;
                self.break_off(run::is_broken(&error));
                return Err(error.into());
            }
            Err(_late) => {
                self.count(|stats| &stats.timeouts);
                return Err(DatabaseError::PoolerBusy { waited });
            }
        };
        self.running = None;
        #[cfg(test)]
        if self.mutant() == super::super::mutants::Mutant::RemembersBehindAPooler {
            self.connection()?.remember(target);
            return Ok(());
        }
        let path = target.path();
        // I1: what the server says, and not what was asked for.
        let stands =
            rows.iter().any(|row| row.try_get_unchecked::<String, _>(STANDS).is_ok_and(|at| at == path));
        match (stands, target) {
            (true, _) => Ok(()),
            (false, Target::Tenant(tenant))
                if texts.have_roles() && self.connection()?.session.has_schema(&tenant).await? =>
            {
                Err(DatabaseError::NoRole { tenant })
            }
            (false, Target::Tenant(tenant)) => Err(DatabaseError::Missing { tenant }),
            (false, _) => Err(DatabaseError::OddShared { problem: "its schema is missing" }),
        }
    }

    #[cfg(test)]
    fn mutant(&self) -> super::super::mutants::Mutant {
        self.held.as_ref().map_or(super::super::mutants::Mutant::None, |held| held.pool.mutant.current())
    }

    #[cfg(test)]
    fn text_of_mutant(&mut self, texts: &Texts, options: &TransactionOptions) -> String {
        let (mutant, target) = (self.mutant(), self.target);
        let stands = self.connection.as_ref().is_some_and(|connection| connection.stands_on(target));
        texts.begin_wrongly(target, options, mutant, stands)
    }

    fn count(&self, which: impl FnOnce(&Stats) -> &AtomicUsize) {
        if let Some(held) = &self.held {
            add(which(&held.pool.stats));
        }
    }

    fn break_off(&mut self, is_broken: bool) {
        if is_broken && !std::mem::replace(&mut self.broken, true) {
            self.count(|stats| &stats.lost);
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, DatabaseError> {
        // There is one from `begin` until `drop`.
        self.connection.as_mut().ok_or(DatabaseError::Closed)
    }

    /// Marks an operation as under way and gives the connection to run it on. Until [`Unit::finish`] is called, dropping
    /// the unit means that it was cut short.
    pub(super) async fn start(&mut self, verdict: Verdict) -> Result<&mut PgConnection, DbErr> {
        if !self.open {
            return Err(DatabaseError::TransactionEnded.into());
        }
        self.settle().await?;
        // How an unclear text is read depends on a setting, which code of users may have changed unseen.
        if self.displaced || verdict.unclear {
            let again = self.again.clone();
            // When it is cut short it is done again, so that does no more harm than a read.
            self.running = Some(Running::Reads);
            let result = self.connection()?.control(again).await.map_err(run::exec_error);
            self.finish(result.as_ref().err());
            result?;
            self.displaced = false;
        }
        let held = self.held.as_ref();
        if verdict.defines && self.definition.is_none() {
            self.definition = held.map(|held| held.pool.code.define(self.target));
        }
        // Code that no text shows may move the path, as a text may.
        let changes = verdict.session || held.is_some_and(|held| held.pool.may_alter(self.target));
        self.running = Some(if verdict.writes { Running::Writes } else { Running::Reads });
        self.count(|stats| &stats.in_unit);
        self.tainted |= changes;
        self.displaced = changes;
        Ok(self.connection()?.raw())
    }

    /// The operation ran to its end, well or not.
    pub(super) fn finish(&mut self, error: Option<&DbErr>) {
        self.running = None;
        self.break_off(error.is_some_and(run::is_broken_by));
    }

    /// Runs a statement of the framework's own.
    pub(super) async fn control(&mut self, text: &str) -> Result<(), DbErr> {
        if !self.open {
            return Err(DatabaseError::TransactionEnded.into());
        }
        self.settle().await?;
        self.running = Some(Running::Writes);
        let result = self.connection()?.control(text).await.map_err(run::exec_error);
        self.finish(result.as_ref().err());
        result
    }

    /// Waits for a read that was cancelled.
    async fn settle(&mut self) -> Result<(), DbErr> {
        match self.running {
            None => Ok(()),
            Some(Running::Writes) => Err(DatabaseError::TransactionInterrupted.into()),
            Some(Running::Reads) => {
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

    /// Keeps what was done. The answer is what acknowledges it.
    pub(super) async fn commit(&mut self) -> Result<(), DbErr> {
        #[cfg(test)]
        let tainted = self.tainted && self.mutant() != super::super::mutants::Mutant::TrustsAllSql;
        #[cfg(not(test))]
        let tainted = self.tainted;
        let text = std::mem::take(&mut self.commits[usize::from(tainted)]);
        self.control(&text).await?;
        self.open = false;
        Ok(())
    }

    /// Goes away without a word, as a process does that is killed.
    pub(super) async fn abandon(mut self) {
        if let Some(connection) = self.connection.take() {
            connection.abandon().await;
        }
    }

    /// A savepoint was undone, and what put the transaction in place behind it.
    pub(super) fn went_back(&mut self) {
        self.displaced |= self.tainted;
    }

    /// Undoes what was done.
    pub(super) async fn rollback(&mut self) -> Result<(), DbErr> {
        let text = Texts::rollback(self.tainted);
        self.control(&text).await?;
        self.open = false;
        Ok(())
    }
}

/// Whether a pooler is in statement mode. PgBouncer has one code for whatever it says itself, and the rest of that may pass.
fn allows_no_transaction(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("transaction blocks not allowed"))
}

impl Drop for Unit {
    fn drop(&mut self) {
        let (Some(connection), Some(held)) = (self.connection.take(), self.held.take()) else { return };
        let ending = Ending {
            drain: self.running.is_some(),
            roll_back: self.open,
            tainted: self.tainted,
            broken: self.broken,
            _definition: self.definition.take(),
        };
        #[cfg(test)]
        let ending = ending.broken_by(held.pool.mutant.current());
        let is_done = !(ending.drain || ending.roll_back || ending.broken);
        if is_done && !held.pool.is_closed() && connection.retires > Instant::now() {
            held.put_back(connection);
            return;
        }
        let runtime = held.pool.runtime.clone();
        runtime.spawn(ending.run(connection, held));
    }
}

/// What a unit that was dropped still needs.
struct Ending {
    drain: bool,
    roll_back: bool,
    tainted: bool,
    broken: bool,
    _definition: Option<Definition>,
}

impl Ending {
    #[cfg(test)]
    fn broken_by(mut self, mutant: super::super::mutants::Mutant) -> Self {
        use super::super::mutants::Mutant;
        match mutant {
            Mutant::ReusesAnything => (self.drain, self.roll_back) = (false, false),
            Mutant::TrustsAllSql => self.tainted = false,
            _ => {}
        }
        self
    }

    async fn run(self, mut connection: Connection, held: Held) {
        if self.broken || !self.is_restored(&mut connection).await {
            // Inside of a transaction: the pooler closes its session with the server too, whatever was left in it.
            connection.abandon().await;
        } else if held.pool.is_closed() || connection.retires <= Instant::now() {
            connection.close().await;
        } else {
            held.put_back(connection);
        }
    }

    async fn is_restored(&self, connection: &mut Connection) -> bool {
        if self.drain && !matches!(timeout(PATIENCE, connection.settle()).await, Ok(Ok(()))) {
            return false;
        }
        if !self.roll_back {
            return true;
        }
        let rolled_back = timeout(PATIENCE * 50, connection.control(Texts::rollback(self.tainted))).await;
        matches!(rolled_back, Ok(Ok(())))
    }
}
