//! The runs: made of ticks, claimed, renewed, ended.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde::Serialize;

use super::jobs::millis;
use super::{Stored, list, name_of, owner_of, unavailable};
use crate::scheduler::backend::Answer;
use crate::scheduler::claims::{ClaimId, ClaimedRun, Claims, Ending, Holder, Report, Round};
use crate::scheduler::history::{LONGEST_ERROR, RunInfo, RunOutcome};
use crate::scheduler::job::{JobKey, Owner, Rules};
use crate::scheduler::misfire::ticks_of;
use crate::scheduler::schedule::WrittenSchedule;
use crate::scheduler::{JobArguments, JobCall, SchedulerError};

/// How many jobs that are due one round makes runs of.
const DUE_AT_ONCE: i64 = 2_000;

/// A run whose processes died so often is given up: it may be what kills them.
const MOST_LOSSES: i64 = 5;

/// How long a run rests that a process gave back.
const PAUSE: i64 = 500;

/// What there is to do, and when. Each part is one step in an index.
const LOOK: &str = "\
    SELECT {now} AS clock,
        (SELECT min(due) FROM xcore_jobs) AS due,
        (SELECT min(run_at) FROM xcore_runs WHERE state = 0) AS ready,
        (SELECT min(lease_until) FROM xcore_runs WHERE state = 1) AS lease";

/// Runs whose lease has ended are there for everybody. What their processes report is refused from now on.
const LOST: &str = "\
    UPDATE xcore_runs SET
        state = CASE WHEN losses + 1 < $1 AND is_last = 0 THEN 0 WHEN queued = 1 THEN 3 ELSE 2 END,
        outcome = CASE WHEN losses + 1 < $1 AND is_last = 0 THEN NULL ELSE 'lost' END,
        ended_at = CASE WHEN losses + 1 < $1 AND is_last = 0 THEN NULL ELSE {now} END,
        losses = losses + 1, run_at = {now}, holder = NULL, lease_until = NULL
    WHERE state = 1 AND lease_until < {now}";

const DUE: &str =
    "SELECT owner, id, schedule, rules, due FROM xcore_jobs WHERE due <= $1 ORDER BY due LIMIT $2";

/// Whether the rule about overlapping allows one more run of the job `j` at all.
const HAS_ROOM: &str = "\
    CASE j.overlap
        WHEN 'skip' THEN NOT EXISTS (
            SELECT 1 FROM xcore_runs AS r WHERE r.owner = j.owner AND r.job = j.id AND r.state < 2)
        WHEN 'queue' THEN NOT EXISTS (
            SELECT 1 FROM xcore_runs AS r WHERE r.owner = j.owner AND r.job = j.id AND r.state = 0)
        ELSE 64 > (
            SELECT count(*) FROM xcore_runs AS r WHERE r.owner = j.owner AND r.job = j.id AND r.state = 0)
    END";

const MOVES: &str = "\
    SELECT value ->> 'owner' AS whose, value ->> 'id' AS which, CAST(value ->> 'due' AS bigint) AS was_due,
        CAST(value ->> 'next' AS bigint) AS upcoming
    FROM {elements}($1)";

const TICKS: &str = "\
    SELECT value ->> 'owner' AS whose, value ->> 'id' AS which, CAST(value ->> 'tick' AS bigint) AS tick,
        CAST(value ->> 'delay' AS bigint) AS delay, CAST(value ->> 'due' AS bigint) AS was_due
    FROM {elements}($2)";

/// One run may be under way of a job whose runs do not overlap, and of those that wait the first is next. `turn` counts the runs
/// of an owner, so that the first of each come before the second of any.
const CLAIM: &str = "\
    WITH ready AS (
        SELECT r.number, r.run_at, r.overlap,
            row_number() OVER (PARTITION BY r.owner ORDER BY r.run_at, r.number) AS turn,
            row_number() OVER (PARTITION BY r.owner, r.job ORDER BY r.run_at, r.number) AS place
        FROM xcore_runs AS r JOIN xcore_job_owners AS o ON o.owner = r.owner
        WHERE r.state = 0 AND r.run_at <= {now} AND o.resting = 0
            AND (r.queued = 0 OR r.owner NOT IN (SELECT value FROM {texts}($5)))
            AND r.plugin || '.' || r.method IN (SELECT value FROM {texts}($1))
            AND (r.overlap = 'allow' OR NOT EXISTS (
                SELECT 1 FROM xcore_runs AS other
                WHERE other.owner = r.owner AND other.job = r.job AND other.state = 1))
    ),
    first AS MATERIALIZED (
        SELECT number FROM ready WHERE overlap = 'allow' OR place = 1 ORDER BY turn, run_at, number LIMIT $2
    ),
    picked AS MATERIALIZED (
        SELECT number FROM xcore_runs WHERE number IN (SELECT number FROM first) AND state = 0 {lock}
    )
    UPDATE xcore_runs SET state = 1, holder = $3, token = token + 1, lease_until = {now} + $4, started_at = {now}
    WHERE number IN (SELECT number FROM picked)
    RETURNING number, token, owner, job, tick, plugin, method, failures, arguments, queued";

const CLAIM_IDS: &str = "\
    SELECT CAST(value ->> 'run' AS bigint) AS run, CAST(value ->> 'token' AS bigint) AS claim FROM {elements}($1)";

/// The number of the claim is checked where the outcome is written: what an earlier claim gives is not taken.
const IS_MINE: &str = "number = v.run AND token = v.claim AND state = 1";

#[derive(Serialize)]
struct Move {
    owner: String,
    id: String,
    due: i64,
    next: Option<i64>,
}

#[derive(Serialize)]
struct Tick {
    owner: String,
    id: String,
    tick: i64,
    /// What the job was due, by which it is found that nobody else has moved it.
    due: i64,
    /// How long after now it begins.
    delay: i64,
}

#[derive(Serialize)]
struct Claimed {
    run: i64,
    token: i64,
}

#[derive(Serialize)]
struct Ended {
    run: i64,
    token: i64,
    state: i16,
    outcome: Option<&'static str>,
    error: Option<String>,
    /// How long it rests when it is to run again.
    delay: i64,
    failed: u8,
}

impl From<&ClaimId> for Claimed {
    fn from(id: &ClaimId) -> Self {
        Self { run: id.run, token: id.token }
    }
}

/// What is to be done of a job that is due.
struct Due {
    /// In milliseconds since 1970, as the next one.
    ticks: Vec<i64>,
    next: Option<i64>,
    rules: Rules,
}

/// What a look gave, in milliseconds since 1970.
struct Look {
    now: i64,
    due: Option<i64>,
    ready: Option<i64>,
    lease: Option<i64>,
}

impl<C: ConnectionTrait> Stored<C> {
    async fn look(&self) -> Result<Look, SchedulerError> {
        let rows = self.query(LOOK, []).await?;
        let row = rows.first().ok_or_else(|| SchedulerError::Unavailable { source: "no row".into() })?;
        let number = |column: &str| row.try_get::<Option<i64>>("", column).map_err(unavailable);
        Ok(Look {
            now: row.try_get("", "clock").map_err(unavailable)?,
            due: number("due")?,
            ready: number("ready")?,
            lease: number("lease")?,
        })
    }

    /// Makes runs of the ticks that have come.
    async fn make_runs(&self, now: i64) -> Result<(), SchedulerError> {
        let due = self.query(DUE, [now.into(), DUE_AT_ONCE.into()]).await?;
        let (mut moves, mut ticks, mut has_once) = (Vec::new(), Vec::new(), false);
        // Thousands of tenants have one and the same job.
        let mut known: HashMap<(String, String, i64), Due> = HashMap::new();
        for row in &due {
            let text = |column: &str| row.try_get::<String>("", column).map_err(unavailable);
            let (owner, id) = (text("owner")?, text("id")?);
            let due: i64 = row.try_get("", "due").map_err(unavailable)?;
            let key = (text("schedule")?, text("rules")?, due);
            let runs = match known.get(&key) {
                Some(known) => known,
                None => {
                    let Some(found) = ticks_of_row(&key.0, &key.1, due, now) else {
                        // Stored by a newer version, which looks after it.
                        tracing::warn!(owner, id, "a job is stored in a way that this version cannot read");
                        continue;
                    };
                    known.entry(key).or_insert(found)
                }
            };
            has_once |= runs.next.is_none();
            ticks.extend(runs.ticks.iter().map(|tick| Tick {
                owner: owner.clone(),
                id: id.clone(),
                tick: *tick,
                due,
                delay: length(runs.rules.delay(&owner, &id, *tick)),
            }));
            moves.push(Move { owner, id, due, next: runs.next });
        }
        if moves.is_empty() {
            return Ok(());
        }
        self.store_ticks(list(&moves)?, list(&ticks)?).await?;
        if has_once {
            self.execute("DELETE FROM xcore_jobs WHERE once = 1 AND last_tick IS NOT NULL", []).await?;
        }
        Ok(())
    }

    /// Moves jobs on to their next tick and makes runs of the earlier ones, where nobody else has.
    async fn store_ticks(&self, moves: Value, ticks: Value) -> Result<(), SchedulerError> {
        let runs = "INSERT INTO xcore_runs (owner, job, tick, plugin, method, arguments, overlap, run_at)";
        if self.is_postgres() {
            let text = format!(
                "WITH v AS ({MOVES}), t AS ({TICKS}),
                picked AS MATERIALIZED (
                    SELECT j.owner, j.id FROM xcore_jobs AS j JOIN v ON j.owner = v.whose AND j.id = v.which
                    WHERE j.due = v.was_due FOR UPDATE OF j SKIP LOCKED
                ),
                j AS (
                    UPDATE xcore_jobs AS job SET due = v.upcoming, last_tick = v.was_due
                    FROM picked JOIN v ON v.whose = picked.owner AND v.which = picked.id
                    WHERE job.owner = picked.owner AND job.id = picked.id
                    RETURNING job.owner, job.id, job.plugin, job.method, job.arguments, job.overlap
                )
                {runs}
                SELECT j.owner, j.id, t.tick, j.plugin, j.method, j.arguments, j.overlap, {{now}} + t.delay
                FROM j JOIN t ON t.whose = j.owner AND t.which = j.id
                WHERE {HAS_ROOM}
                ON CONFLICT (owner, job, tick) DO NOTHING"
            );
            return self.execute(&text, [moves, ticks]).await.map(drop);
        }
        // When the process ends between the two, the first gives nothing the next time. SQLite keeps the order of a CROSS JOIN: each
        // tick finds its job by the key, where it would otherwise compare all ticks with each other.
        let text = format!(
            "WITH t AS ({})
            {runs}
            SELECT j.owner, j.id, t.tick, j.plugin, j.method, j.arguments, j.overlap, {{now}} + t.delay
            FROM t CROSS JOIN xcore_jobs AS j ON j.owner = t.whose AND j.id = t.which AND j.due = t.was_due
            WHERE {HAS_ROOM}
            ON CONFLICT (owner, job, tick) DO NOTHING",
            TICKS.replace("$2", "$1")
        );
        self.execute(&text, [ticks]).await?;
        let text = format!(
            "WITH v AS ({MOVES})
            UPDATE xcore_jobs AS j SET due = v.upcoming, last_tick = v.was_due FROM v
            WHERE j.owner = v.whose AND j.id = v.which AND j.due = v.was_due"
        );
        self.execute(&text, [moves]).await.map(drop)
    }

    async fn claim_ready(
        &self,
        holder: &Holder,
        calls: &[JobCall],
        wanted: usize,
        crowded: &[Owner],
    ) -> Result<Vec<ClaimedRun>, SchedulerError> {
        let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
        let values = [
            list(&calls)?,
            i64::try_from(wanted).unwrap_or(i64::MAX).into(),
            holder.name.clone().into(),
            length(holder.lease).into(),
            list(&crowded.iter().copied().map(name_of).collect::<Vec<_>>())?,
        ];
        #[cfg(test)]
        let text = if self.mutants.ignores_leases.load(std::sync::atomic::Ordering::Relaxed) {
            CLAIM.replace("r.state = 0 AND", "r.state < 2 AND").replace("AND state = 0 {lock}", "{lock}")
        } else {
            CLAIM.to_owned()
        };
        #[cfg(not(test))]
        let text = CLAIM.to_owned();
        self.query(&text, values).await?.iter().map(claimed).collect()
    }
}

impl<C: ConnectionTrait + Send + Sync + 'static> Claims for Stored<C> {
    fn claim_except<'a>(
        &'a self,
        holder: &'a Holder,
        calls: &'a [JobCall],
        wanted: usize,
        crowded: Vec<Owner>,
    ) -> Answer<'a, Round> {
        async move {
            let mut look = self.look().await?;
            let has_come = |time: Option<i64>, now: i64| time.is_some_and(|time| time <= now);
            if has_come(look.lease, look.now) {
                self.execute(LOST, [MOST_LOSSES.into()]).await?;
            }
            let made = has_come(look.due, look.now);
            if made {
                self.make_runs(look.now).await?;
            }
            let mut runs = Vec::new();
            if made || has_come(look.ready, look.now) || has_come(look.lease, look.now) {
                runs = self.claim_ready(holder, calls, wanted, &crowded).await?;
            }
            if made {
                // Of the next ticks nothing was known.
                look = self.look().await?;
            }
            let upcoming = [look.due, look.ready.filter(|ready| *ready > look.now), look.lease];
            let idle_for =
                upcoming.into_iter().flatten().min().map(|time| {
                    Duration::from_millis(u64::try_from(time.saturating_sub(look.now)).unwrap_or(0))
                });
            Ok(Round { runs, idle_for })
        }
        .boxed()
    }

    fn renew<'a>(&'a self, holder: &'a Holder, claims: &'a [ClaimId]) -> Answer<'a, Vec<ClaimId>> {
        async move {
            let text = format!(
                "WITH v AS ({CLAIM_IDS}) UPDATE xcore_runs SET lease_until = {{now}} + $2 FROM v WHERE {IS_MINE} RETURNING number, token"
            );
            let asked: Vec<Claimed> = claims.iter().map(Claimed::from).collect();
            let rows = self.query(&text, [list(&asked)?, length(holder.lease).into()]).await?;
            without(claims.iter().copied(), &rows)
        }
        .boxed()
    }

    fn report<'a>(&'a self, reports: &'a [Report]) -> Answer<'a, Vec<ClaimId>> {
        async move {
            #[cfg(test)]
            let is_mine = if self.mutants.ignores_tokens.load(std::sync::atomic::Ordering::Relaxed) {
                "number = v.run"
            } else {
                IS_MINE
            };
            #[cfg(not(test))]
            let is_mine = IS_MINE;
            let text = format!(
                "WITH v AS (
                    SELECT CAST(value ->> 'run' AS bigint) AS run, CAST(value ->> 'token' AS bigint) AS claim,
                        CAST(value ->> 'state' AS smallint) AS becomes, value ->> 'outcome' AS ending, value ->> 'error' AS problem,
                        CAST(value ->> 'delay' AS bigint) AS delay, CAST(value ->> 'failed' AS bigint) AS failed
                    FROM {{elements}}($1)
                )
                UPDATE xcore_runs SET
                    state = CASE
                        WHEN v.becomes = 2 AND queued = 1 AND v.ending <> 'done' THEN 3
                        WHEN is_last = 1 THEN 2
                        ELSE v.becomes
                    END,
                    outcome = CASE WHEN is_last = 1 AND v.ending IS NULL THEN 'lost' ELSE v.ending END, error = v.problem, holder = NULL, lease_until = NULL,
                    ended_at = CASE WHEN v.becomes = 2 OR is_last = 1 THEN {{now}} END,
                    run_at = CASE WHEN v.becomes = 0 THEN {{now}} + v.delay ELSE run_at END,
                    failures = failures + v.failed
                FROM v WHERE {is_mine} RETURNING number, token"
            );
            let told: Vec<Ended> = reports.iter().map(ended).collect();
            let rows = self.query(&text, [list(&told)?]).await?;
            without(reports.iter().map(|report| report.id), &rows)
        }
        .boxed()
    }

    fn run_now<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Option<bool>> {
        async move {
            let text = format!(
                "INSERT INTO xcore_runs (owner, job, tick, plugin, method, arguments, overlap, run_at)
                SELECT j.owner, j.id, {{now}}, j.plugin, j.method, j.arguments, j.overlap, {{now}}
                FROM xcore_jobs AS j
                WHERE j.owner = $1 AND j.id = $2 AND (j.once = 0 OR j.last_tick IS NULL) AND {HAS_ROOM}
                ON CONFLICT (owner, job, tick) DO NOTHING"
            );
            let values = || [name_of(key.owner).into(), key.id.to_string().into()];
            if self.execute(&text, values()).await?.rows_affected() > 0 {
                return Ok(Some(true));
            }
            let is_there =
                "SELECT 1 FROM xcore_jobs WHERE owner = $1 AND id = $2 AND (once = 0 OR last_tick IS NULL)";
            Ok((!self.query(is_there, values()).await?.is_empty()).then_some(false))
        }
        .boxed()
    }

    fn history<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Vec<RunInfo>> {
        self.ended_runs(key).boxed()
    }

    fn purge(&self) -> Answer<'_, ()> {
        self.forget_runs().boxed()
    }
}

/// The ticks of a job that make runs, and the tick after them.
fn ticks_of_row(schedule: &str, rules: &str, due: i64, now: i64) -> Option<Due> {
    let schedule = WrittenSchedule::read_text(schedule)?;
    let rules: Rules = serde_json::from_str(rules).ok()?;
    let due = DateTime::<Utc>::from_timestamp_millis(due)?;
    let now = DateTime::<Utc>::from_timestamp_millis(now)?;
    let (ticks, next) = ticks_of(&schedule, rules.misfire, due, now);
    Some(Due { ticks: ticks.into_iter().map(millis).collect(), next: next.map(millis), rules })
}

pub(super) fn length(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn claimed(row: &QueryResult) -> Result<ClaimedRun, SchedulerError> {
    let text = |column: &str| row.try_get::<String>("", column).map_err(unavailable);
    let number = |column: &str| row.try_get::<i64>("", column).map_err(unavailable);
    let job = text("job")?;
    let unreadable = || SchedulerError::Unreadable { id: job.clone() };
    let owner = owner_of(&text("owner")?).ok_or_else(unreadable)?;
    Ok(ClaimedRun {
        id: ClaimId { run: number("number")?, token: number("token")? },
        call: JobCall {
            arguments: JobArguments::from_stored(row.try_get("", "arguments").map_err(unavailable)?),
            ..JobCall::new(text("plugin")?, text("method")?)
        },
        tick: DateTime::from_timestamp_millis(number("tick")?).ok_or_else(unreadable)?,
        is_queued: row.try_get::<i16>("", "queued").map_err(unavailable)? == 1,
        failures: u32::try_from(number("failures")?).unwrap_or(u32::MAX),
        key: JobKey { owner, id: job.into() },
    })
}

fn ended(report: &Report) -> Ended {
    let ClaimId { run, token } = report.id;
    match &report.ending {
        Ending::Done => Ended {
            run,
            token,
            state: 2,
            outcome: Some(RunOutcome::Done.as_str()),
            error: None,
            delay: 0,
            failed: 0,
        },
        Ending::Failed { outcome, error, retry_after } => {
            // A NUL is no text to PostgreSQL.
            let error = error.replace('\0', " ").chars().take(LONGEST_ERROR).collect();
            let (state, delay) = retry_after.map_or((2, 0), |after| (0, length(after)));
            Ended { run, token, state, outcome: Some(outcome.as_str()), error: Some(error), delay, failed: 1 }
        }
        Ending::Released => {
            Ended { run, token, state: 0, outcome: None, error: None, delay: PAUSE, failed: 0 }
        }
    }
}

/// Those of the claims that no row names.
fn without(
    claims: impl Iterator<Item = ClaimId>,
    rows: &[QueryResult],
) -> Result<Vec<ClaimId>, SchedulerError> {
    let mut named = std::collections::HashSet::with_capacity(rows.len());
    for row in rows {
        let number = |column: &str| row.try_get::<i64>("", column).map_err(unavailable);
        named.insert(ClaimId { run: number("number")?, token: number("token")? });
    }
    Ok(claims.filter(|id| !named.contains(id)).collect())
}
