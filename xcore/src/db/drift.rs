//! What a tenant's schema has otherwise than one that was made by running all migrations.

use std::collections::BTreeMap;

use crate::tenancy::TenantId;

/// The parts of a schema, such as `table orders: column total`, and what they are.
pub(crate) type Parts = BTreeMap<String, String>;

/// What differs in one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drift {
    pub(crate) tenant: TenantId,
    /// Sentences that begin with the part.
    pub(crate) differences: Vec<String>,
}

/// How much of a definition is said.
const SHOWN: usize = 120;

/// What differs, a sentence for each part. Of a part that is missing as a whole, or is too many, its own parts are not said.
pub(crate) fn differences(tenant: &Parts, template: &Parts) -> Vec<String> {
    let is_within = |part: &str, whole: &Parts| {
        part.match_indices(": ").any(|(at, _)| part.get(..at).is_some_and(|outer| !whole.contains_key(outer)))
    };
    let mut found = Vec::new();
    for (part, expected) in template {
        match tenant.get(part) {
            Some(is) if is == expected => {}
            Some(is) => found.push(format!("{part} is {}, template has {}", shown(is), shown(expected))),
            None if is_within(part, tenant) => {}
            None => found.push(format!("{part} is missing")),
        }
    }
    for part in tenant.keys() {
        if !template.contains_key(part) && !is_within(part, template) {
            found.push(format!("{part} is there, template has none"));
        }
    }
    // A table's text says again what its columns say.
    let said: Vec<String> =
        found.iter().filter(|text| !text.contains(TEXT)).filter_map(|text| table_of(text)).collect();
    found.retain(|text| !text.contains(TEXT) || table_of(text).is_none_or(|table| !said.contains(&table)));
    found
}

/// The part of a table that repeats the others.
pub(crate) const TEXT: &str = ": definition";

fn table_of(text: &str) -> Option<String> {
    text.split_once(": ").map(|(table, _)| table.to_owned())
}

fn shown(definition: &str) -> String {
    let text = definition.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(list: &[(&str, &str)]) -> Parts {
        list.iter().map(|(part, is)| ((*part).to_owned(), (*is).to_owned())).collect()
    }

    #[test]
    fn each_part_that_differs_is_said_once() {
        let template = parts(&[
            ("table orders", "there"),
            ("table orders: column total", "bigint"),
            ("table orders: definition", "CREATE TABLE orders (total bigint)"),
            ("table lines", "there"),
            ("table lines: column id", "integer"),
        ]);
        let tenant = parts(&[
            ("table orders", "there"),
            ("table orders: column total", "integer"),
            ("table orders: column note", "text"),
            ("table orders: definition", "CREATE TABLE orders (total integer, note text)"),
            ("view extra", "SELECT 1"),
        ]);
        assert_eq!(
            differences(&tenant, &template),
            [
                "table lines is missing",
                "table orders: column total is integer, template has bigint",
                "table orders: column note is there, template has none",
                "view extra is there, template has none",
            ]
        );
        assert_eq!(differences(&template, &template), Vec::<String>::new());
        let mut checked = template.clone();
        checked.insert(
            "table orders: definition".to_owned(),
            "CREATE TABLE orders (total bigint CHECK (total > 0))".to_owned(),
        );
        assert_eq!(differences(&checked, &template).len(), 1);
    }
}
