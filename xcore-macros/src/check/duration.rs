//! `"5s"`: a whole number and a unit.

use std::time::Duration;

use syn::LitStr;

use crate::sink::Sink;

const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// The duration of an option.
///
/// ui: action/fail/timeout_without_unit, action/fail/timeout_zero, job/fail/every_unknown_unit, job/fail/jitter_no_duration
pub(crate) fn check_duration(option: &str, text: &LitStr, sink: &mut Sink) -> Option<Duration> {
    match parse(&text.value()) {
        Ok(duration) if duration.is_zero() => {
            sink.error(
                text,
                format!("`{option}` must be longer than nothing\nhelp: write a time such as `\"5s\"`"),
            );
            None
        }
        Ok(duration) => Some(duration),
        Err(help) => {
            sink.error(text, format!("`{}` is no duration\nhelp: {help}", text.value()));
            None
        }
    }
}

/// What a job may be run every so often, as the scheduler has it.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The interval of a job.
///
/// ui: job/fail/every_too_short, job/fail/every_too_long
pub(crate) fn check_every(text: &LitStr, sink: &mut Sink) -> Option<Duration> {
    let every = check_duration("every", text, sink)?;
    let help = if every < SHORTEST {
        "help: write `every = \"1s\"` or more; what is to happen more often is a task of its own, spawned in `#[on(start)]`"
    } else if every > LONGEST {
        "help: write at most `every = \"8784h\"`, which is 366 days, or the date as `cron = \"0 0 6 1 1 *\"`"
    } else {
        return Some(every);
    };
    sink.error(text, format!("a job cannot run every `{}`\n{help}", text.value()));
    None
}

fn parse(text: &str) -> Result<Duration, String> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let Ok(number) = number.parse::<u64>() else {
        return Err(
            "write a whole number and a unit, such as `\"5s\"`; units are `ms`, `s`, `m` and `h`".to_owned()
        );
    };
    let factor = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => return Err(format!("add a unit: `\"{number}s\"` or `\"{number}ms\"`")),
        None => return Err(format!("`{unit}` is no unit; units are `ms`, `s`, `m` and `h`")),
    };
    let millis =
        number.checked_mul(factor).ok_or_else(|| "it is longer than time itself; write less".to_owned())?;
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_is_a_duration() {
        for (text, millis) in [("250ms", 250), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_says_how_to_write_one() {
        for (text, part) in [
            ("5", "`\"5s\"` or `\"5ms\"`"),
            ("5 s", "no unit"),
            ("five", "whole number"),
            ("-1s", "whole number"),
            ("99999999999999999999s", "whole number"),
            ("9999999999999999999h", "longer"),
        ] {
            assert!(parse(text).unwrap_err().contains(part), "{text}: {:?}", parse(text));
        }
    }
}
