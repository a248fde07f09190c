//! Cron expressions against an independent reader of them, also where clocks change.
//!
//! `cron.txt` is what cronsim says, which follows Debian's cron also where clocks change; `cron.py` wrote it. A line
//! is an expression, a zone, an instant and the ticks after it.

use super::*;

#[test]
fn expressions_come_due_when_an_independent_cron_says_so() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for line in include_str!("cron.txt").lines() {
        let mut parts = line.split('|');
        let mut part = || parts.next().unwrap();
        let schedule = Schedule::cron(part(), part()).unwrap();
        let mut at: DateTime<Utc> = part().parse().unwrap();
        for wanted in parts {
            cases += 1;
            let next = schedule.next_after(at).unwrap();
            let wanted: DateTime<Utc> = wanted.parse().unwrap();
            if next != wanted {
                wrong.push(format!("{line}\n  after {at}: {next}, not {wanted}"));
                break;
            }
            at = next;
        }
    }
    assert!(cases > 800, "{cases}");
    assert!(wrong.is_empty(), "{} of the lines differ:\n{}", wrong.len(), wrong.join("\n"));
}
