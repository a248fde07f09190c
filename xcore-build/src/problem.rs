//! Problems with a configuration, all of them at once, each with its place and the way to mend it.

use std::fmt;

use crate::redact;
use crate::source::{Origin, Source};

/// One thing that is wrong with a configuration.
///
/// `Display` shows it as rustc would, with the line of the file and carets below the place. Values of keys
/// that look like secrets are covered in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Where it was written: the file as it was named, or `environment variable NAME`.
    pub file: String,
    /// Line from 1; 0 when the source has no lines, as an environment variable.
    pub line: u32,
    /// Column in characters from 1; 0 when the source has no lines.
    pub column: u32,
    /// The key it is about, `tenancy.header` for example; empty when it is about the file as such.
    pub key: String,
    /// What is wrong, in one line, without a full stop.
    pub message: String,
    /// The line of the file and the carets below it.
    pub snippet: Option<Box<Snippet>>,
    /// How to mend it.
    pub help: Option<String>,
}

/// A line of a file with the place that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snippet {
    /// The line, without its end, secrets covered.
    pub line: String,
    /// The carets, padded so that they stand below the place.
    pub carets: String,
}

/// Every problem that was found, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(Vec<Problem>);

impl Problem {
    pub(crate) fn at(origin: &Origin, message: impl Into<String>) -> Self {
        Self {
            file: origin.source.name(),
            line: origin.line,
            column: origin.column,
            key: String::new(),
            message: printable(&message.into()),
            snippet: snippet(origin).map(Box::new),
            help: None,
        }
    }

    /// A problem of a file that cannot be read at all.
    pub(crate) fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        let (file, message) = (file.into(), printable(&message.into()));
        Self { file, line: 0, column: 0, key: String::new(), message, snippet: None, help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().lines().map(printable).collect::<Vec<_>>().join("\n"));
        self
    }

    pub(crate) fn maybe_help(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    pub(crate) fn about(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// `xcore.yaml:3:5`, or only the source when it has no lines.
    #[must_use]
    pub fn location(&self) -> String {
        match self.line {
            0 => self.file.clone(),
            line => format!("{}:{line}:{}", self.file, self.column),
        }
    }

    /// The lines that a build script prints, the first of which says everything that matters: cargo prefixes
    /// each of them, so they are few and no gutter is drawn.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let colon = if self.line == 0 { ":" } else { "" };
        let mut lines = vec![format!("{}{colon} {}", self.location(), self.message)];
        if let Some(help) = &self.help {
            let mut help = help.lines().filter(|line| !line.is_empty());
            lines[0] += &format!("; {}", help.next().unwrap_or_default());
            lines.extend(help.map(|line| format!("    {line}")));
        }
        if let Some(snippet) = &self.snippet {
            lines.push(format!("    | {}", snippet.line));
            lines.push(format!("    | {}", snippet.carets));
        }
        lines
    }
}

fn snippet(origin: &Origin) -> Option<Snippet> {
    let Source::File { text, .. } = &*origin.source else { return None };
    let index = usize::try_from(origin.line).ok()?.checked_sub(1)?;
    let line = text.lines().nth(index)?.trim_end_matches('\r');
    let line: String = line.strip_prefix('\u{feff}').unwrap_or(line).to_owned();
    let length = line.chars().count();
    let start = usize::try_from(origin.column).ok()?.saturating_sub(1).min(length);
    let width = usize::try_from(origin.width).ok()?.clamp(1, (length - start).max(1));
    // A tab is as wide as the terminal makes it, so the padding repeats the tabs of the line.
    let padding: String = line.chars().take(start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let carets = padding + &"^".repeat(width);
    Some(Snippet { line: redact::mask_line(&printable(&line)), carets })
}

/// Control characters would let a file move the cursor of whoever reads its errors, and a line end would let
/// it speak to cargo in the name of the build script.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = if self.line == 0 { 1 } else { self.line.to_string().len() };
        writeln!(f, "error: {}", self.message)?;
        write!(f, "{:gutter$}--> {}", "", self.location())?;
        if let Some(snippet) = &self.snippet {
            write!(
                f,
                "\n{:gutter$} |\n{} | {}\n{:gutter$} | {}",
                "", self.line, snippet.line, "", snippet.carets
            )?;
        }
        if let Some(help) = &self.help {
            let mut lines = help.lines();
            write!(f, "\n{:gutter$} = help: {}", "", lines.next().unwrap_or_default())?;
            for line in lines {
                write!(f, "\n{:gutter$}   {line}", "")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl Problems {
    /// How many there are; at least one when it is an error.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        // An overlay is checked on top of its file, so what is wrong in the file is found once per overlay.
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// `Ok` when nothing was found, else the problems by source and line.
    pub(crate) fn into_result<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => {
                self.sort();
                Err(self)
            }
        }
    }

    pub(crate) fn sort(&mut self) {
        let mut files: Vec<String> = Vec::new();
        for problem in &self.0 {
            if !files.contains(&problem.file) {
                files.push(problem.file.clone());
            }
        }
        let rank = |file: &str| files.iter().position(|other| other == file);
        self.0.sort_by_key(|problem| (rank(&problem.file), problem.line, problem.column));
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
