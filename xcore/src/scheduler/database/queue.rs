//! What was put in line once, and what of it failed for good.
//!
//! A queued run is a row of `xcore_runs` like any other, with an id of its own as its job. Its state is 3 when it failed for good.

use chrono::DateTime;
use futures_util::FutureExt;
use sea_orm::{ConnectionTrait, QueryResult, SqlErr};
use serde::Serialize;

use super::jobs::millis;
use super::{Stored, list, name_of, owner_of, unavailable};
use crate::scheduler::backend::Answer;
use crate::scheduler::job::{JobKey, Owner};
use crate::scheduler::queue::{DeadLetter, MOST_DEAD, Queue, Queued};
use crate::scheduler::{JobArguments, JobCall, SchedulerError};

#[derive(Serialize)]
struct Row<'a> {
    owner: String,
    life: Option<i64>,
    id: &'a str,
    tick: i64,
    plugin: &'a str,
    method: &'a str,
    arguments: Option<&'a str>,
}

/// The life is checked where the row is written, so the next tenant of the name gets nothing of the former.
const PUSH: &str = "\
    WITH v AS (
        SELECT value ->> 'owner' AS whose, CAST(value ->> 'life' AS bigint) AS life, value ->> 'id' AS which,
            CAST(value ->> 'tick' AS bigint) AS tick, value ->> 'plugin' AS plugin, value ->> 'method' AS method,
            value ->> 'arguments' AS arguments
        FROM {elements}($1)
    )
    INSERT INTO xcore_runs (owner, job, tick, plugin, method, overlap, run_at, queued, arguments)
    SELECT v.whose, v.which, v.tick, v.plugin, v.method, 'allow', {now}, 1, v.arguments
    FROM v JOIN xcore_job_owners AS o ON o.owner = v.whose AND (v.life IS NULL OR o.life = v.life)
    WHERE 1 = 1
    ON CONFLICT (owner, job, tick) DO NOTHING";

impl<C: ConnectionTrait + Send + Sync + 'static> Queue for Stored<C> {
    fn push(&self, runs: Vec<Queued>) -> Answer<'_, u64> {
        async move {
            let rows: Vec<Row<'_>> = runs
                .iter()
                .map(|run| Row {
                    owner: name_of(run.key.owner),
                    life: run.life,
                    id: &run.key.id,
                    tick: millis(run.at),
                    plugin: &run.call.plugin,
                    method: &run.call.job,
                    arguments: run.call.arguments.as_stored(),
                })
                .collect();
            match self.db.execute_raw(self.statement(PUSH, [list(&rows)?])).await {
                Ok(done) => Ok(done.rows_affected()),
                // The owner of the only one goes in the same moment.
                Err(problem)
                    if runs.len() == 1
                        && matches!(problem.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))) =>
                {
                    Ok(0)
                }
                Err(problem) => Err(unavailable(problem)),
            }
        }
        .boxed()
    }

    fn lives(&self, owners: Vec<Owner>) -> Answer<'_, Vec<(Owner, i64)>> {
        async move {
            let names: Vec<String> = owners.into_iter().map(name_of).collect();
            let text =
                "SELECT owner, life FROM xcore_job_owners WHERE owner IN (SELECT value FROM {texts}($1))";
            let mut lives = Vec::with_capacity(names.len());
            for row in self.query(text, [list(&names)?]).await? {
                let name: String = row.try_get("", "owner").map_err(unavailable)?;
                let life = row.try_get("", "life").map_err(unavailable)?;
                lives.extend(owner_of(&name).map(|owner| (owner, life)));
            }
            Ok(lives)
        }
        .boxed()
    }

    fn dead_letters(&self, owner: Owner) -> Answer<'_, Vec<DeadLetter>> {
        async move {
            let text = format!(
                "SELECT job, tick, plugin, method, arguments, ended_at, outcome, error FROM xcore_runs
                WHERE owner = $1 AND state = 3 ORDER BY ended_at DESC, number DESC LIMIT {MOST_DEAD}"
            );
            let rows = self.query(&text, [name_of(owner).into()]).await?;
            rows.iter().map(letter).collect()
        }
        .boxed()
    }

    fn retry<'a>(&'a self, key: &'a JobKey) -> Answer<'a, bool> {
        async move {
            let text = "\
                UPDATE xcore_runs SET state = 0, run_at = {now}, failures = 0, losses = 0, started_at = NULL, ended_at = NULL,
                    outcome = NULL, error = NULL
                WHERE owner = $1 AND job = $2 AND state = 3";
            let done = self.execute(text, [name_of(key.owner).into(), key.id.to_string().into()]).await?;
            Ok(done.rows_affected() > 0)
        }
        .boxed()
    }

    fn discard<'a>(&'a self, key: &'a JobKey) -> Answer<'a, bool> {
        async move {
            let text = "DELETE FROM xcore_runs WHERE owner = $1 AND job = $2 AND state = 3";
            let done = self.execute(text, [name_of(key.owner).into(), key.id.to_string().into()]).await?;
            Ok(done.rows_affected() > 0)
        }
        .boxed()
    }

    fn hand_over(&self, from: Owner, to: Owner) -> Answer<'_, ()> {
        async move {
            // Of one that has ended and is remembered, too: it is what keeps it from being put in line again.
            let text = "\
                UPDATE xcore_runs AS r SET owner = $2 WHERE r.owner = $1 AND r.queued = 1
                    AND EXISTS (SELECT 1 FROM xcore_job_owners AS o WHERE o.owner = $2)
                    AND NOT EXISTS (SELECT 1 FROM xcore_runs AS n WHERE n.owner = $2 AND n.job = r.job AND n.tick = r.tick)";
            self.execute(text, [name_of(from).into(), name_of(to).into()]).await.map(drop)
        }
        .boxed()
    }

    fn mark<'a>(&'a self, tenant: &'a str) -> Answer<'a, ()> {
        async move {
            let text = "INSERT INTO xcore_outbox_marks (tenant) VALUES ($1) ON CONFLICT (tenant) DO NOTHING";
            self.execute(text, [tenant.into()]).await.map(drop)
        }
        .boxed()
    }

    fn unmark<'a>(&'a self, tenant: &'a str) -> Answer<'a, ()> {
        async move {
            self.execute("DELETE FROM xcore_outbox_marks WHERE tenant = $1", [tenant.into()]).await.map(drop)
        }
        .boxed()
    }

    fn marked(&self) -> Answer<'_, Vec<String>> {
        async move {
            let rows = self.query("SELECT tenant FROM xcore_outbox_marks", []).await?;
            rows.iter().map(|row| row.try_get("", "tenant").map_err(unavailable)).collect()
        }
        .boxed()
    }
}

fn letter(row: &QueryResult) -> Result<DeadLetter, SchedulerError> {
    let text = |column: &str| row.try_get::<String>("", column).map_err(unavailable);
    let maybe = |column: &str| row.try_get::<Option<String>>("", column).map_err(unavailable);
    let id = text("job")?;
    let time = |column: &str| {
        let millis = row.try_get::<Option<i64>>("", column).map_err(unavailable)?.unwrap_or(0);
        DateTime::from_timestamp_millis(millis).ok_or_else(|| SchedulerError::Unreadable { id: id.clone() })
    };
    let job = JobCall {
        arguments: JobArguments::from_stored(maybe("arguments")?),
        ..JobCall::new(text("plugin")?, text("method")?)
    };
    Ok(DeadLetter {
        job,
        enqueued_at: time("tick")?,
        failed_at: time("ended_at")?,
        outcome: maybe("outcome")?.unwrap_or_default(),
        error: maybe("error")?,
        id,
    })
}
