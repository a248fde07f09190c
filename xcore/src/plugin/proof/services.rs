//! The services that a plugin declares are configured, and `central` is granted to it.

use super::text::{Text, is_among};
use super::{App, Claims};
use crate::plugin::ServiceName;

/// Proves that `xcore.yaml` provides what a plugin declares.
///
/// ui: app/fail/service_not_configured, app/fail/central_not_granted, app/fail/jobs_without_scheduler
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn services_are_provided(app: &App, at: usize) {
    let fault = fault(app, &app.claims[at]);
    assert!(fault.is_empty(), "{}", fault.as_str());
}

const fn fault(app: &App, claims: &Claims) -> Text {
    if app.is_permissive {
        return Text::EMPTY;
    }
    let mut at = 0;
    while at < claims.services.len() {
        let fault = match claims.services[at] {
            ServiceName::Db if !app.offers[0] => missing(app, claims, "database", "uses the service `db`"),
            ServiceName::Cache if !app.offers[1] => missing(app, claims, "cache", "uses the service `cache`"),
            ServiceName::Scheduler if !app.offers[2] => {
                missing(app, claims, "scheduler", "uses the service `scheduler`")
            }
            ServiceName::Central if !app.offers[0] => {
                missing(app, claims, "database", "uses the service `central`")
            }
            ServiceName::Central => not_granted(app, claims),
            _ => Text::EMPTY,
        };
        if !fault.is_empty() {
            return fault;
        }
        at += 1;
    }
    if claims.has_jobs && !app.offers[2] {
        return missing(app, claims, "scheduler", "has jobs");
    }
    Text::EMPTY
}

const fn missing(app: &App, claims: &Claims, section: &str, why: &str) -> Text {
    Text::of(&[
        "plugin `",
        claims.name,
        "` ",
        why,
        ", but ",
        app.file,
        " has no `services.",
        section,
        "`\nhelp: add it:\n\n    services:\n      ",
        section,
        ": ",
        example(section),
    ])
}

const fn example(section: &str) -> &'static str {
    match section.as_bytes() {
        b"database" => "{ url: sqlite://data }",
        b"cache" => "{ backend: memory }",
        _ => "{ timezone: UTC }",
    }
}

const fn not_granted(app: &App, claims: &Claims) -> Text {
    match app.entry(claims.name) {
        Some(entry) if !is_among("central", entry.grants) => Text::of(&[
            "plugin `",
            claims.name,
            "` is not granted `central`, which reaches beyond its tenant\nhelp: grant it at ",
        ])
        .place(app.file, entry.line, entry.column)
        .and(&[":\n\n    plugins:\n      ", claims.name, ": { grants: [central] }"]),
        // One that is not listed at all is reported as that.
        _ => Text::EMPTY,
    }
}
