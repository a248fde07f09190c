//! The names that the expansion is made of, derived from the user's own.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{Path, Type};

/// The path of the runtime crate: `::xcore`, or what `crate = ..` says.
#[derive(Clone)]
pub(crate) struct Krate(Option<Path>);

impl Krate {
    pub(crate) fn new(path: Option<Path>) -> Self {
        Self(path)
    }

    /// The path of what generated code alone uses.
    pub(crate) fn private(&self) -> TokenStream {
        quote!(#self::__private)
    }
}

impl ToTokens for Krate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.0 {
            Some(path) => path.to_tokens(tokens),
            None => tokens.extend(quote!(::xcore)),
        }
    }
}

/// `orders_v2` for `OrdersV2`, `http_log` for `HTTPLog`.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, &letter) in letters.iter().enumerate() {
        let follows_lower = at > 0 && !letters[at - 1].is_uppercase() && letters[at - 1] != '_';
        let leads_lower =
            at > 0 && letters.get(at + 1).is_some_and(|next| next.is_lowercase()) && letters[at - 1] != '_';
        if letter.is_uppercase() && (follows_lower || leads_lower) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// `OrdersContext` for `Orders`, at the place of `Orders`, so that an editor jumps there.
pub(crate) fn with_suffix(ident: &Ident, suffix: &str) -> Ident {
    Ident::new(&format!("{}{suffix}", ident.unraw()), ident.span())
}

/// An identifier of generated code: a local of it never meets one of the user's.
pub(crate) fn generated(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// `super::OrdersHandle` for the type `super::Orders`; `None` when the type is no path.
pub(crate) fn sibling(of: &Type, suffix: &str) -> Option<Path> {
    let Type::Path(path) = of else { return None };
    let mut path = path.path.clone();
    let last = path.segments.last_mut()?;
    last.ident = with_suffix(&last.ident, suffix);
    Some(path)
}

/// What generated code calls the plugin inside of the items of its impl block.
pub(crate) fn this_plugin() -> Ident {
    generated("ThisPlugin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_names_its_plugin() {
        for (name, plugin) in [
            ("Orders", "orders"),
            ("OrderLines", "order_lines"),
            ("HTTPLog", "http_log"),
            ("V2", "v2"),
            ("A_B", "a_b"),
        ] {
            assert_eq!(snake_case(name), plugin);
        }
    }
}
