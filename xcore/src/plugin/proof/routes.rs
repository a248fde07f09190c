//! No two actions of an app are on one route: what is proved here, axum accepts without a panic.

use super::text::{Text, same};
use super::{App, Claims};
use crate::plugin::ActionSpec;

/// Proves that no action of a plugin is on a route of a plugin before it.
///
/// ui: app/fail/route_twice, app/fail/route_renamed_parameter
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn routes_are_distinct(app: &App, at: usize) {
    let fault = fault(app, at);
    assert!(fault.is_empty(), "{}", fault.as_str());
}

/// Proves that the actions of one plugin that are compiled in have distinct routes.
///
/// `#[plugin]` has compared those that are always there; this compares those that depend on a `#[cfg]`.
///
/// ui: action/fail/route_twice_under_cfg
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn routes_are_distinct_within(actions: &[ActionSpec]) {
    let mut second = 0;
    while second < actions.len() {
        let mut first = 0;
        while first < second {
            let fault = compare("", &actions[first], "", &actions[second]);
            assert!(fault.is_empty(), "{}", fault.as_str());
            first += 1;
        }
        second += 1;
    }
}

const fn fault(app: &App, at: usize) -> Text {
    let claims = &app.claims[at];
    let mut other = 0;
    while other < at {
        let earlier = &app.claims[other];
        // Two plugins of one name are reported as that.
        if !same(earlier.name, claims.name) {
            let fault = fault_between(earlier, claims);
            if !fault.is_empty() {
                return fault;
            }
        }
        other += 1;
    }
    Text::EMPTY
}

const fn fault_between(earlier: &Claims, claims: &Claims) -> Text {
    let mut second = 0;
    while second < claims.actions.len() {
        let mut first = 0;
        while first < earlier.actions.len() {
            let fault = compare(earlier.path, &earlier.actions[first], claims.path, &claims.actions[second]);
            if !fault.is_empty() {
                return fault;
            }
            first += 1;
        }
        second += 1;
    }
    Text::EMPTY
}

const fn compare(mount_a: &str, a: &ActionSpec, mount_b: &str, b: &ActionSpec) -> Text {
    let is_same_verb = a.verb as u8 == b.verb as u8;
    let (mut left, mut right) = (Pieces::new(mount_a, a.path), Pieces::new(mount_b, b.path));
    let mut is_same_text = true;
    let clash = loop {
        match (left.next(), right.next()) {
            (Piece::End, Piece::End) => break !is_same_text || is_same_verb,
            (Piece::Byte(x), Piece::Byte(y)) if x == y => {}
            (Piece::Parameter(x), Piece::Parameter(y)) => is_same_text &= same(x, y),
            (Piece::Rest(x), Piece::Rest(y)) => break !(is_same_text && same(x, y)) || is_same_verb,
            (Piece::Rest(_), Piece::Parameter(_)) | (Piece::Parameter(_), Piece::Rest(_)) => break true,
            _ => break false,
        }
    };
    if clash { message(mount_a, a, mount_b, b) } else { Text::EMPTY }
}

const fn message(mount_a: &str, a: &ActionSpec, mount_b: &str, b: &ActionSpec) -> Text {
    Text::of(&["action `", b.plugin, ".", b.name, "` and action `", a.plugin, ".", a.name, "` are on one route: `"])
        .and(&[b.verb.as_str(), " ", fixed(mount_b), own(mount_b, b.path), "` and `"])
        .and(&[a.verb.as_str(), " ", fixed(mount_a), own(mount_a, a.path)])
        .and(&["`\nhelp: give one of them another path, or mount its plugin elsewhere: `#[xcore::plugin(path = \"..\")]`"])
}

/// `/` as a mount adds nothing.
const fn fixed(mount: &str) -> &str {
    if mount.len() == 1 { "" } else { mount }
}

/// `/` below a mount adds nothing.
const fn own<'a>(mount: &str, path: &'a str) -> &'a str {
    if path.len() == 1 && mount.len() > 1 { "" } else { path }
}

/// A piece of a path, as the router of axum sees it.
enum Piece<'a> {
    Byte(u8),
    Parameter(&'a str),
    Rest(&'a str),
    End,
}

/// The pieces of a mount and a path behind it.
struct Pieces<'a> {
    now: &'a str,
    then: &'a str,
}

impl<'a> Pieces<'a> {
    const fn new(mount: &'a str, path: &'a str) -> Self {
        Self { now: fixed(mount), then: own(mount, path) }
    }

    const fn next(&mut self) -> Piece<'a> {
        if self.now.is_empty() {
            self.now = self.then;
            self.then = "";
        }
        let bytes = self.now.as_bytes();
        if bytes.is_empty() {
            return Piece::End;
        }
        let mut end = 0;
        while bytes[0] == b'{' && end < bytes.len() && bytes[end] != b'}' {
            end += 1;
        }
        if end == 0 || end == bytes.len() {
            let (first, rest) = bytes.split_at(1);
            self.now = text(rest);
            return Piece::Byte(first[0]);
        }
        let (name, rest) = (text(bytes.split_at(end).0.split_at(1).1), text(bytes.split_at(end + 1).1));
        self.now = rest;
        if name.as_bytes()[0] == b'*' { Piece::Rest(name) } else { Piece::Parameter(name) }
    }
}

/// The grammar of paths is ASCII, so every cut makes a text.
const fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::{MethodFilter, on};
    use proptest::prelude::*;

    use super::*;
    use crate::plugin::{Callers, Scope, Verb};

    fn action(verb: Verb, path: &'static str) -> ActionSpec {
        ActionSpec {
            plugin: "orders",
            name: "place",
            verb,
            path,
            scope: Scope::Tenant,
            status: None,
            timeout: None,
            internal: false,
            callers: Callers::Any,
            summary: "",
            description: "",
        }
    }

    /// Whether axum takes both into one router. The routes are put together as `http::router` does it.
    fn axum_takes(routes: [(&'static str, ActionSpec); 2]) -> bool {
        // axum's refusals are panics, and thousands of them would drown the test that fails.
        std::panic::set_hook(Box::new(|_| {}));
        std::panic::catch_unwind(move || {
            routes.into_iter().fold(Router::<()>::new(), |router, (mount, spec)| {
                let filter = if spec.verb == Verb::Get { MethodFilter::GET } else { MethodFilter::POST };
                router.route(&crate::http::full_path("", mount, &spec), on(filter, || async {}))
            })
        })
        .is_ok()
    }

    fn placed() -> impl Strategy<Value = (&'static str, ActionSpec)> {
        let mount = proptest::sample::select(&["/", "/a", "/a/b", "/b"][..]);
        let path = proptest::sample::select(
            &[
                "/",
                "/a",
                "/b",
                "/a/b",
                "/{x}",
                "/{y}",
                "/{x}/a",
                "/{y}/b",
                "/a/{x}",
                "/b/{y}",
                "/{x}/{y}",
                "/{*r}",
                "/{*s}",
                "/a/{*r}",
                "/b{x}",
                "/b{y}/a",
                "/b{*r}",
                "/{x}/{*r}",
            ][..],
        );
        let verb = proptest::sample::select(&[Verb::Get, Verb::Post][..]);
        (mount, verb, path).prop_map(|(mount, verb, path)| (mount, action(verb, path)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8000))]

        #[test]
        fn two_routes_clash_here_when_they_clash_in_axum(a in placed(), b in placed()) {
            let fault = compare(a.0, &a.1, b.0, &b.1);
            prop_assert_eq!(fault.is_empty(), axum_takes([a, b]), "{:?}", fault);
        }
    }
}
