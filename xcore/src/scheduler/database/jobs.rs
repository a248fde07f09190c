//! The jobs.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_orm::{ConnectionTrait, DbErr, ExecResult, QueryResult, SqlErr};
use serde::Serialize;

use super::{Stored, list, name_of, owner_of, unavailable};
use crate::scheduler::backend::{Answer, SchedulerBackend, Work};
use crate::scheduler::job::{JobEntry, JobKey, Overlap, Owner};
use crate::scheduler::queue::Queue;
use crate::scheduler::schedule::WrittenSchedule;
use crate::scheduler::{JobArguments, JobCall, Schedule, SchedulerError};
use crate::tenancy::TenantId;

/// How many tenants or jobs one statement is told of.
const AT_ONCE: usize = 1_000;

/// A job as a statement is told of it.
#[derive(Serialize)]
struct Row {
    owner: String,
    id: Arc<str>,
    plugin: String,
    method: String,
    arguments: Option<String>,
    schedule: String,
    once: u8,
    rules: String,
    overlap: &'static str,
    declared: u8,
    paused: u8,
    due: Option<i64>,
}

#[derive(Serialize)]
struct OwnerRow {
    owner: String,
    life: i64,
}

#[derive(Serialize)]
struct DueRow {
    owner: String,
    id: String,
    due: Option<i64>,
}

const COLUMNS: &str = "owner, id, plugin, method, arguments, schedule, rules, declared, paused, due";

/// One that had its only tick is gone, also where its row is still to be removed.
const IS_THERE: &str = "(once = 0 OR last_tick IS NULL)";

const PUT: &str = "\
    WITH v AS (
        SELECT value ->> 'owner' AS owner, value ->> 'id' AS id, value ->> 'plugin' AS plugin, value ->> 'method' AS method,
            value ->> 'arguments' AS arguments, value ->> 'schedule' AS schedule, CAST(value ->> 'once' AS smallint) AS once, value ->> 'rules' AS rules,
            value ->> 'overlap' AS overlap, CAST(value ->> 'declared' AS smallint) AS declared,
            CAST(value ->> 'paused' AS smallint) AS paused, CAST(value ->> 'due' AS bigint) AS due
        FROM {elements}($1)
    ){counted}
    INSERT INTO xcore_jobs (owner, id, plugin, method, arguments, schedule, once, rules, overlap, declared, paused, due)
    SELECT v.owner, v.id, v.plugin, v.method, v.arguments, v.schedule, v.once, v.rules, v.overlap, v.declared, v.paused,
        CASE WHEN o.resting = 0 AND v.paused = 0 THEN v.due END
    FROM v JOIN {owners} AS o ON o.owner = v.owner
    WHERE {fits}
    ON CONFLICT (owner, id) DO UPDATE SET
        plugin = excluded.plugin, method = excluded.method, arguments = excluded.arguments, schedule = excluded.schedule, once = excluded.once,
        rules = excluded.rules, overlap = excluded.overlap, declared = excluded.declared,
        paused = CASE WHEN excluded.paused = 1 THEN 1 ELSE xcore_jobs.paused END,
        due = CASE
            WHEN xcore_jobs.paused = 1 OR excluded.due IS NULL THEN NULL
            WHEN xcore_jobs.schedule = excluded.schedule AND xcore_jobs.due IS NOT NULL THEN xcore_jobs.due
            ELSE excluded.due
        END,
        last_tick = CASE
            WHEN excluded.once = 1 OR xcore_jobs.schedule <> excluded.schedule THEN NULL
            ELSE xcore_jobs.last_tick
        END";

fn put_text(counted: &str, owners: &str, fits: &str) -> String {
    PUT.replace("{counted}", counted).replace("{owners}", owners).replace("{fits}", fits)
}

/// How many jobs an owner has that are not declared, whether this one is among them, and how often one was added within a limit.
const ADDED: &str = "\
    SELECT o.additions,
        (SELECT count(*) FROM xcore_jobs AS j
            WHERE j.owner = o.owner AND j.declared = 0 AND (j.once = 0 OR j.last_tick IS NULL)) AS has,
        (SELECT count(*) FROM xcore_jobs AS j WHERE j.owner = o.owner AND j.id = $2) AS same
    FROM xcore_job_owners AS o WHERE o.owner = $1";

/// Counts the addition, unless another process has counted one since this one looked: then there is no row, and nothing is added.
const COUNTED: &str = ", counted AS (
        UPDATE xcore_job_owners SET additions = additions + 1
        WHERE owner = (SELECT v.owner FROM v) AND additions = $2 RETURNING owner, resting
    )";

impl<C: ConnectionTrait> Stored<C> {
    /// Adds a job to a tenant that may have so many.
    ///
    /// Two statements and no lock between them: the second one does nothing when somebody else has added a job after the first,
    /// and then both are repeated. So each repetition is somebody's addition.
    async fn put_counted(
        &self,
        entry: &JobEntry,
        tenant: &TenantId,
        most: usize,
    ) -> Result<(), SchedulerError> {
        let whose = name_of(entry.key.owner);
        let rows = list(&[row(entry, entry.since)?])?;
        loop {
            let found = self.query(ADDED, [whose.clone().into(), entry.key.id.to_string().into()]).await?;
            let Some(found) = found.first() else {
                return Err(SchedulerError::TenantDeleted { tenant: *tenant });
            };
            let number = |column: &str| found.try_get::<i64>("", column).map_err(unavailable);
            let (additions, has, same) = (number("additions")?, number("has")?, number("same")?);
            if same == 0 && usize::try_from(has).unwrap_or(usize::MAX) >= most {
                return Err(SchedulerError::TooMany { tenant: *tenant, most });
            }
            #[cfg(test)]
            self.between_count_and_addition().await;
            let told = if self.is_postgres() {
                let text = put_text(COUNTED, "counted", "1 = 1");
                self.db.execute_raw(self.statement(&text, [rows.clone(), additions.into()])).await
            } else {
                // One process, and one statement that writes at a time: it counts for itself.
                let fits = "(SELECT count(*) FROM xcore_jobs AS j WHERE j.owner = v.owner AND j.id <> v.id
                        AND j.declared = 0 AND (j.once = 0 OR j.last_tick IS NULL)) < $2
                    OR EXISTS (SELECT 1 FROM xcore_jobs AS j WHERE j.owner = v.owner AND j.id = v.id)";
                let most = i64::try_from(most).unwrap_or(i64::MAX);
                let text = put_text("", "xcore_job_owners", fits);
                self.db.execute_raw(self.statement(&text, [rows.clone(), most.into()])).await
            };
            if self.is_added(told, std::slice::from_ref(entry))? {
                return Ok(());
            }
        }
    }

    /// Whether rows were written. An owner that goes in the same moment is told of as one that is gone.
    fn is_added(
        &self,
        told: Result<ExecResult, DbErr>,
        entries: &[JobEntry],
    ) -> Result<bool, SchedulerError> {
        if let (Err(error), [JobEntry { key: JobKey { owner: Owner::Tenant(tenant), .. }, .. }]) =
            (&told, entries)
            && matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_)))
        {
            return Err(SchedulerError::TenantDeleted { tenant: *tenant });
        }
        Ok(told.map_err(unavailable)?.rows_affected() > 0)
    }

    async fn open_all(&self, owners: &[(Owner, i64)]) -> Result<(), SchedulerError> {
        for some in owners.chunks(AT_ONCE) {
            let rows: Vec<_> =
                some.iter().map(|(owner, life)| OwnerRow { owner: name_of(*owner), life: *life }).collect();
            let rows = list(&rows)?;
            // What an earlier tenant of the name has left. A removal that was cut off is finished before there is a next one,
            // so as a rule there is nothing.
            let earlier = "\
                WITH v AS (SELECT value ->> 'owner' AS owner, CAST(value ->> 'life' AS bigint) AS life FROM {elements}($1))
                DELETE FROM xcore_job_owners
                WHERE EXISTS (SELECT 1 FROM v WHERE v.owner = xcore_job_owners.owner AND v.life > xcore_job_owners.life)";
            self.execute(earlier, [rows.clone()]).await?;
            let insert = "\
                INSERT INTO xcore_job_owners (owner, life, resting)
                SELECT value ->> 'owner', CAST(value ->> 'life' AS bigint), 0 FROM {elements}($1) WHERE 1 = 1
                ON CONFLICT (owner) DO NOTHING";
            self.execute(insert, [rows]).await?;
        }
        Ok(())
    }

    async fn put_all(&self, entries: &[JobEntry], now: DateTime<Utc>) -> Result<(), SchedulerError> {
        for some in entries.chunks(AT_ONCE) {
            let rows = some.iter().map(|entry| row(entry, now)).collect::<Result<Vec<_>, _>>()?;
            let is_added = self.put_rows(&rows, some).await?;
            // With one entry it is the owner of a handle.
            if let (false, [JobEntry { key: JobKey { owner: Owner::Tenant(tenant), .. }, .. }]) =
                (is_added, some)
            {
                return Err(SchedulerError::TenantDeleted { tenant: *tenant });
            }
        }
        Ok(())
    }

    /// In one statement, so all or none.
    async fn put_rows(&self, rows: &[Row], entries: &[JobEntry]) -> Result<bool, SchedulerError> {
        let text = put_text("", "xcore_job_owners", "1 = 1");
        let told = self.db.execute_raw(self.statement(&text, [list(rows)?])).await;
        self.is_added(told, entries)
    }

    /// Lets jobs come due again that neither rest nor pause and are not awaited.
    async fn revive(&self, owners: &[(Owner, i64)], now: DateTime<Utc>) -> Result<(), SchedulerError> {
        for some in owners.chunks(AT_ONCE) {
            let names = list(&some.iter().map(|(owner, _)| name_of(*owner)).collect::<Vec<_>>())?;
            let wake = "UPDATE xcore_job_owners SET resting = 0 WHERE resting = 1 AND owner IN (SELECT value FROM {texts}($1))";
            self.execute(wake, [names.clone()]).await?;
            let find = format!(
                "SELECT {COLUMNS} FROM xcore_jobs WHERE due IS NULL AND paused = 0 AND {IS_THERE} AND owner IN (SELECT value FROM {{texts}}($1))"
            );
            let mut rows = Vec::new();
            for found in self.query(&find, [names]).await? {
                let entry = entry(&found)?;
                rows.push(DueRow {
                    owner: name_of(entry.key.owner),
                    id: entry.key.id.to_string(),
                    due: entry.schedule.first_from(now).map(millis),
                });
            }
            let set = "\
                WITH v AS (
                    SELECT value ->> 'owner' AS whose, value ->> 'id' AS which, CAST(value ->> 'due' AS bigint) AS upcoming
                    FROM {elements}($1)
                )
                UPDATE xcore_jobs AS j SET due = v.upcoming FROM v
                WHERE j.owner = v.whose AND j.id = v.which AND j.due IS NULL AND j.paused = 0";
            for some in rows.chunks(AT_ONCE) {
                self.execute(set, [list(&some)?]).await?;
            }
        }
        Ok(())
    }

    async fn find(&self, key: &JobKey) -> Result<Option<JobEntry>, SchedulerError> {
        let text = format!("SELECT {COLUMNS} FROM xcore_jobs WHERE owner = $1 AND id = $2 AND {IS_THERE}");
        let values = [name_of(key.owner).into(), key.id.to_string().into()];
        self.query(&text, values).await?.first().map(entry).transpose()
    }
}

impl<C: ConnectionTrait + Send + Sync + 'static> SchedulerBackend for Stored<C> {
    fn open(&self, owner: Owner, life: i64) -> Answer<'_, ()> {
        async move { self.open_all(&[(owner, life)]).await }.boxed()
    }

    fn close(&self, owner: Owner, life: i64) -> Answer<'_, ()> {
        async move {
            // Whoever hears late of a deletion must not take the next tenant's jobs.
            let text = "DELETE FROM xcore_job_owners WHERE owner = $1 AND life <= $2";
            self.execute(text, [name_of(owner).into(), life.into()]).await.map(drop)
        }
        .boxed()
    }

    fn activate(
        &self,
        owners: Vec<(Owner, i64)>,
        declared: Vec<JobEntry>,
        now: DateTime<Utc>,
    ) -> Answer<'_, Vec<Schedule>> {
        async move {
            self.open_all(&owners).await?;
            let ids: std::collections::BTreeSet<&str> = declared.iter().map(|entry| &*entry.key.id).collect();
            let ids = list(&ids)?;
            for some in owners.chunks(AT_ONCE) {
                let names = list(&some.iter().map(|(owner, _)| name_of(*owner)).collect::<Vec<_>>())?;
                let gone = "\
                    DELETE FROM xcore_jobs WHERE declared = 1 AND owner IN (SELECT value FROM {texts}($1))
                        AND id NOT IN (SELECT value FROM {texts}($2))";
                self.execute(gone, [names, ids.clone()]).await?;
            }
            self.revive(&owners, now).await?;
            self.put_all(&declared, now).await?;
            Ok(declared.first().map(|entry| entry.schedule.clone()).into_iter().collect())
        }
        .boxed()
    }

    fn put(&self, entry: JobEntry) -> Answer<'_, ()> {
        async move {
            let now = entry.since;
            self.put_all(&[entry], now).await
        }
        .boxed()
    }

    fn put_together(&self, entries: Vec<JobEntry>) -> Answer<'_, ()> {
        async move {
            let rows = entries.iter().map(|entry| row(entry, entry.since)).collect::<Result<Vec<_>, _>>()?;
            match (self.put_rows(&rows, &entries).await?, entries.first().map(|first| first.key.owner)) {
                (false, Some(Owner::Tenant(tenant))) => Err(SchedulerError::TenantDeleted { tenant }),
                _ => Ok(()),
            }
        }
        .boxed()
    }

    fn put_within<'a>(&'a self, entry: JobEntry, tenant: &'a TenantId, most: usize) -> Answer<'a, ()> {
        async move { self.put_counted(&entry, tenant, most).await }.boxed()
    }

    fn remove<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Option<JobEntry>> {
        async move {
            let text = format!(
                "DELETE FROM xcore_jobs WHERE owner = $1 AND id = $2 AND declared = 0 RETURNING {COLUMNS}"
            );
            let values = || [name_of(key.owner).into(), key.id.to_string().into()];
            let removed = self.query(&text, values()).await?.first().map(entry).transpose()?;
            let waiting = "DELETE FROM xcore_runs WHERE owner = $1 AND job = $2 AND state = 0";
            self.execute(waiting, values()).await?;
            let under_way = "UPDATE xcore_runs SET is_last = 1 WHERE owner = $1 AND job = $2 AND state = 1";
            self.execute(under_way, values()).await?;
            Ok(removed)
        }
        .boxed()
    }

    fn get<'a>(&'a self, key: &'a JobKey) -> Answer<'a, Option<JobEntry>> {
        self.find(key).boxed()
    }

    fn list(&self, owner: Owner) -> Answer<'_, Vec<JobEntry>> {
        async move {
            let text = format!("SELECT {COLUMNS} FROM xcore_jobs WHERE owner = $1 AND {IS_THERE}");
            let rows = self.query(&text, [name_of(owner).into()]).await?;
            let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
            // Not by the database, whose order of texts may be that of a language.
            entries.sort_by(|a, b| a.key.id.cmp(&b.key.id));
            Ok(entries)
        }
        .boxed()
    }

    fn set_paused<'a>(
        &'a self,
        key: &'a JobKey,
        paused: bool,
        now: DateTime<Utc>,
    ) -> Answer<'a, Option<JobEntry>> {
        async move {
            let Some(found) = self.find(key).await? else { return Ok(None) };
            let due = found.schedule.first_from(now).map(millis);
            let text = format!(
                "UPDATE xcore_jobs SET paused = $3,
                    due = CASE
                        WHEN $3 = 1 OR (SELECT o.resting FROM xcore_job_owners AS o WHERE o.owner = $1) = 1 THEN NULL
                        WHEN paused = 0 THEN due
                        ELSE $4
                    END
                WHERE owner = $1 AND id = $2 RETURNING {COLUMNS}"
            );
            let values = [
                name_of(key.owner).into(),
                key.id.to_string().into(),
                i16::from(paused).into(),
                due.into(),
            ];
            self.query(&text, values).await?.first().map(entry).transpose()
        }
        .boxed()
    }

    fn set_resting(&self, owner: Owner, resting: bool, now: DateTime<Utc>) -> Answer<'_, Vec<Schedule>> {
        async move {
            if !resting {
                self.revive(&[(owner, 0)], now).await?;
                return Ok(Vec::new());
            }
            let values = || [name_of(owner).into()];
            self.execute("UPDATE xcore_job_owners SET resting = 1 WHERE owner = $1", values()).await?;
            self.execute("UPDATE xcore_jobs SET due = NULL WHERE owner = $1", values()).await?;
            Ok(Vec::new())
        }
        .boxed()
    }

    fn work(&self) -> Work<'_> {
        Work::Claims(self)
    }

    fn queue(&self) -> Option<&dyn Queue> {
        Some(self)
    }
}

pub(super) fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

pub(super) fn overlap_text(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Skip => "skip",
        Overlap::Queue => "queue",
        Overlap::Allow => "allow",
    }
}

fn row(entry: &JobEntry, now: DateTime<Utc>) -> Result<Row, SchedulerError> {
    Ok(Row {
        owner: name_of(entry.key.owner),
        id: Arc::clone(&entry.key.id),
        plugin: entry.call.plugin.to_string(),
        method: entry.call.job.to_string(),
        arguments: entry.call.arguments.as_stored().map(str::to_owned),
        schedule: WrittenSchedule::text_of(&entry.schedule)
            .map_err(|source| SchedulerError::Unavailable { source: Box::new(source) })?,
        once: entry.schedule.is_once().into(),
        rules: serde_json::to_string(&entry.rules)
            .map_err(|source| SchedulerError::Unavailable { source: Box::new(source) })?,
        overlap: overlap_text(entry.rules.overlap),
        declared: entry.declared.into(),
        paused: entry.paused.into(),
        due: entry.schedule.first_from(now).map(millis),
    })
}

/// A row of [`COLUMNS`].
fn entry(row: &QueryResult) -> Result<JobEntry, SchedulerError> {
    let text = |column: &str| row.try_get::<String>("", column).map_err(unavailable);
    let flag = |column: &str| row.try_get::<i16>("", column).map(|flag| flag == 1).map_err(unavailable);
    let id = text("id")?;
    let unreadable = || SchedulerError::Unreadable { id: id.clone() };
    let owner = owner_of(&text("owner")?).ok_or_else(unreadable)?;
    let schedule = WrittenSchedule::read_text(&text("schedule")?).ok_or_else(unreadable)?;
    let rules = serde_json::from_str(&text("rules")?).map_err(|_| unreadable())?;
    Ok(JobEntry {
        call: JobCall {
            arguments: JobArguments::from_stored(row.try_get("", "arguments").map_err(unavailable)?),
            ..JobCall::new(text("plugin")?, text("method")?)
        },
        schedule,
        rules,
        declared: flag("declared")?,
        paused: flag("paused")?,
        // `due` says it.
        since: DateTime::UNIX_EPOCH,
        key: JobKey { owner, id: id.into() },
    })
}
