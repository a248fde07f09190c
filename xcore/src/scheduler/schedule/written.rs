//! A schedule as it is written down: in a store, and in an archive of a tenant.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Kind, Schedule};
use crate::scheduler::SchedulerError;

/// A schedule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WrittenSchedule {
    Cron { expression: String, zone: String },
    EveryMillis(u64),
    At(DateTime<Utc>),
}

impl WrittenSchedule {
    pub(crate) fn of(schedule: &Schedule) -> Self {
        match &schedule.0 {
            Kind::Cron(cron) => {
                Self::Cron { expression: cron.expression.clone(), zone: cron.zone.name().to_owned() }
            }
            // Longer than 366 days there is none.
            Kind::Every(interval) => {
                Self::EveryMillis(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX))
            }
            Kind::At(time) => Self::At(*time),
        }
    }

    /// As a store keeps it. The same schedule is always the same text.
    ///
    /// # Errors
    /// None, as JSON goes.
    pub(in crate::scheduler) fn text_of(schedule: &Schedule) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Self::of(schedule))
    }

    /// What [`text_of`](Self::text_of) gave; `None` when it is none that this version knows.
    pub(in crate::scheduler) fn read_text(text: &str) -> Option<Schedule> {
        serde_json::from_str::<Self>(text).ok()?.read().ok()
    }

    /// # Errors
    /// When it is none that this version knows.
    pub(crate) fn read(&self) -> Result<Schedule, SchedulerError> {
        match self {
            Self::Cron { expression, zone } => Schedule::cron(expression, zone),
            Self::EveryMillis(millis) => Schedule::every(Duration::from_millis(*millis)),
            Self::At(time) => Ok(Schedule::at(*time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_was_written() {
        for schedule in [
            Schedule::cron("0 30 6 * * mon", "Europe/Berlin").unwrap(),
            Schedule::cron("*/5 * * * *", "UTC").unwrap(),
            Schedule::every(Duration::from_millis(90_500)).unwrap(),
            Schedule::at(DateTime::from_timestamp(1_900_000_000, 123_000_000).unwrap()),
        ] {
            let text = serde_json::to_string(&WrittenSchedule::of(&schedule)).unwrap();
            let read: WrittenSchedule = serde_json::from_str(&text).unwrap();
            assert_eq!(read.read().unwrap(), schedule, "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for wrong in [r#"{"every_millis":1}"#, r#"{"cron":{"expression":"x","zone":"UTC"}}"#] {
            let read: WrittenSchedule = serde_json::from_str(wrong).unwrap();
            assert!(read.read().is_err(), "{wrong}");
        }
    }
}
