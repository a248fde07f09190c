//! What the macros say of wrong code, and that they accept right code without a warning.
//!
//! `ui/<macro>/fail/<situation>.rs` must be refused with exactly the words of the `.stderr` beside it;
//! `ui/<macro>/pass/<situation>.rs` must pass clippy's pedantic lints. Both are read by people first: a case is the
//! shortest code in which the situation can arise. `TRYBUILD=overwrite cargo test -p xcore-tests --test ui` writes the
//! `.stderr` files anew.
//!
//! A case that begins with `//@ yaml: NAME` is compiled against `ui/yaml/NAME.yaml`. Cases with the same file are
//! compiled together, because the macros find the file through the environment of the compiler, and there is one of
//! that per run. A test cannot change its own environment, so each such group is a run of this program with
//! [`GROUP`] set.
//!
//! `ui/yaml/server.yaml` is wrong only where the feature `postgres` is off, and `cached.yaml` where `redis` is, so their cases are left
//! out where it is on; `tests/run` compiles them without it.
#![allow(clippy::unwrap_used, reason = "a test without its files has nothing to say")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "ui/accepted.rs"]
mod accepted;

/// Names the group that a child compiles.
const GROUP: &str = "XCORE_UI_GROUP";

/// The package that trybuild makes of the cases.
const PACKAGE: &str = "xcore-tests-tests";

#[test]
fn wrong_code_is_refused_in_these_words() {
    let filter = env::var("XCORE_UI_ONLY").unwrap_or_default();
    let failed: Vec<String> = groups(&filter).into_keys().filter(|group| !run_group(group)).collect();
    assert!(failed.is_empty(), "these groups have other messages than expected: {failed:?}");
}

#[test]
fn right_code_is_accepted_without_a_warning() {
    accepted::check(&cases("pass"));
}

#[test]
#[ignore = "a part of `wrong_code_is_refused_in_these_words`"]
fn one_group() {
    let Ok(group) = env::var(GROUP) else { return };
    let filter = env::var("XCORE_UI_ONLY").unwrap_or_default();
    let runner = trybuild::TestCases::new();
    for case in groups(&filter).remove(&group).unwrap_or_default() {
        runner.compile_fail(case);
    }
}

/// The cases that are refused, by the yaml that they are compiled against; without one, the name is empty.
fn groups(filter: &str) -> BTreeMap<String, Vec<PathBuf>> {
    let mut groups: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for case in cases("fail").into_iter().filter(|case| case.to_string_lossy().contains(filter)) {
        groups.entry(header(&case, "yaml").unwrap_or_default()).or_default().push(case);
    }
    if cfg!(feature = "postgres") {
        groups.remove("server");
    }
    if cfg!(feature = "redis") {
        groups.remove("cached");
    }
    if cfg!(feature = "jwt") {
        groups.remove("tokens");
    }
    groups
}

/// Whether all cases of a group are refused as expected.
fn run_group(group: &str) -> bool {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "one_group", "--ignored", "--nocapture"]).env(GROUP, group);
    // Without a yaml the variable stays as cargo set it for this test: a schema of another package must be no schema.
    if !group.is_empty() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui").join(group);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(format!("ui/yaml/{group}.yaml"), folder.join("xcore.yaml")).unwrap();
        let written =
            xcore_build::Compile::new("xcore.yaml").package(PACKAGE).folder(&folder).out_dir(&folder).write();
        if let Err(problems) = written {
            panic!("{group}.yaml is wrong:\n{problems}");
        }
        child.env("XCORE_SCHEMA", folder.join("xcore_schema.json"));
    }
    child.status().unwrap().success()
}

/// All cases of a kind, sorted.
fn cases(kind: &str) -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for of_macro in fs::read_dir("ui").unwrap() {
        let Ok(folder) = fs::read_dir(of_macro.unwrap().path().join(kind)) else { continue };
        cases.extend(
            folder
                .map(|file| file.unwrap().path())
                .filter(|file| file.extension().is_some_and(|end| end == "rs")),
        );
    }
    cases.sort();
    cases
}

/// `VALUE` of a first line `//@ KEY: VALUE`.
fn header(case: &Path, key: &str) -> Option<String> {
    let text = fs::read_to_string(case).unwrap();
    let line = text.lines().next()?.strip_prefix("//@ ")?;
    let (found, value) = line.split_once(": ")?;
    (found == key).then(|| value.to_owned())
}

#[test]
fn the_readme_shows_a_message_as_it_is() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(tests.join("../README.md")).unwrap();
    let message = fs::read_to_string(tests.join("ui/job/fail/cron_hour_out_of_range.stderr")).unwrap();
    let (_, shown) = readme.split_once("```text\n").unwrap();
    let (shown, _) = shown.split_once("\n```").unwrap();
    assert!(message.starts_with(shown), "the README shows another message:\n{shown}");
}
