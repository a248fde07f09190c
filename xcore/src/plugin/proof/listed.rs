//! The plugins of `app!` and those of `xcore.yaml` are the same, and each has a name of its own.

use super::text::{Text, is_near, same};
use super::{App, Claims};

/// Proves that a plugin has a name of its own and is listed in `xcore.yaml`.
///
/// ui: app/fail/plugin_not_in_yaml, app/fail/plugin_name_taken
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn is_listed(app: &App, at: usize) {
    let fault = fault_of_plugin(app, at);
    assert!(fault.is_empty(), "{}", fault.as_str());
}

/// Proves that every plugin that `xcore.yaml` lists is mounted.
///
/// ui: app/fail/yaml_plugin_not_mounted
///
/// # Panics
/// While the compiler evaluates it, when it is not so.
#[track_caller]
pub const fn all_mounted(app: &App) {
    let fault = fault_of_yaml(app);
    assert!(fault.is_empty(), "{}", fault.as_str());
}

const fn fault_of_plugin(app: &App, at: usize) -> Text {
    let claims = &app.claims[at];
    if !claims.name.is_empty()
        && let Some(first) = app.find(claims.name)
        && first < at
    {
        return Text::of(&[
            "two plugins of this app are called `",
            claims.name,
            "`\nhelp: remove one, or give it another name: `#[xcore::plugin(name = \"..\")]`",
        ]);
    }
    if claims.name.is_empty() || app.is_permissive || app.entry(claims.name).is_some() {
        return Text::EMPTY;
    }
    let fault = Text::of(&["plugin `", claims.name, "` is not in ", app.file]);
    match slip(app, claims) {
        Some(meant) => {
            let entry = &app.entries[meant];
            fault.and(&["; "]).place(app.file, entry.line, entry.column).and(&[
                " has `",
                entry.name,
                "`\nhelp: did you mean `",
                claims.name,
                "` there?",
            ])
        }
        None => fault.and(&["\nhelp: list it:\n\n    plugins:\n      ", claims.name, ": {}"]),
    }
}

const fn fault_of_yaml(app: &App) -> Text {
    // A plugin that is broken has no name here, and may be the one.
    if app.is_permissive || app.find("").is_some() {
        return Text::EMPTY;
    }
    let mut at = 0;
    while at < app.entries.len() {
        let entry = &app.entries[at];
        at += 1;
        if app.find(entry.name).is_some() || is_slip_of_a_plugin(app, entry.name) {
            continue;
        }
        return Text::EMPTY.place(app.file, entry.line, entry.column).and(&[
            " lists plugin `",
            entry.name,
            "`, which this app does not mount\nhelp: add it to `app!`, or remove it there",
        ]);
    }
    Text::EMPTY
}

/// The entry that no plugin of the app has, and whose name is a slip of this one's.
const fn slip(app: &App, claims: &Claims) -> Option<usize> {
    let mut at = 0;
    while at < app.entries.len() {
        let name = app.entries[at].name;
        if !same(name, claims.name) && is_near(name, claims.name) && app.find(name).is_none() {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Such an entry is reported at the plugin that it was meant for.
const fn is_slip_of_a_plugin(app: &App, name: &str) -> bool {
    let mut at = 0;
    while at < app.claims.len() {
        let claims = &app.claims[at];
        if app.entry(claims.name).is_none() && is_near(name, claims.name) {
            return true;
        }
        at += 1;
    }
    false
}
