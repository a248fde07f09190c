//! A text with holes.

use std::hash::BuildHasher;
use std::sync::OnceLock;

/// A statement with holes for the tenant's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Template {
    text: Box<str>,
    /// Where the name of a table begins, as byte offsets in the text.
    holes: Box<[usize]>,
    /// The tables that it names, see [`table_key`].
    tables: Box<[u64]>,
    writes: bool,
}

/// A table's name, for a comparison of many: two that are not equal differ but for one in 2^64.
#[must_use]
pub(in super::super) fn table_key(name: &str) -> u64 {
    KEYS.get_or_init(foldhash::fast::RandomState::default).hash_one(name)
}

static KEYS: OnceLock<foldhash::fast::RandomState> = OnceLock::new();

impl Template {
    /// Holes must be in ascending order.
    pub(super) fn new(text: &str, holes: Vec<usize>, writes: bool) -> Self {
        debug_assert!(holes.is_sorted_by(|a, b| a < b));
        let mut tables: Vec<u64> = holes.iter().map(|&hole| table_key(&name_at(&text[hole..]))).collect();
        tables.sort_unstable();
        tables.dedup();
        Self { text: text.into(), holes: holes.into(), tables: tables.into(), writes }
    }

    /// The tables that it names, each once, as [`table_key`] has them.
    #[must_use]
    pub(in super::super) fn tables(&self) -> &[u64] {
        &self.tables
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

/// The name that a text begins with, as the server reads it.
fn name_at(text: &str) -> String {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$')));
        return text[..end.unwrap_or(text.len())].to_ascii_lowercase();
    };
    let mut name = String::new();
    let mut characters = quoted.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '"' && characters.next_if_eq(&'"').is_none() {
            break;
        }
        name.push(character);
    }
    name
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        let cases = [
            ("cake WHERE", "cake"),
            ("Cake", "cake"),
            ("cake_2$(", "cake_2$"),
            (r#""Cake" AS"#, "Cake"),
            (r#""a ""b"" c"."#, r#"a "b" c"#),
            (r#""""""#, r#"""#),
        ];
        for (text, name) in cases {
            assert_eq!(name_at(text), name, "{text}");
        }
    }

    #[test]
    fn a_table_that_is_named_twice_is_one() {
        let text = "SELECT 1 FROM cake, \"cake\" AS b, fruit";
        let holes = vec![14, 20, 33];
        let template = Template::new(text, holes, false);
        let mut wanted = [table_key("cake"), table_key("fruit")];
        wanted.sort_unstable();
        assert_eq!(template.tables(), wanted);
    }
}
