//! The `#[cfg]`s of an item, which everything generated for it must repeat.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Attribute;

/// Conditions; equal when they are written in the same way.
#[derive(Clone)]
pub(crate) struct Cfgs {
    tokens: TokenStream,
    text: String,
}

impl Cfgs {
    pub(crate) fn of(attrs: &[Attribute]) -> Self {
        let cfgs = attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
        let tokens = quote!(#(#cfgs)*);
        Self { text: tokens.to_string(), tokens }
    }

    /// Whether the item is always there.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl PartialEq for Cfgs {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl ToTokens for Cfgs {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}
