//! Doc comments as text.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// A doc comment: its first line and the rest.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Docs {
    pub(crate) summary: String,
    pub(crate) description: String,
}

impl Docs {
    pub(crate) fn of(attrs: &[Attribute]) -> Self {
        let text = attrs.iter().filter_map(text).collect::<Vec<_>>().join("\n");
        let lines: Vec<&str> =
            text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
        let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
        Self {
            summary: lines.get(first).copied().unwrap_or_default().to_owned(),
            description: lines.get(first + 1..).unwrap_or_default().join("\n").trim().to_owned(),
        }
    }
}

/// A doc comment that a macro makes (`#[doc = include_str!(..)]`) has no text yet.
fn text(attr: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attr.meta else { return None };
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if attr.path().is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn the_first_line_is_the_summary() {
        let attrs: Vec<Attribute> = vec![
            parse_quote!(#[doc = " Place an order."]),
            parse_quote!(#[doc = ""]),
            parse_quote!(#[cfg(unix)]),
            parse_quote!(#[doc = " Twice is"]),
            parse_quote!(#[doc = "  once too often."]),
        ];
        let docs = Docs::of(&attrs);
        assert_eq!(docs.summary, "Place an order.");
        assert_eq!(docs.description, "Twice is\n once too often.");
    }

    #[test]
    fn no_comment_is_no_text() {
        assert_eq!(Docs::of(&[]), Docs::default());
    }
}
