//! The attributes of serde that change which key a field has, and whether it must be there.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token};

use crate::sink::Sink;

/// The attributes of the struct.
#[derive(Default)]
pub(crate) struct Container {
    rename_all: Option<String>,
    pub(crate) has_default: bool,
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    pub(crate) name: Option<String>,
    pub(crate) has_default: bool,
    pub(crate) is_skipped: bool,
    pub(crate) is_custom: bool,
}

impl Container {
    /// ui: config/fail/serde_from
    pub(crate) fn parse(attrs: &[Attribute], sink: &mut Sink) -> Self {
        let mut container = Self::default();
        for meta in metas(attrs) {
            match word(&meta).as_str() {
                "rename_all" => container.rename_all = deserialize_text(&meta),
                "default" => container.has_default = true,
                word @ ("from" | "try_from" | "transparent" | "remote" | "tag" | "untagged") => sink.error(
                    &meta,
                    format!(
                        "with `#[serde({word})]` the fields are not the keys of `xcore.yaml`, so they cannot be checked\nhelp: derive `PluginConfig` for the type that is read from the file"
                    ),
                ),
                _ => {}
            }
        }
        container
    }

    /// The key of a field, as `rename_all` has it.
    pub(crate) fn rename(&self, field: &str) -> String {
        let words: Vec<&str> = field.split('_').collect();
        let capital = |word: &str| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
                .unwrap_or_default()
        };
        match self.rename_all.as_deref() {
            Some("UPPERCASE" | "SCREAMING_SNAKE_CASE") => field.to_ascii_uppercase(),
            Some("PascalCase") => words.iter().map(|word| capital(word)).collect(),
            Some("camelCase") => {
                let pascal: String = words.iter().map(|word| capital(word)).collect();
                pascal
                    .chars()
                    .take(1)
                    .map(|first| first.to_ascii_lowercase())
                    .chain(pascal.chars().skip(1))
                    .collect()
            }
            Some("kebab-case") => field.replace('_', "-"),
            Some("SCREAMING-KEBAB-CASE") => field.to_ascii_uppercase().replace('_', "-"),
            _ => field.to_owned(),
        }
    }
}

impl FieldAttrs {
    /// ui: config/fail/serde_flatten, config/fail/serde_alias
    pub(crate) fn parse(attrs: &[Attribute], sink: &mut Sink) -> Self {
        let mut field = Self::default();
        for meta in metas(attrs) {
            match word(&meta).as_str() {
                "rename" => field.name = deserialize_text(&meta),
                "default" => field.has_default = true,
                "skip" | "skip_deserializing" => field.is_skipped = true,
                "with" | "deserialize_with" => field.is_custom = true,
                "flatten" => sink.error(
                    &meta,
                    "`#[serde(flatten)]` hides which keys there are, so they cannot be checked\nhelp: write the fields here, or give them a key of their own",
                ),
                "alias" => sink.error(
                    &meta,
                    "a key of `xcore.yaml` has one name\nhelp: use `#[serde(rename = \"..\")]`, or rename the key in the file",
                ),
                _ => {}
            }
        }
        field
    }
}

/// What stands in `#[serde(..)]`. What is wrong with it is serde's to say.
fn metas(attrs: &[Attribute]) -> Vec<Meta> {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("serde"))
        .filter_map(|attr| attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok())
        .flatten()
        .collect()
}

fn word(meta: &Meta) -> String {
    meta.path().get_ident().map(ToString::to_string).unwrap_or_default()
}

/// `rename = "x"` or `rename(deserialize = "x")`
fn deserialize_text(meta: &Meta) -> Option<String> {
    match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        Meta::List(list) => {
            let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
            inner.iter().find(|meta| word(meta) == "deserialize").and_then(deserialize_text)
        }
        Meta::Path(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn a_field_is_renamed_as_serde_does_it() {
        for (rule, key) in [
            ("lowercase", "max_open_lines"),
            ("UPPERCASE", "MAX_OPEN_LINES"),
            ("PascalCase", "MaxOpenLines"),
            ("camelCase", "maxOpenLines"),
            ("snake_case", "max_open_lines"),
            ("kebab-case", "max-open-lines"),
            ("SCREAMING_SNAKE_CASE", "MAX_OPEN_LINES"),
            ("SCREAMING-KEBAB-CASE", "MAX-OPEN-LINES"),
        ] {
            let attr: Attribute = parse_quote!(#[serde(rename_all = #rule)]);
            assert_eq!(
                Container::parse(&[attr], &mut Sink::default()).rename("max_open_lines"),
                key,
                "{rule}"
            );
        }
    }

    #[test]
    fn what_serde_reads_otherwise_is_noticed() {
        let attrs: Vec<Attribute> =
            vec![parse_quote!(#[serde(rename(serialize = "a", deserialize = "b"), default = "f")])];
        let field = FieldAttrs::parse(&attrs, &mut Sink::default());
        assert_eq!(field.name.as_deref(), Some("b"));
        assert!(field.has_default && !field.is_skipped && !field.is_custom);
    }
}
