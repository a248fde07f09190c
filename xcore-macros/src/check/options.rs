//! Options of actions and jobs that stand alone or contradict each other.

use proc_macro2::Ident;
use syn::{FnArg, LitInt, LitStr, Path};

use crate::check::scope::Scope;
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

/// A job that runs by itself takes nothing: nobody is there to give it anything.
///
/// ui: job/fail/extra_argument
pub(crate) fn check_nobody_gives(first: Option<&FnArg>, trigger: Option<&str>, sink: &mut Sink) {
    if let (Some(first), Some(trigger)) = (first, trigger) {
        sink.error(
            first,
            format!(
                "a job with `{trigger}` runs by itself, so nobody is there to give it arguments\nhelp: remove `{trigger}` and ask for runs with `ctx.enqueue(..)`, or keep what it needs in the database or the cache"
            ),
        );
    }
}

/// For whom a job runs.
///
/// ui: job/fail/per_unknown
pub(crate) fn check_per(per: &LitStr, sink: &mut Sink) -> Option<Scope> {
    const KNOWN: [&str; 2] = ["tenant", "app"];
    // Words that people try, and what they mean.
    const APP: [&str; 6] = ["central", "global", "shared", "once", "process", "none"];
    let text = per.value();
    match text.as_str() {
        "tenant" => Some(Scope::Tenant),
        "app" => Some(Scope::Central),
        _ => {
            let help = if APP.contains(&text.to_lowercase().as_str()) {
                "help: did you mean `app`?".to_owned()
            } else {
                suggest::help(&text, &KNOWN)
            };
            sink.error(per, format!("a job runs per `tenant` or per `app`, not per `{text}`\n{help}"));
            None
        }
    }
}

/// Nobody can ask for a run of a job of the app: what asks is a tenant.
///
/// ui: job/fail/per_app_without_trigger
pub(crate) fn check_app_job(per: &Ident, has_trigger: bool, sink: &mut Sink) {
    if !has_trigger {
        sink.error(
            per,
            "a job of the app runs by itself or not at all: no tenant can ask for it\nhelp: add `cron = \"0 0 6 * * *\"` or `every = \"1h\"`",
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

/// Most retries of a job.
const MOST_RETRIES: u32 = 100;

/// How often a run is tried again.
///
/// ui: job/fail/retries_too_many
pub(crate) fn check_retries(retries: &LitInt, sink: &mut Sink) -> Option<u32> {
    match retries.base10_parse::<u32>() {
        Ok(count) if count <= MOST_RETRIES => Some(count),
        _ => {
            sink.error(
                retries,
                format!("`{retries}` is no number of retries\nhelp: write one from 0 to {MOST_RETRIES}"),
            );
            None
        }
    }
}

/// Without a retry there is nothing to wait for.
///
/// ui: job/fail/backoff_without_retries
pub(crate) fn check_backoff(backoff: Option<&Ident>, has_retries: bool, sink: &mut Sink) {
    if let (Some(backoff), false) = (backoff, has_retries) {
        sink.error(
            backoff,
            "`backoff` says how long a retry waits, and there is none\nhelp: remove it, or add `retries = 3`",
        );
    }
}

/// Most ticks that are made up for.
const MOST_MISSED: u32 = 10_000;

/// How many are without a number.
const MISSED: u32 = 100;

/// The variant of `Misfire`, and the number of ticks of `All`.
///
/// ui: job/fail/misfire_unknown, job/fail/misfire_too_many
pub(crate) fn check_misfire(misfire: &LitStr, sink: &mut Sink) -> Option<(&'static str, Option<u32>)> {
    const KNOWN: [&str; 3] = ["skip", "once", "all"];
    let text = misfire.value();
    match text.as_str() {
        "skip" => return Some(("Skip", None)),
        "once" => return Some(("Once", None)),
        "all" => return Some(("All", Some(MISSED))),
        _ => {}
    }
    let Some(number) = text.strip_prefix("all(").and_then(|rest| rest.strip_suffix(')')) else {
        let help = suggest::help(&text, &KNOWN);
        sink.error(misfire, format!("`{text}` says nothing of ticks that were missed\n{help}"));
        return None;
    };
    match number.parse::<u32>() {
        Ok(most) if (1..=MOST_MISSED).contains(&most) => Some(("All", Some(most))),
        _ => {
            let message = format!(
                "`{number}` is no number of ticks that are made up for\nhelp: write `all(100)`, with 1 to {MOST_MISSED}"
            );
            sink.error(misfire, message);
            None
        }
    }
}
