//! Options of actions and jobs that stand alone or contradict each other.

use proc_macro2::Ident;
use syn::{LitInt, LitStr, Path};

use crate::sink::Sink;
use crate::suggest;

/// The status of a success.
///
/// ui: action/fail/status_of_a_failure
pub(crate) fn check_status(status: &LitInt, sink: &mut Sink) -> Option<u16> {
    match status.base10_parse::<u16>() {
        Ok(code) if (200..400).contains(&code) => Some(code),
        _ => {
            sink.error(
                status,
                format!(
                    "`{status}` is no status of a success\nhelp: write one from 200 to 399; a failure gets its status from the `Err` of the action"
                ),
            );
            None
        }
    }
}

/// Somebody must be able to call an action.
///
/// ui: action/fail/internal_without_callers
pub(crate) fn check_reachable(internal: Option<&Ident>, callers: Option<&[Path]>, sink: &mut Sink) {
    if let (Some(internal), Some([])) = (internal, callers) {
        sink.error(internal, "nobody can call this action: it is internal, and `callers` is empty\nhelp: name a plugin in `callers`, or remove one of the two");
    }
}

/// When a job runs.
///
/// ui: job/fail/cron_and_every, job/fail/timezone_without_cron
pub(crate) fn check_trigger(
    cron: Option<&LitStr>,
    every: Option<&Ident>,
    timezone: Option<&Ident>,
    sink: &mut Sink,
) {
    if let (Some(_), Some(every)) = (cron, every) {
        sink.error(every, "a job has `cron` or `every`, this one has both\nhelp: keep one of them");
    }
    if let (None, Some(timezone)) = (cron, timezone) {
        sink.error(
            timezone,
            "`timezone` says how to read `cron`, and there is none\nhelp: remove it, or add `cron = \"0 0 6 * * *\"`",
        );
    }
}

/// The variant of `Overlap`.
///
/// ui: job/fail/overlap_unknown
pub(crate) fn check_overlap(overlap: &LitStr, sink: &mut Sink) -> Option<&'static str> {
    const KNOWN: [&str; 3] = ["skip", "queue", "allow"];
    let text = overlap.value();
    match text.as_str() {
        "skip" => Some("Skip"),
        "queue" => Some("Queue"),
        "allow" => Some("Allow"),
        _ => {
            sink.error(overlap, format!("`{text}` is no way to overlap\n{}", suggest::help(&text, &KNOWN)));
            None
        }
    }
}
