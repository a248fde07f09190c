//! What the macros and the proofs say of routes and versions, the crates that use them say too.

use axum::Router;
use axum::routing::get;
use proptest::prelude::*;
use semver::{Version, VersionReq};

use crate::check::clash::shapes_clash;
use crate::check::route;

#[path = "../../../xcore/src/plugin/proof/version.rs"]
mod version;

/// Pieces that make paths which are right, nearly right and wrong.
const PIECES: &[&str] = &[
    "/", "/", "/", "/", "a", "b", "ab", "{x}", "{y}", "{*r}", "{*s}", "a{x}", "a{*r}", "{", "}", "{{", "}}",
    ":x", "*", "{x}b", "{}", "{*}", "-", "%20", "\u{e9}", ".", "{x", "x}",
];

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..7).prop_map(|pieces| pieces.concat())
}

/// Paths that are right, so that pairs of them meet often.
fn right_path() -> impl Strategy<Value = String> {
    let segment = proptest::sample::select(&["a", "b", "ab", "{x}", "{y}", "a{x}", "a{y}"][..]);
    let rest = proptest::option::of(proptest::sample::select(&["{*r}", "{*s}", "a{*r}"][..]));
    (proptest::collection::vec(segment, 0..4), rest)
        .prop_map(|(segments, rest)| {
            format!("/{}", segments.into_iter().chain(rest).collect::<Vec<_>>().join("/"))
        })
        .prop_filter("names differ", |path| route::parse(path).is_ok())
}

/// Whether axum takes the paths into one router.
fn axum_takes(paths: &[String]) -> bool {
    let paths = paths.to_vec();
    std::panic::catch_unwind(move || {
        paths.iter().fold(Router::<()>::new(), |router, path| router.route(path, get(|| async {})))
    })
    .is_ok()
}

fn silently<T>(run: impl FnOnce() -> T) -> T {
    // axum's refusals are panics, and thousands of them would drown the test that fails.
    std::panic::set_hook(Box::new(|_| {}));
    run()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn axum_takes_every_path_that_is_accepted(path in path()) {
        if route::parse(&path).is_ok() {
            prop_assert!(silently(|| axum_takes(std::slice::from_ref(&path))), "{path}");
        }
    }

    #[test]
    fn two_paths_clash_here_when_they_clash_in_axum(a in right_path(), b in right_path()) {
        if a != b {
            let clash = shapes_clash(&a, &b);
            prop_assert_eq!(clash.is_none(), silently(|| axum_takes(&[a.clone(), b.clone()])), "{} {}", a, b);
        }
    }

    #[test]
    fn many_paths_without_a_clash_are_one_router(paths in proptest::collection::vec(right_path(), 2..9)) {
        let mut kept: Vec<String> = Vec::new();
        for path in paths {
            if kept.iter().all(|earlier| *earlier != path && shapes_clash(earlier, &path).is_none()) {
                kept.push(path);
            }
        }
        prop_assert!(silently(|| axum_takes(&kept)), "{kept:?}");
    }

    #[test]
    fn a_version_fits_as_it_does_for_cargo(version in version_text(), wanted in requirement_text()) {
        let (Ok(parsed), Ok(required)) = (Version::parse(&version), VersionReq::parse(&wanted)) else { return Ok(()) };
        prop_assert_eq!(version::fits(&version, &wanted), required.matches(&parsed), "{} {}", version, wanted);
    }
}

fn version_text() -> impl Strategy<Value = String> {
    (0..3u8, 0..3u8, 0..3u8, pre(), proptest::option::of(Just("+b1"))).prop_map(
        |(major, minor, patch, pre, build)| {
            format!("{major}.{minor}.{patch}{pre}{}", build.unwrap_or_default())
        },
    )
}

fn pre() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &["", "", "-alpha", "-alpha.1", "-alpha.2", "-alpha.10", "-beta", "-1", "-rc.1.x"][..],
    )
}

fn requirement_text() -> impl Strategy<Value = String> {
    let operator = proptest::sample::select(&["", "^", "=", ">", ">=", "<", "<=", "~"][..]);
    let number = prop_oneof![
        (0..3u8).prop_map(|major| format!("{major}")),
        (0..3u8, 0..3u8).prop_map(|(major, minor)| format!("{major}.{minor}")),
        (0..3u8, 0..3u8, 0..3u8, pre())
            .prop_map(|(major, minor, patch, pre)| format!("{major}.{minor}.{patch}{pre}")),
        Just("*".to_owned()),
        (0..3u8).prop_map(|major| format!("{major}.*")),
        (0..3u8, 0..3u8).prop_map(|(major, minor)| format!("{major}.{minor}.*")),
        (0..3u8).prop_map(|major| format!("{major}.*.*")),
    ];
    let comparator = (operator, proptest::option::of(Just(" ")), number)
        .prop_map(|(operator, space, number)| format!("{operator}{}{number}", space.unwrap_or_default()));
    proptest::collection::vec(comparator, 1..3).prop_map(|comparators| comparators.join(", "))
}
