//! Durations and sizes: a number and its unit, so that `30` is never taken for the wrong one.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong, Wrongs, text_of};
use crate::yaml::{Node, Value};

/// A duration of more than zero and at most a day, such as `250ms`, `5s`, `2m` or `1h`.
pub(crate) struct Span;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Kind for Span {
    type Value = Duration;

    fn expected() -> String {
        "a duration such as `250ms`, `5s`, `2m` or `1h`".to_owned()
    }

    fn read(node: &Node) -> Result<Duration, Wrongs> {
        let text = text_of::<Self>(node)?;
        let Some((number, unit)) = split(text) else {
            return Err(with_unit::<Self>(node, "s").into());
        };
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(Wrong::expected::<Self>(node).help("the units are ms, s, m and h").into()),
        };
        let duration = number.checked_mul(milliseconds).map(Duration::from_millis);
        match duration {
            Some(duration) if duration.is_zero() => Err(Wrong::new("must be longer than zero").into()),
            Some(duration) if duration <= DAY => Ok(duration),
            _ => Err(Wrong::new("must be at most `24h`").into()),
        }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$" })
    }
}

/// A [`Span`], or `0` for none.
pub(crate) struct SpanOrNone;

impl Kind for SpanOrNone {
    type Value = Duration;

    fn expected() -> String {
        "`0`, or a duration such as `250ms`, `5s`, `2m` or `1h`".to_owned()
    }

    fn read(node: &Node) -> Result<Duration, Wrongs> {
        match text_of::<Self>(node)? {
            "0" | "0ms" | "0s" | "0m" | "0h" => Ok(Duration::ZERO),
            _ => Span::read(node),
        }
    }

    fn json_schema() -> Json {
        json!({ "anyOf": [{ "const": 0 }, Span::json_schema()] })
    }
}

/// How long something is kept: up to ten years, or `0s` for not at all.
pub(crate) struct Keep;

impl Kind for Keep {
    type Value = Duration;

    fn expected() -> String {
        "`0s`, or a duration such as `12h`, `7d` or `90d`".to_owned()
    }

    fn read(node: &Node) -> Result<Duration, Wrongs> {
        let text = text_of::<Self>(node)?;
        if text == "0" {
            return Ok(Duration::ZERO);
        }
        let Some((number, unit)) = split(text) else {
            return Err(with_unit::<Self>(node, "d").into());
        };
        let seconds: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return Err(Wrong::expected::<Self>(node).help("the units are s, m, h and d").into()),
        };
        match number.checked_mul(seconds).map(Duration::from_secs) {
            Some(duration) if duration <= 3650 * DAY => Ok(duration),
            _ => Err(Wrong::new("must be at most `3650d`").into()),
        }
    }

    fn json_schema() -> Json {
        json!({ "anyOf": [{ "const": 0 }, { "type": "string", "pattern": "^[0-9]+(s|m|h|d)$" }] })
    }
}

/// A size of at least a byte, such as `512B`, `64KiB`, `2MiB` or `1GiB`.
pub(crate) struct Size;

impl Kind for Size {
    type Value = u64;

    fn expected() -> String {
        "a size such as `512B`, `64KiB`, `2MiB` or `1GiB`".to_owned()
    }

    fn read(node: &Node) -> Result<u64, Wrongs> {
        let text = text_of::<Self>(node)?;
        let Some((number, unit)) = split(text) else {
            // A number that is large by itself was meant in bytes.
            let is_large = matches!(node.value, Value::Integer(number) if number >= 4096);
            return Err(with_unit::<Self>(node, if is_large { "B" } else { "MiB" }).into());
        };
        let bytes: u64 = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "kB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => {
                let help =
                    "the units are B, KiB, MiB and GiB (powers of 1024), and kB, MB and GB (powers of 1000)";
                return Err(Wrong::expected::<Self>(node).help(help).into());
            }
        };
        match number.checked_mul(bytes) {
            Some(0) => Err(Wrong::new("must be larger than zero").into()),
            // What does not fit a signed number does not fit a file or a memory either.
            Some(size) if i64::try_from(size).is_ok() => Ok(size),
            _ => Err(Wrong::new("is larger than any memory").into()),
        }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB|kB|MB|GB)$" })
    }
}

/// `30s` as 30 and `s`; `None` when there is no number or no unit.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    // A number too large for `u64` is too large for any unit; the range check says so.
    if number.is_empty() { None } else { Some((number.parse().unwrap_or(u64::MAX), unit)) }
}

fn with_unit<K: Kind>(node: &Node, unit: &str) -> Wrong {
    let wrong = Wrong::expected::<K>(node);
    match &node.value {
        Value::Integer(number) if *number > 0 => wrong.help(format!("add the unit: `{number}{unit}`")),
        _ => wrong,
    }
}
