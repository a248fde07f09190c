//! Tokens with the right spans, and the small pieces that every expansion has.

use std::time::Duration;

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Ident, Type};

/// The spans of the first and the last token. An expression that begins and ends with them is underlined as a whole.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut trees = tokens.into_token_stream().into_iter();
    let first = trees.next().map_or_else(Span::call_site, |tree| tree.span());
    let last = trees.last().map_or(first, |tree| tree.span());
    (first, last)
}

/// The tokens, the first of which gets the span `first` and all others `last`.
pub(crate) fn between((first, last): (Span, Span), tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .enumerate()
        .map(|(at, mut tree)| {
            tree.set_span(if at == 0 { first } else { last });
            tree
        })
        .collect()
}

/// The tokens, all of which get one span, those in groups too.
pub(crate) fn respan(span: Span, tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .map(|tree| match tree {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), respan(span, group.stream()));
                inner.set_span(span);
                TokenTree::Group(inner)
            }
            mut other => {
                other.set_span(span);
                other
            }
        })
        .collect()
}

/// A type of a method, for use outside of the impl block: there `Self` would be another one.
pub(crate) fn without_self(ty: impl ToTokens, self_ty: &Type) -> TokenStream {
    ty.into_token_stream()
        .into_iter()
        .flat_map(|tree| match tree {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_self(group.stream(), self_ty));
                inner.set_span(group.span());
                TokenTree::Group(inner).into_token_stream()
            }
            TokenTree::Ident(ident) if ident == "Self" => {
                // The name keeps the place of `Self`.
                respan(ident.span(), self_ty.to_token_stream())
            }
            other => other.into_token_stream(),
        })
        .collect()
}

/// `Some(..)` or `None`, whether or not there is a prelude.
pub(crate) fn option(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// A duration as an expression.
pub(crate) fn duration(duration: Duration) -> TokenStream {
    // The grammar of options ends at milliseconds, and `check_duration` keeps them within 64 bits.
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(::core::time::Duration::from_millis(#millis))
}

/// The same name, which lints take for generated and errors show at the user's.
pub(crate) fn located(ident: &Ident) -> Ident {
    let mut located = ident.clone();
    located.set_span(Span::mixed_site().located_at(ident.span()));
    located
}
