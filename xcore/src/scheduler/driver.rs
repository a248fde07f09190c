//! The one task that follows the agenda, where this process is the only one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep};

use super::Schedule;
use super::agenda::Agenda;
use super::alarm::TickSource;
use super::backend::{SchedulerBackend, Ticks};
use super::claiming::Claiming;
use super::clock::Clock;
use super::job::Misfire;
use super::misfire::ticks_of;
use super::runs::{Planned, Runs};

/// What is nearer than this is awaited with tokio's timer alone, which is exact to a millisecond.
const NEAR: Duration = Duration::from_secs(2);

/// The alarm rings so long before the instant; tokio's timer does the rest.
const AHEAD: TimeDelta = TimeDelta::seconds(1);

/// How long after the instant the driver looks for itself when the alarm did not ring.
const ALARM_LOST: Duration = Duration::from_secs(1);

/// The longest time between two looks at the clock. It bounds how long a clock that was set back goes
/// unnoticed.
const LOOK_UP: Duration = Duration::from_secs(30);

/// Pause after a store that did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// What the driver works with.
pub(super) struct Engine {
    pub(super) backend: Arc<dyn SchedulerBackend>,
    pub(super) alarm: Arc<dyn TickSource>,
    pub(super) clock: Clock,
    pub(super) agenda: Agenda,
    pub(super) runs: Arc<Runs>,
    /// With a store from which runs are claimed.
    pub(super) claiming: Option<Claiming>,
}

impl Engine {
    /// Awaits a schedule from now on.
    pub(super) fn follow(&self, schedule: &Schedule) {
        if self.claiming.is_some() {
            return self.wake();
        }
        if let Some(due) = schedule.first_from(self.clock.now()) {
            self.agenda.add(schedule, due);
        }
    }

    /// Has the store looked at, where runs are claimed.
    pub(super) fn wake(&self) {
        if let Some(claiming) = &self.claiming {
            claiming.changed.notify_one();
        }
    }

    /// Follows the agenda for ever. Dropping the future stops it.
    pub(super) async fn drive(&self, ticks: &dyn Ticks) {
        let mut seen = (self.clock.now(), Instant::now());
        let mut armed = None;
        loop {
            let now = self.clock.now();
            self.notice_step_back(&mut seen, now);
            for (schedule, tick) in self.agenda.take_due(now) {
                self.tick(ticks, &schedule, tick).await;
            }
            self.wait(&mut armed).await;
        }
    }

    /// Starts the runs of one schedule for one tick, and awaits the next tick.
    async fn tick(&self, ticks: &dyn Ticks, schedule: &Schedule, tick: DateTime<Utc>) {
        // It is out of the agenda here. A job with this schedule that is stored from now on puts it back
        // itself; one that was stored before is found by `due`.
        let due = match ticks.due(schedule, tick).await {
            Ok(Some(due)) => due,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%schedule, %tick, error = &error as &dyn std::error::Error, "jobs that are due could not be read; trying again");
                self.agenda.add(schedule, tick);
                sleep(RETRY).await;
                return;
            }
        };
        // From now, not from the tick: what was missed meanwhile is a matter of each job's rule.
        let now = self.clock.now().max(tick);
        if let Some(next) = schedule.next_after(now) {
            self.agenda.add(schedule, next);
        }
        let mut known: HashMap<Misfire, Vec<DateTime<Utc>>> = HashMap::new();
        for entry in &due {
            let misfire = entry.rules.misfire;
            known.entry(misfire).or_insert_with(|| ticks_of(schedule, misfire, tick, now).0);
        }
        let runs = due
            .iter()
            .flat_map(|entry| known[&entry.rules.misfire].iter().map(move |tick| Planned::new(entry, *tick)));
        self.runs.offer_all(runs);
    }

    /// Returns when there may be something to do. Early and needless returns are harmless.
    async fn wait(&self, armed: &mut Option<DateTime<Utc>>) {
        let Some(due) = self.agenda.earliest() else {
            self.agenda.changed().await;
            return;
        };
        // A time that has passed gives zero.
        let left = (due - self.clock.now()).to_std().unwrap_or_default();
        let at_most = if left <= NEAR {
            left
        } else {
            if *armed != Some(due) {
                match self.alarm.arm(due - AHEAD).await {
                    Ok(()) => *armed = Some(due),
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "watching the time without an alarm"
                        );
                    }
                }
            }
            left.saturating_add(ALARM_LOST)
        };
        tokio::select! {
            () = self.alarm.rung() => *armed = None,
            () = self.agenda.changed() => {}
            () = sleep(at_most.min(LOOK_UP)) => {}
        }
    }

    /// Compares how far the system clock and the monotonic one have come.
    fn notice_step_back(&self, seen: &mut (DateTime<Utc>, Instant), now: DateTime<Utc>) {
        let passed = TimeDelta::from_std(seen.1.elapsed()).unwrap_or(TimeDelta::MAX);
        let back = passed - (now - seen.0);
        if back > TimeDelta::seconds(1) {
            tracing::warn!(seconds = back.num_seconds(), "the system clock was set back");
            self.agenda.clock_went_back(now, back);
        }
        *seen = (now, Instant::now());
    }
}
