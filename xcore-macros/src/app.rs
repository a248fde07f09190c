//! `xcore::app!`: parse, expand. What can be wrong with an app is wrong between plugins, and constants prove it.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, Path, Token};

use crate::expand;
use crate::names::Krate;
use crate::plugin::Surroundings;
use crate::sink::Sink;

/// The plugins of an app.
pub(crate) struct App {
    pub(crate) krate: Krate,
    pub(crate) plugins: Vec<Path>,
}

/// The entry.
pub(crate) fn expand(input: TokenStream, around: &Surroundings) -> TokenStream {
    let mut sink = Sink::default();
    let mut app = App { krate: Krate::new(None), plugins: Vec::new() };
    let parsed = (|input: ParseStream<'_>| parse(input, &mut app, &mut sink)).parse2(input);
    sink.attempt(parsed);
    let expanded = expand::app::expand(&app, around);
    let errors = sink.into_tokens();
    quote!(#expanded #errors)
}

/// ui: app/fail/not_a_path, app/fail/missing_comma
fn parse(input: ParseStream<'_>, app: &mut App, sink: &mut Sink) -> syn::Result<()> {
    if input.peek(Token![crate]) && input.peek2(Token![=]) {
        input.call(Ident::parse_any)?;
        input.parse::<Token![=]>()?;
        app.krate = Krate::new(Some(Path::parse_mod_style(input)?));
        input.parse::<Token![;]>()?;
    }
    while !input.is_empty() {
        match Path::parse_mod_style(input) {
            Ok(plugin) => app.plugins.push(plugin),
            Err(_) => {
                let message = "expected the path of a plugin, such as `orders::Orders`";
                sink.error_at(input.span(), message);
                skip_to_comma(input)?;
            }
        }
        if !input.is_empty() && !input.peek(Token![,]) {
            sink.error_at(input.span(), "expected `,` between two plugins");
            skip_to_comma(input)?;
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
