//! A text with holes.

/// A statement with holes for the tenant's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Template {
    text: Box<str>,
    /// Where the name of a table begins, as byte offsets in the text.
    holes: Box<[usize]>,
    writes: bool,
}

impl Template {
    /// Holes must be in ascending order.
    pub(super) fn new(text: &str, holes: Vec<usize>, writes: bool) -> Self {
        debug_assert!(holes.is_sorted_by(|a, b| a < b));
        Self { text: text.into(), holes: holes.into(), writes }
    }

    /// The statement with every table in `schema`.
    #[must_use]
    pub(in super::super) fn fill(&self, schema: &str) -> String {
        // Exact for tenants' names of the usual length, so that the text is allocated once.
        let mut filled = String::with_capacity(self.text.len() + self.holes.len() * 24);
        let mut done = 0;
        for &hole in &self.holes {
            filled.push_str(&self.text[done..hole]);
            push_quoted(&mut filled, schema);
            filled.push('.');
            done = hole;
        }
        filled.push_str(&self.text[done..]);
        filled
    }

    /// Whether it may change rows or lock them.
    #[must_use]
    pub(in super::super) fn writes(&self) -> bool {
        self.writes
    }
}

fn push_quoted(text: &mut String, name: &str) {
    text.push('"');
    if name.contains('"') {
        text.push_str(&name.replace('"', "\"\""));
    } else {
        text.push_str(name);
    }
    text.push('"');
}
