//! Cron expressions, checked by the crate that runs them, and shown with a mark under the field that is wrong.

use chrono::TimeZone as _;
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use syn::LitStr;

use crate::sink::Sink;
use crate::suggest;

/// What a field of an expression is called, and what it takes.
struct Field {
    name: &'static str,
    takes: &'static str,
}

/// The fields of six; five begin with the minute.
const FIELDS: [Field; 6] = [
    Field { name: "second", takes: "0 to 59" },
    Field { name: "minute", takes: "0 to 59" },
    Field { name: "hour", takes: "0 to 23" },
    Field { name: "day of the month", takes: "1 to 31, or `L` for the last one" },
    Field { name: "month", takes: "1 to 12, or `JAN` to `DEC`" },
    Field { name: "day of the week", takes: "0 to 7 (0 and 7 are Sunday), or `MON` to `SUN`" },
];

/// The nicknames that croner knows.
const NICKNAMES: [&str; 6] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"];

/// Whether the expression is right.
///
/// ui: job/fail/cron_hour_out_of_range, job/fail/cron_field_count, job/fail/cron_never, job/fail/cron_nickname
pub(crate) fn check_cron(expression: &LitStr, sink: &mut Sink) -> bool {
    match fault(&expression.value()) {
        None => true,
        Some(message) => {
            sink.error(expression, message);
            false
        }
    }
}

/// Whether there is such a time zone.
///
/// ui: job/fail/timezone_unknown
pub(crate) fn check_timezone(zone: &LitStr, sink: &mut Sink) -> bool {
    let text = zone.value();
    if text.parse::<Tz>().is_ok() {
        return true;
    }
    let help = match suggest::nearest(&text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write an IANA name such as `Europe/Berlin` or `UTC`".to_owned(),
    };
    sink.error(zone, format!("there is no time zone `{text}`\nhelp: {help}"));
    false
}

fn fault(expression: &str) -> Option<String> {
    if expression.trim_start().starts_with('@') {
        return fault_of_nickname(expression.trim());
    }
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let names = match fields.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        count => return Some(wrong_count(expression, count)),
    };
    if let Some((field, name)) = fields.iter().zip(names).find(|(field, name)| !is_right_alone(field, name)) {
        return Some(wrong_field(expression, field, name));
    }
    match parser().parse(expression) {
        Err(error) => Some(format!("`{expression}` is no cron expression: {}", plain(&error.to_string()))),
        Ok(cron) => (!fires(&cron)).then(|| {
            format!("`{expression}` names a day that no calendar has, so this job would never run\nhelp: correct the day or the month")
        }),
    }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

fn fault_of_nickname(expression: &str) -> Option<String> {
    if NICKNAMES.contains(&expression) {
        return None;
    }
    Some(format!("there is no cron nickname `{expression}`\n{}", suggest::help(expression, &NICKNAMES)))
}

/// Every other field `*`: what is wrong then is this one.
fn is_right_alone(field: &str, name: &Field) -> bool {
    let fields: Vec<&str> =
        FIELDS.iter().map(|other| if std::ptr::eq(other.name, name.name) { field } else { "*" }).collect();
    parser().parse(&fields.join(" ")).is_ok()
}

fn wrong_count(expression: &str, count: usize) -> String {
    format!(
        "a cron expression has five or six fields, this one has {count}\n\n    {expression}\n\nhelp: the fields are {}; the first may be left out",
        FIELDS.map(|field| field.name).join(", ")
    )
}

fn wrong_field(expression: &str, field: &str, name: &Field) -> String {
    // `field` is a piece of `expression`, so this is its place.
    let bytes = field.as_ptr() as usize - expression.as_ptr() as usize;
    let before = expression.get(..bytes).unwrap_or_default().chars().count();
    let marks = "^".repeat(field.chars().count());
    format!(
        "`{field}` is no {}\n\n    {expression}\n    {:before$}{marks}\n\nhelp: the {} takes {}; also `*`, lists `1,3`, ranges `1-5` and steps `*/2`",
        name.name, "", name.name, name.takes
    )
}

/// Whether there is a next time. The search begins at a fixed one: a build must not depend on the day it is made.
fn fires(cron: &croner::Cron) -> bool {
    let from = Tz::UTC.with_ymd_and_hms(2024, 1, 1, 0, 0, 0).single();
    from.is_none_or(|from| cron.find_next_occurrence(&from, true).is_ok())
}

fn plain(message: &str) -> String {
    message.trim_end_matches('.').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_croner_runs_is_right() {
        for expression in [
            "0 0 6 * * *",
            "0 6 * * *",
            "*/5 * * * *",
            "0 0 1-5 * * MON-FRI",
            "0 0 0 L * *",
            "0 0 0 * * FRI#2",
            "0 0 29 2 *",
            "@daily",
            " 0 0 6 * * * ",
            "0 0 12 15 * +MON",
        ] {
            assert_eq!(fault(expression), None, "{expression}");
        }
    }

    #[test]
    fn the_mark_stands_below_the_field_that_is_wrong() {
        let message = fault("0 0 25  * * *").unwrap();
        let mut lines = message.lines().skip(2);
        let expression = lines.next().unwrap();
        let marks = lines.next().unwrap();
        assert_eq!(&expression[marks.find('^').unwrap()..marks.len()], "25");
        assert!(message.starts_with("`25` is no hour"), "{message}");
    }

    #[test]
    fn each_fault_has_its_words() {
        for (expression, part) in [
            ("", "this one has 0"),
            ("* * * *", "this one has 4"),
            ("0 0 0 1 1 * 2030", "this one has 7"),
            ("60 * * * *", "`60` is no minute"),
            ("* * * 13 *", "`13` is no month"),
            ("* * * * 8", "`8` is no day of the week"),
            ("* * x * *", "`x` is no day of the month"),
            ("0 0 30 2 *", "never run"),
            ("@dayly", "`@daily`"),
        ] {
            let message = fault(expression).unwrap_or_default();
            assert!(message.contains(part), "{expression}: {message}");
        }
    }

    #[test]
    fn a_time_zone_is_known_by_its_name() {
        let mut sink = Sink::default();
        let zone = |name: &str| LitStr::new(name, proc_macro2::Span::call_site());
        assert!(check_timezone(&zone("Europe/Berlin"), &mut sink));
        assert!(!check_timezone(&zone("Europe/Berlni"), &mut sink));
        assert!(sink.messages()[0].contains("did you mean `Europe/Berlin`"), "{:?}", sink.messages());
    }
}
