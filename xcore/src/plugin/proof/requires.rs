//! What a plugin requires is mounted, has a version that fits, and does not require it back.

use super::text::Text;
use super::version::fits;
use super::{App, Claims};

/// Proves the requirements of a plugin.
///
/// ui: app/fail/requires_missing, app/fail/requires_version, app/fail/requires_cycle
///
/// # Panics
/// While the compiler evaluates it, when they do not hold.
#[track_caller]
pub const fn requirements_hold(app: &App, at: usize) {
    let fault = fault(app, at);
    assert!(fault.is_empty(), "{}", fault.as_str());
}

const fn fault(app: &App, at: usize) -> Text {
    let claims = &app.claims[at];
    let mut each = 0;
    while each < claims.requires.len() {
        let needed = &claims.requires[each];
        each += 1;
        if needed.name.is_empty() || app.find("").is_some() {
            // Something is not a plugin, and that is reported.
            return Text::EMPTY;
        }
        if app.find(needed.name).is_none() {
            return Text::of(&[
                "plugin `",
                claims.name,
                "` requires plugin `",
                needed.name,
                "`, which this app does not mount\nhelp: add it to `app!`",
            ]);
        }
        if let Some(wanted) = needed.wanted
            && !fits(needed.version, wanted)
        {
            return Text::of(&[
                "plugin `",
                claims.name,
                "` requires plugin `",
                needed.name,
                "` ",
                wanted,
                ", and the one that is mounted is ",
                needed.version,
                "\nhelp: use a version that fits, or widen the requirement of `",
                claims.name,
                "`",
            ]);
        }
    }
    cycle(app, at)
}

/// How many plugins deep a circle is looked for.
const DEPTH: usize = 64;

/// A circle of requirements is reported once: at the plugin in it that `app!` names first.
const fn cycle(app: &App, start: usize) -> Text {
    let mut path = [start; DEPTH];
    let mut edge = [0; DEPTH];
    let mut is_visited = [false; DEPTH * 4];
    let mut depth = 0;
    loop {
        let claims: &Claims = &app.claims[path[depth]];
        if edge[depth] == claims.requires.len() {
            if depth == 0 {
                return Text::EMPTY;
            }
            depth -= 1;
            continue;
        }
        let next = app.find(claims.requires[edge[depth]].name);
        edge[depth] += 1;
        match next {
            Some(next) if next == start => return circle(app, &path, depth),
            // A circle with an earlier plugin in it was reported there.
            Some(next)
                if next > start && next < is_visited.len() && !is_visited[next] && depth + 1 < DEPTH =>
            {
                is_visited[next] = true;
                depth += 1;
                path[depth] = next;
                edge[depth] = 0;
            }
            _ => {}
        }
    }
}

const fn circle(app: &App, path: &[usize; DEPTH], depth: usize) -> Text {
    let mut text = Text::of(&["plugins require each other in a circle, so none of them can start first: "]);
    let mut at = 0;
    while at <= depth {
        text = text.and(&["`", app.claims[path[at]].name, "` -> "]);
        at += 1;
    }
    text.and(&[
        "`",
        app.claims[path[0]].name,
        "`\nhelp: remove one `requires(..)`; what both need can be a plugin of its own",
    ])
}
