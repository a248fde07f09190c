//! What is no YAML, in words that help.

use std::sync::Arc;

use serde_saphyr::{Error, UserMessageFormatter};

use super::mark::place;
use crate::problem::{Problem, Problems};
use crate::source::{Origin, Source};

/// Reports why a text is no YAML. Every line that is indented with a tab is named, since those are the likely
/// cause.
pub(super) fn report(source: &Arc<Source>, text: &str, error: &Error, problems: &mut Problems) {
    let before = problems.len();
    for (index, line) in text.lines().enumerate() {
        let indent: String = line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
        let rest = &line[indent.len()..];
        let Some(tab) = indent.chars().position(|c| c == '\t') else { continue };
        if rest.is_empty() || rest.starts_with('#') {
            continue;
        }
        let origin = at(source, index + 1, tab + 1, indent.chars().count() - tab);
        problems.push(
            Problem::at(&origin, "this line is indented with a tab")
                .help("YAML is indented with spaces only"),
        );
    }
    if problems.len() > before {
        return;
    }
    let (line, column) = error.location().map_or((1, 1), place);
    // An error at the end of the text points behind its last line.
    let last = text.lines().count().max(1);
    let line = usize::try_from(line).unwrap_or(usize::MAX).clamp(1, last);
    let origin = at(source, line, usize::try_from(column).unwrap_or(1).max(1), 1);
    let (message, help) = words(error, text.lines().nth(line - 1).unwrap_or_default());
    problems.push(Problem::at(&origin, message).maybe_help(help));
}

fn words(error: &Error, line: &str) -> (String, Option<String>) {
    let too_large =
        "this file is too large or too deeply nested for a configuration, its aliases written out".to_owned();
    match error {
        Error::MultipleDocuments { .. } => (
            "a second YAML document begins here".to_owned(),
            Some("a configuration is one document; remove the line `---`".to_owned()),
        ),
        Error::MergeKeyNotAllowed { .. } => (
            "merge keys (`<<`) are not read".to_owned(),
            Some("write the keys out, or put what differs per environment into an overlay such as `xcore.production.yaml`".to_owned()),
        ),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => (too_large, Some("use fewer aliases (`*name`)".to_owned())),
        Error::AliasError { error, .. } => words(error, line),
        error => {
            let message = error.render_with_formatter(&UserMessageFormatter);
            // The place is shown beside the message; the formatter adds its own copy.
            let message = message.lines().next().unwrap_or_default();
            let message = message.split(" at line ").next().unwrap_or(message).trim_end_matches(['.', ':']);
            if message.contains("recursion limit") {
                return (too_large, Some("nest fewer maps and lists inside each other".to_owned()));
            }
            (format!("this is not YAML: {message}"), likely_cause(message, line))
        }
    }
}

fn likely_cause(message: &str, line: &str) -> Option<String> {
    if line.contains("${") {
        return Some("put a value that holds `${..}` in quotes".to_owned());
    }
    if message.contains("mapping values are not allowed") {
        return Some("check the indentation of this line; a value that holds `: ` needs quotes".to_owned());
    }
    if message.contains("parsing a flow") || message.contains("illegal placement") {
        return Some("check that every `{` and `[` above is closed".to_owned());
    }
    let needs_quotes = message.contains("unexpected character") || message.contains("unsupported tag");
    needs_quotes.then(|| "put the value in quotes".to_owned())
}

fn at(source: &Arc<Source>, line: usize, column: usize, width: usize) -> Origin {
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Origin { source: Arc::clone(source), line: narrow(line), column: narrow(column), width: narrow(width) }
}
