//! Ticks that come late, or were missed.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::Schedule;
use super::job::Misfire;

/// A tick that is later than this counts as missed, for [`Misfire::Skip`].
const LATE: TimeDelta = TimeDelta::seconds(60);

/// How many ticks are counted one by one. Of more, those before now are left out.
const COUNTED: usize = 10_000;

/// The ticks from `due` up to `now` that make runs, and the first tick after now.
pub(super) fn ticks_of(
    schedule: &Schedule,
    misfire: Misfire,
    due: DateTime<Utc>,
    now: DateTime<Utc>,
) -> (Vec<DateTime<Utc>>, Option<DateTime<Utc>>) {
    if schedule.is_once() {
        // Whenever it comes to it: a job for one time has no later chance.
        return (vec![due], None);
    }
    let next = schedule.next_after(now);
    let ticks = match misfire {
        Misfire::Once => vec![due],
        Misfire::Skip if now - due <= LATE => vec![due],
        Misfire::Skip => schedule.next_after(now - LATE).filter(|tick| *tick <= now).into_iter().collect(),
        Misfire::All(most) => {
            let most = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, COUNTED);
            let mut ticks = VecDeque::from([due]);
            let mut tick = due;
            for _ in 0..COUNTED {
                match schedule.next_after(tick).filter(|next| *next <= now) {
                    Some(next) => tick = next,
                    None => break,
                }
                if ticks.len() == most {
                    ticks.pop_front();
                }
                ticks.push_back(tick);
            }
            ticks.into()
        }
    };
    (ticks, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ticks(misfire: Misfire, now: &str) -> Vec<String> {
        let schedule = Schedule::cron("* * * * *", "UTC").unwrap();
        let (ticks, next) = ticks_of(&schedule, misfire, time("2030-01-01T00:01:00Z"), time(now));
        assert_eq!(next, schedule.next_after(time(now)));
        ticks.iter().map(|tick| tick.format("%H:%M").to_string()).collect()
    }

    #[test]
    fn a_tick_that_comes_in_time_is_one_run_whatever_the_rule() {
        for misfire in [Misfire::Skip, Misfire::Once, Misfire::All(5)] {
            assert_eq!(ticks(misfire, "2030-01-01T00:01:00.020Z"), ["00:01"], "{misfire:?}");
        }
    }

    #[test]
    fn missed_ticks_pass_or_have_one_run_or_all() {
        let now = "2030-01-01T01:00:30Z";
        // The last one is half a minute late and no more.
        assert_eq!(ticks(Misfire::Skip, now), ["01:00"]);
        assert_eq!(ticks(Misfire::Once, now), ["00:01"]);
        assert_eq!(ticks(Misfire::All(3), now), ["00:58", "00:59", "01:00"]);
        assert_eq!(ticks(Misfire::All(1_000), now).len(), 60);
        let daily = Schedule::cron("@daily", "UTC").unwrap();
        let late =
            ticks_of(&daily, Misfire::Skip, time("2030-01-01T00:00:00Z"), time("2030-01-01T00:02:00Z"));
        assert_eq!(late, (vec![], Some(time("2030-01-02T00:00:00Z"))));
    }

    #[test]
    fn a_job_for_one_time_has_its_run_however_late() {
        let due = time("2030-01-01T00:00:00Z");
        let found = ticks_of(&Schedule::at(due), Misfire::Skip, due, time("2031-01-01T00:00:00Z"));
        assert_eq!(found, (vec![due], None));
    }

    #[test]
    fn a_year_of_seconds_is_counted_to_an_end() {
        let schedule = Schedule::cron("* * * * * *", "UTC").unwrap();
        let (due, now) = (time("2030-01-01T00:00:00Z"), time("2031-01-01T00:00:00Z"));
        let (ticks, next) = ticks_of(&schedule, Misfire::All(10), due, now);
        assert_eq!((ticks.len(), next), (10, schedule.next_after(now)));
    }
}
