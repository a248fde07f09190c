//! The routes of an app, kept in a file that reviewers read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::app::AppBuilder;
use crate::http::full_path;

/// Compares the actions of an app with a file that is committed beside its source.
///
/// Each action is a line: its scope, its method, its path and its name. So a route that comes, goes, or no longer belongs to a tenant
/// is a line of a diff that somebody has to approve. `XCORE_BLESS=1 cargo test` writes the file anew. A relative path begins at the
/// folder of the package.
///
/// ```ignore
/// #[test]
/// fn the_routes_are_those_that_were_reviewed() {
///     xcore::testing::assert_routes(App::builder(), "routes.txt");
/// }
/// ```
///
/// # Panics
/// When the file says something else, when there is none, and when the configuration cannot be read.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "as `TestApp::start` takes it")]
pub fn assert_routes(builder: AppBuilder, file: impl AsRef<Path>) {
    let routes = match routes_of(&builder) {
        Ok(routes) => routes,
        Err(problem) => panic!("{problem}"),
    };
    let folder = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let file = folder.join(file);
    if env::var_os("XCORE_BLESS").is_some_and(|value| value == "1") {
        if let Err(problem) = fs::write(&file, &routes) {
            panic!("{} cannot be written: {problem}", file.display());
        }
        return;
    }
    let reviewed = fs::read_to_string(&file).unwrap_or_default();
    let difference = difference(&reviewed, &routes);
    assert!(
        difference.is_empty(),
        "the routes are not those in {}; when they are meant to be, write it anew with XCORE_BLESS=1:\n{difference}",
        file.display()
    );
}

/// A line per action, sorted by path. The columns have a fixed width, so that one route more changes one line.
fn routes_of(builder: &AppBuilder) -> Result<String, crate::app::BootError> {
    let prefix = builder.load()?.config.app.prefix;
    let mut lines: Vec<[String; 2]> = Vec::new();
    for facts in (builder.plugins)().iter().map(|plugin| plugin.facts()) {
        for spec in facts.actions {
            let verb = if spec.internal { "internal" } else { spec.verb.as_str() };
            let path = full_path(&prefix, facts.path, spec);
            let scope = spec.scope.as_str();
            let line = format!("{scope:<7}  {verb:<8}  {path}  {}.{}\n", facts.name, spec.name);
            lines.push([path, line]);
        }
    }
    lines.sort();
    Ok(lines.into_iter().map(|[_, line]| line).collect())
}

/// The lines that only one side has.
fn difference(reviewed: &str, routes: &str) -> String {
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
        (reviewed.lines().collect(), routes.lines().collect());
    let gone = before.difference(&after).map(|line| format!("- {line}\n"));
    let come = after.difference(&before).map(|line| format!("+ {line}\n"));
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_becomes_central_is_a_difference() {
        let [before, after] = ["tenant ", "central"].map(|scope| format!("{scope}  GET       /a  a.b\n"));
        assert_eq!(difference(&before, &before), "");
        assert_eq!(
            difference(&before, &after),
            "- tenant   GET       /a  a.b\n+ central  GET       /a  a.b\n"
        );
    }
}
