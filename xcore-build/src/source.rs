//! Where a value was written: a file, an environment variable, or a default of xcore.

use std::sync::Arc;

/// One origin of values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file; its text is kept for snippets.
    File { name: String, text: String },
    /// An environment variable that overrides a key.
    Variable { name: String },
    /// Built in.
    Default,
}

impl Source {
    pub(crate) fn file(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self::File { name: name.into(), text: text.into() })
    }

    /// How a problem names it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File { name, .. } => name.clone(),
            Self::Variable { name } => format!("environment variable {name}"),
            Self::Default => "default".to_owned(),
        }
    }
}

/// A span in a source. `line` is 0 when the source has no lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) source: Arc<Source>,
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// Width of the caret line, in characters.
    pub(crate) width: u32,
}

impl Origin {
    /// The whole of a source that has no lines, or a file as such.
    pub(crate) fn whole(source: Arc<Source>) -> Self {
        Self { source, line: 0, column: 0, width: 0 }
    }

    /// A source for what xcore supplies itself.
    pub(crate) fn default_value() -> Self {
        Self::whole(Arc::new(Source::Default))
    }

    pub(crate) fn is_default(&self) -> bool {
        matches!(*self.source, Source::Default)
    }

    pub(crate) fn place(&self) -> crate::schema::Place {
        crate::schema::Place { line: self.line, column: self.column }
    }

    /// `xcore.yaml:3:5`, or the name of the source.
    pub(crate) fn display(&self) -> String {
        match (&*self.source, self.line) {
            (Source::File { name, .. }, 1..) => format!("{name}:{}:{}", self.line, self.column),
            (source, _) => source.name(),
        }
    }
}
