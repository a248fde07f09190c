//! Which schedule comes due next.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

use super::Schedule;

/// A step back of the system clock up to this long repeats no cron tick. Vixie cron draws the line here.
const SMALL_STEP_BACK: TimeDelta = TimeDelta::hours(3);

/// Each distinct schedule and the instant for which it is awaited. Ten thousand tenants with the same
/// `#[job]` are one line of it.
#[derive(Default)]
pub(super) struct Agenda {
    lines: Mutex<Lines>,
    changed: Notify,
}

#[derive(Default)]
struct Lines {
    by_schedule: HashMap<Schedule, DateTime<Utc>>,
    by_time: BTreeMap<DateTime<Utc>, Vec<Schedule>>,
}

impl Agenda {
    /// Awaits a schedule for an instant, or for the earlier one that it is awaited for already.
    pub(super) fn add(&self, schedule: &Schedule, due: DateTime<Utc>) {
        let mut lines = self.lines();
        let first = lines.earliest();
        lines.add(schedule, due);
        let moved = lines.earliest() != first;
        drop(lines);
        if moved {
            self.changed.notify_one();
        }
    }

    /// Takes out what is due, the earliest first.
    pub(super) fn take_due(&self, now: DateTime<Utc>) -> Vec<(Schedule, DateTime<Utc>)> {
        let mut lines = self.lines();
        let mut due = Vec::new();
        while let Some(first) = lines.by_time.first_entry().filter(|first| *first.key() <= now) {
            let (time, schedules) = first.remove_entry();
            for schedule in schedules {
                lines.by_schedule.remove(&schedule);
                due.push((schedule, time));
            }
        }
        due
    }

    /// The first instant that is awaited.
    pub(super) fn earliest(&self) -> Option<DateTime<Utc>> {
        self.lines().earliest()
    }

    /// Waits until the first instant becomes another through [`add`](Self::add). Cancellation safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Adapts to a system clock that was set back. Intervals go on from now. Cron ticks are not repeated,
    /// unless the step was long.
    pub(super) fn clock_went_back(&self, now: DateTime<Utc>, by: TimeDelta) {
        let mut lines = self.lines();
        let schedules: Vec<_> = lines.by_schedule.keys().cloned().collect();
        for schedule in schedules {
            if (schedule.is_interval() || by > SMALL_STEP_BACK)
                && let Some(due) = schedule.next_after(now)
            {
                lines.add(&schedule, due);
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn earliest(&self) -> Option<DateTime<Utc>> {
        self.by_time.first_key_value().map(|(time, _)| *time)
    }

    fn add(&mut self, schedule: &Schedule, due: DateTime<Utc>) {
        match self.by_schedule.get(schedule) {
            Some(awaited) if *awaited <= due => return,
            Some(awaited) => {
                let awaited = *awaited;
                if let Some(others) = self.by_time.get_mut(&awaited) {
                    others.retain(|other| other != schedule);
                    if others.is_empty() {
                        self.by_time.remove(&awaited);
                    }
                }
            }
            None => {}
        }
        self.by_schedule.insert(schedule.clone(), due);
        self.by_time.entry(due).or_default().push(schedule.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_due_comes_out_in_order_and_once() {
        let agenda = Agenda::default();
        let (minute, day) =
            (Schedule::cron("* * * * *", "UTC").unwrap(), Schedule::cron("@daily", "UTC").unwrap());
        agenda.add(&day, time("2030-01-02T00:00:00Z"));
        agenda.add(&minute, time("2030-01-01T00:01:00Z"));
        agenda.add(&minute, time("2030-01-01T00:02:00Z"));
        assert_eq!(agenda.earliest(), Some(time("2030-01-01T00:01:00Z")));
        assert!(agenda.take_due(time("2030-01-01T00:00:59Z")).is_empty());
        let due = agenda.take_due(time("2030-01-02T00:00:00Z"));
        assert_eq!(due, [(minute, time("2030-01-01T00:01:00Z")), (day, time("2030-01-02T00:00:00Z"))]);
        assert_eq!(agenda.earliest(), None);
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_repeats_no_cron_tick() {
        let agenda = Agenda::default();
        let (cron, interval) =
            (Schedule::cron("0 * * * *", "UTC").unwrap(), Schedule::every(Duration::from_secs(60)).unwrap());
        agenda.add(&cron, time("2030-01-01T09:00:00Z"));
        agenda.add(&interval, time("2030-01-01T08:31:00Z"));
        agenda.clock_went_back(time("2030-01-01T06:30:00Z"), TimeDelta::hours(2));
        assert_eq!(agenda.take_due(time("2030-01-01T08:59:59Z")), [(interval, time("2030-01-01T06:31:00Z"))]);
        assert_eq!(agenda.earliest(), Some(time("2030-01-01T09:00:00Z")));
        agenda.clock_went_back(time("2029-12-31T06:30:00Z"), TimeDelta::hours(26));
        assert_eq!(agenda.earliest(), Some(time("2029-12-31T07:00:00Z")));
    }
}
