//! The grammar of a route: axum 0.8's, without what no request can match.
//!
//! What is accepted here, axum accepts without a panic; a property test holds the two together.

use syn::LitStr;

use crate::sink::Sink;

/// matchit names the parameters of a route `a` to `z` and panics at the end of the alphabet.
const MOST_PARAMETERS: usize = 25;

/// The path of an action that is right.
///
/// ui: action/fail/path_*
pub(crate) fn check_path(path: &LitStr, sink: &mut Sink) -> Option<String> {
    let text = path.value();
    match parse(&text) {
        Ok(_) => Some(text),
        Err(Fault { what, help }) => {
            sink.error(path, format!("{what}\nhelp: {help}"));
            None
        }
    }
}

/// The path under which a plugin is mounted: a path without parameters.
///
/// ui: plugin/fail/path_with_parameter
pub(crate) fn check_mount(path: &LitStr, sink: &mut Sink) -> Option<String> {
    let text = check_path(path, sink)?;
    if parse(&text).is_ok_and(|parameters| parameters.is_empty()) {
        return Some(text);
    }
    sink.error(
        path,
        "a plugin is mounted at a fixed path\nhelp: write the parameter in the paths of its actions: `#[action(get = \"/{id}\")]`",
    );
    None
}

/// What is wrong with a path, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    what: String,
    help: String,
}

fn fault<T>(what: impl Into<String>, help: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { what: what.into(), help: help.into() })
}

/// The names of the parameters of a path.
pub(crate) fn parse(path: &str) -> Result<Vec<String>, Fault> {
    let Some(rest) = path.strip_prefix('/') else {
        return fault(format!("path `{path}` does not start with `/`"), format!("write `\"/{path}\"`"));
    };
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(shorter) = path.strip_suffix('/') {
        return fault(
            format!("path `{path}` ends with `/`, and a request without it would not be found"),
            format!("write `\"{}\"`", if shorter.is_empty() { "/" } else { shorter }),
        );
    }
    refuse_other_dialects(path)?;
    let mut names: Vec<String> = Vec::new();
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() {
            return fault(
                format!("path `{path}` holds an empty segment"),
                "remove one of the slashes in `//`",
            );
        }
        let Some(name) = parse_segment(segment, segments.peek().is_none())? else { continue };
        if names.contains(&name) {
            return fault(
                format!("parameter `{name}` stands twice in path `{path}`"),
                "give each parameter a name of its own",
            );
        }
        names.push(name);
    }
    if names.len() > MOST_PARAMETERS {
        return fault(
            format!("path `{path}` has {} parameters", names.len()),
            format!("a path has at most {MOST_PARAMETERS}; take the rest as a query or a body"),
        );
    }
    Ok(names)
}

fn parse_segment(segment: &str, is_last: bool) -> Result<Option<String>, Fault> {
    let Some(open) = segment.find('{') else {
        if segment.contains('}') {
            return fault(format!("`}}` in `{segment}` closes nothing"), "write a parameter as `{name}`");
        }
        return check_literal(segment).map(|()| None);
    };
    check_literal(&segment[..open])?;
    let Some(length) = segment[open..].find('}') else {
        return fault(format!("`{{` in `{segment}` is not closed"), "write a parameter as `{name}`");
    };
    let (inner, after) = (&segment[open + 1..open + length], &segment[open + length + 1..]);
    if !after.is_empty() {
        return fault(
            format!("`{after}` follows a parameter in `{segment}`"),
            "a parameter ends its segment; take it whole and split it in the action",
        );
    }
    let name = inner.strip_prefix('*').unwrap_or(inner);
    if inner.starts_with('*') && !is_last {
        return fault(
            format!("`{{{inner}}}` takes the rest of the path, so nothing can follow it"),
            "move it to the end, or write `{name}` for one segment",
        );
    }
    check_name(name, inner)?;
    Ok(Some(name.to_owned()))
}

/// The ways in which older axum and other frameworks write parameters. The help is the whole path, mended.
fn refuse_other_dialects(path: &str) -> Result<(), Fault> {
    let Some(first) = path.split('/').find(|segment| translate(segment).is_some()) else { return Ok(()) };
    let mended: Vec<String> =
        path.split('/').map(|segment| translate(segment).unwrap_or_else(|| segment.to_owned())).collect();
    fault(format!("`{first}` is not how a parameter is written"), format!("write `\"{}\"`", mended.join("/")))
}

fn translate(segment: &str) -> Option<String> {
    if let Some(name) = segment.strip_prefix(':') {
        return Some(format!("{{{name}}}"));
    }
    if let Some(name) = segment.strip_prefix('*') {
        return Some(format!("{{*{}}}", if name.is_empty() { "rest" } else { name }));
    }
    let name = segment.strip_prefix('<')?.strip_suffix('>')?;
    Some(format!("{{{}}}", name.rsplit(':').next().unwrap_or(name)))
}

fn check_name(name: &str, inner: &str) -> Result<(), Fault> {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if begins && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        return Ok(());
    }
    let what = if name.is_empty() {
        format!("parameter `{{{inner}}}` has no name")
    } else {
        format!("`{name}` is no name for a parameter")
    };
    fault(what, "a name is made of letters, digits and `_`, and starts with no digit")
}

/// RFC 3986, section 3.3: what a path may hold as it stands. Anything else arrives percent-encoded, and a route that
/// spells it out never matches.
fn check_literal(text: &str) -> Result<(), Fault> {
    let Some(letter) = text.chars().find(|letter| !is_path_character(*letter)) else { return Ok(()) };
    match letter {
        '?' => fault(
            format!("`?` in `{text}` begins a query, which is no part of a path"),
            "take a `Query<T>` argument",
        ),
        '#' => fault(format!("`#` in `{text}` never reaches a server"), "remove it"),
        ' ' => fault(format!("path segment `{text}` holds a space, which no request does"), "remove it"),
        _ => fault(
            format!("`{letter}` in `{text}` never arrives in a path as it stands"),
            "use letters, digits, `-`, `.`, `_` and `~`",
        ),
    }
}

fn is_path_character(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<&[&str], &str>) {
        match (parse(path), expected) {
            (Ok(names), Ok(expected)) => assert_eq!(names, expected, "{path}"),
            (Err(fault), Err(part)) => {
                let message = format!("{}; {}", fault.what, fault.help);
                assert!(message.contains(part), "{path}: {message}");
            }
            (found, expected) => panic!("{path}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_path_has_literal_segments_and_parameters() {
        check("/", Ok(&[]));
        check("/orders/open", Ok(&[]));
        check("/{id}", Ok(&["id"]));
        check("/orders/{id}/lines/{line}", Ok(&["id", "line"]));
        check("/v{version}", Ok(&["version"]));
        check("/files/{*rest}", Ok(&["rest"]));
    }

    #[test]
    fn a_wrong_path_says_how_to_mend_it() {
        check("orders", Err("write `\"/orders\"`"));
        check("", Err("does not start"));
        check("/orders/", Err("write `\"/orders\"`"));
        check("//", Err("write `\"/\"`"));
        check("/a//b", Err("empty segment"));
        check("/:id/lines/:line", Err("write `\"/{id}/lines/{line}\"`"));
        check("/*rest", Err("write `\"/{*rest}\"`"));
        check("/<int:id>", Err("write `\"/{id}\"`"));
        check("/{id", Err("not closed"));
        check("/id}", Err("closes nothing"));
        check("/{}", Err("has no name"));
        check("/{*}", Err("has no name"));
        check("/{1st}", Err("no name"));
        check("/{id}.json", Err("follows a parameter"));
        check("/{a}{b}", Err("follows a parameter"));
        check("/{*rest}/x", Err("takes the rest"));
        check("/{id}/{id}", Err("stands twice"));
        check("/a?b=c", Err("Query"));
        check("/a b", Err("space"));
        check("/caf\u{e9}", Err("never arrives"));
    }
}
