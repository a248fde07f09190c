//! When a job runs.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Year};

use super::SchedulerError;

/// The shortest interval of [`Schedule::every`].
pub(super) const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// The longest interval of [`Schedule::every`].
pub(super) const LONGEST_INTERVAL: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// When a job runs: by a cron expression in a time zone, at an interval, or once.
///
/// # Cron
///
/// Five fields (minute, hour, day of month, month, day of week) or six with the second first. `*`, `,`,
/// `-`, `/`, names (`MON`, `JAN`), `L`, `W`, `#` and the nicknames `@hourly`, `@daily`, `@weekly`, `@monthly`
/// and `@yearly` have their usual meaning. When day of month and day of week are both restricted, either
/// is enough, as in Vixie cron.
///
/// # Daylight saving
///
/// The next run is always computed in the time zone, with the offset that holds then:
///
/// - A cron expression with one fixed time of day (`0 30 2 * * *`) runs once that day. When the clock
///   skips the time, it runs at the first moment after the gap (03:00 instead of 02:30). When the clock
///   repeats it, it runs the first time only.
/// - A cron expression with `*`, a step, a list or a range in its second, minute or hour (`0 */30 * * * *`,
///   `0 30 2,14 * * *`) follows real time: it has no run in a skipped hour and runs in both halves of a
///   repeated one.
/// - [`every`](Self::every) counts seconds and knows no time of day.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Schedule(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    Cron(Arc<CronInZone>),
    Every(Duration),
    At(DateTime<Utc>),
}

/// Two of them are the same schedule when they read the same.
struct CronInZone {
    expression: String,
    zone: Tz,
    cron: Cron,
}

impl Schedule {
    /// A cron expression in an IANA time zone such as `Europe/Berlin`.
    ///
    /// # Errors
    /// When the expression or the zone cannot be read, or the expression never comes due.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, SchedulerError> {
        let zone: Tz = zone.parse().map_err(|_| SchedulerError::UnknownZone { zone: zone.to_owned() })?;
        Self::cron_in(expression, zone)
    }

    /// A cron expression in a time zone that was read before.
    pub(crate) fn cron_in(expression: &str, zone: Tz) -> Result<Self, SchedulerError> {
        let cron =
            CronParser::builder().year(Year::Disallowed).build().parse(expression).map_err(|source| {
                SchedulerError::InvalidCron { expression: expression.to_owned(), source: Box::new(source) }
            })?;
        let normal = expression.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
        let schedule = Self(Kind::Cron(Arc::new(CronInZone { expression: normal, zone, cron })));
        // A leap day comes within eight years, so this date of reference never matters.
        if schedule.next_after(DateTime::UNIX_EPOCH).is_none() {
            return Err(SchedulerError::NeverDue { expression: expression.to_owned() });
        }
        Ok(schedule)
    }

    /// Each time a whole number of intervals has passed since 1970-01-01 00:00 UTC, so that all jobs with
    /// the same interval run at the same instants, before and after a restart. The first run comes within
    /// one interval.
    ///
    /// # Errors
    /// When the interval is shorter than a second or longer than 366 days. Parts of a millisecond are cut.
    pub fn every(interval: Duration) -> Result<Self, SchedulerError> {
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
            return Err(SchedulerError::Interval { interval });
        }
        // Whole milliseconds; at most 366 days of them, so the number fits.
        Ok(Self(Kind::Every(Duration::from_millis(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)))))
    }

    /// Once, at an instant. One that has passed means at once.
    #[must_use]
    pub fn at(time: DateTime<Utc>) -> Self {
        Self(Kind::At(time))
    }

    /// The first time that the schedule comes due strictly after an instant; `None` when it does not
    /// come again.
    #[must_use]
    pub fn next_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::Cron(cron) => {
                let local = instant.with_timezone(&cron.zone);
                let next = cron.cron.find_next_occurrence(&local, false).ok()?;
                Some(next.with_timezone(&Utc))
            }
            Kind::Every(interval) => {
                let step = i64::try_from(interval.as_millis()).ok()?;
                let passed = instant.timestamp_millis().div_euclid(step);
                DateTime::from_timestamp_millis(passed.checked_add(1)?.checked_mul(step)?)
            }
            Kind::At(time) => (*time > instant).then_some(*time),
        }
    }

    /// When a job that is added now comes due first. A time that has passed is due at once.
    pub(super) fn first_from(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::At(time) => Some(*time),
            _ => self.next_after(now),
        }
    }

    /// Whether it comes due once only.
    pub(super) fn is_once(&self) -> bool {
        matches!(self.0, Kind::At(_))
    }

    /// Whether it counts seconds rather than follow the time of day.
    pub(super) fn is_interval(&self) -> bool {
        matches!(self.0, Kind::Every(_))
    }
}

impl PartialEq for CronInZone {
    fn eq(&self, other: &Self) -> bool {
        self.zone == other.zone && self.expression == other.expression
    }
}

impl Eq for CronInZone {}

impl Hash for CronInZone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expression.hash(state);
        self.zone.hash(state);
    }
}

impl fmt::Display for Schedule {
    /// `0 0 6 * * * Europe/Berlin`, `every 30s` or `at 2030-01-01T00:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cron(cron) => write!(f, "{} {}", cron.expression, cron.zone),
            Kind::Every(interval) => write!(f, "every {interval:?}"),
            Kind::At(time) => write!(f, "at {}", time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

mod written;
pub(crate) use written::WrittenSchedule;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
