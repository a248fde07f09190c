//! How runs ended.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, QueryResult};

use super::claims::length;
use super::{Stored, name_of, unavailable};
use crate::scheduler::SchedulerError;
use crate::scheduler::history::{RunInfo, RunOutcome};
use crate::scheduler::job::{JobKey, Owner};
use crate::scheduler::queue::{DEAD_FOR, MOST_DEAD};

/// One step in the index of ticks, as all runs of a job are together there.
const RUNS: &str = "\
    SELECT tick, started_at, ended_at, outcome, error, failures FROM xcore_runs
    WHERE owner = $1 AND job = $2 AND state = 2 AND ended_at >= {now} - $3
    ORDER BY tick DESC LIMIT $4";

impl<C: ConnectionTrait> Stored<C> {
    pub(super) async fn ended_runs(&self, key: &JobKey) -> Result<Vec<RunInfo>, SchedulerError> {
        let values = [
            name_of(key.owner).into(),
            key.id.to_string().into(),
            length(self.keep.age).into(),
            i64::from(self.keep.runs).into(),
        ];
        self.query(RUNS, values).await?.iter().map(|row| run(key, row)).collect()
    }

    /// Forgets runs that ended long ago, or of which a job has too many.
    pub(super) async fn forget_runs(&self) -> Result<(), SchedulerError> {
        let old = "DELETE FROM xcore_runs WHERE state = 2 AND ended_at < {now} - $1";
        self.execute(old, [length(self.keep.age).into()]).await?;
        let many = "\
            DELETE FROM xcore_runs WHERE number IN (
                SELECT number FROM (
                    SELECT number, row_number() OVER (
                        -- Each queued run is a job of its own.
                        PARTITION BY owner, CASE WHEN queued = 1 THEN plugin || '.' || method ELSE job END
                        ORDER BY number DESC) AS place
                    FROM xcore_runs WHERE state = 2
                ) AS ended WHERE place > $1
            )";
        self.execute(many, [i64::from(self.keep.runs).into()]).await?;
        let old = "DELETE FROM xcore_runs WHERE state = 3 AND ended_at < {now} - $1";
        self.execute(old, [length(DEAD_FOR).into()]).await?;
        let many = "\
            DELETE FROM xcore_runs WHERE number IN (
                SELECT number FROM (
                    SELECT number, row_number() OVER (PARTITION BY owner ORDER BY ended_at DESC, number DESC) AS place
                    FROM xcore_runs WHERE state = 3
                ) AS dead WHERE place > $1
            )";
        let most = i64::try_from(MOST_DEAD).unwrap_or(i64::MAX);
        self.execute(many, [most.into()]).await.map(drop)
    }
}

/// A row of [`RUNS`].
fn run(key: &JobKey, row: &QueryResult) -> Result<RunInfo, SchedulerError> {
    let number = |column: &str| row.try_get::<Option<i64>>("", column).map_err(unavailable);
    let text = |column: &str| row.try_get::<Option<String>>("", column).map_err(unavailable);
    let unreadable = || SchedulerError::Unreadable { id: key.id.to_string() };
    let time = |column: &str| {
        number(column)?
            .map(|millis| DateTime::<Utc>::from_timestamp_millis(millis).ok_or_else(unreadable))
            .transpose()
    };
    Ok(RunInfo {
        tenant: match key.owner {
            Owner::Tenant(tenant) => Some(tenant),
            Owner::Shared | Owner::App => None,
        },
        job: key.id.to_string(),
        tick: time("tick")?.ok_or_else(unreadable)?,
        started: time("started_at")?,
        ended: time("ended_at")?.ok_or_else(unreadable)?,
        outcome: text("outcome")?.map_or(RunOutcome::Unknown, |text| RunOutcome::read(&text)),
        // The last failure was the end itself.
        failures: u32::try_from(number("failures")?.unwrap_or(0)).unwrap_or(u32::MAX),
        error: text("error")?,
    })
}
