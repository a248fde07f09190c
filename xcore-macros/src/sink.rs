//! Everything that is wrong with one item, gathered and reported together.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Gathers errors, so that one compilation shows all of them.
///
/// Whoever reports an error leaves out what would follow from the failed part: one mistake is one error.
#[derive(Default)]
pub(crate) struct Sink {
    errors: Vec<syn::Error>,
}

impl Sink {
    /// Reports at all tokens of `at`.
    pub(crate) fn error(&mut self, at: impl ToTokens, message: impl AsRef<str>) {
        self.errors.push(syn::Error::new_spanned(at, message.as_ref()));
    }

    /// Reports at one token.
    pub(crate) fn error_at(&mut self, span: Span, message: impl AsRef<str>) {
        self.errors.push(syn::Error::new(span, message.as_ref()));
    }

    /// Reports what a parser of `syn` found.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    /// The value, or its error in the sink.
    pub(crate) fn attempt<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// How many errors there are; to find out whether a check added one.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// The errors as `compile_error!`s.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.errors.iter().map(syn::Error::to_compile_error).collect()
    }

    /// The messages, for tests.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.errors.iter().flat_map(|error| error.clone().into_iter().map(|one| one.to_string())).collect()
    }
}
