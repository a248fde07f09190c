//! What stands in the parentheses of an attribute: `key`, `key = value` and `key(..)`, separated by commas.
//!
//! One file per attribute holds its options; this one holds what they share. A wrong option never hides the others.

pub(crate) mod action;
pub(crate) mod config;
pub(crate) mod job;
pub(crate) mod on;
pub(crate) mod plugin;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{LitInt, LitStr, Path, Token};

use crate::sink::Sink;
use crate::suggest;

/// The options of one attribute.
pub(crate) struct Grammar {
    /// As the user writes it: `#[action]`.
    pub(crate) attribute: &'static str,
    /// What an option is called.
    pub(crate) noun: &'static str,
    /// All options.
    pub(crate) options: &'static [&'static str],
    /// Words that people try, and the option they mean.
    pub(crate) synonyms: &'static [(&'static str, &'static str)],
}

impl Grammar {
    /// Hands each option to `option`, which parses what follows the key.
    pub(crate) fn parse(
        &self,
        tokens: TokenStream,
        sink: &mut Sink,
        mut option: impl FnMut(&Ident, ParseStream<'_>, &mut Sink) -> syn::Result<()>,
    ) {
        let mut seen: Vec<Ident> = Vec::new();
        let outcome = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = self.parse_one(input, &mut seen, sink, &mut option) {
                    sink.push(error);
                    skip_to_comma(input)?;
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })
        .parse2(tokens);
        sink.attempt(outcome);
    }

    /// ui: plugin/fail/option_without_comma
    fn parse_one(
        &self,
        input: ParseStream<'_>,
        seen: &mut Vec<Ident>,
        sink: &mut Sink,
        option: &mut impl FnMut(&Ident, ParseStream<'_>, &mut Sink) -> syn::Result<()>,
    ) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            let message =
                format!("expected an {} of {}: {}", self.noun, self.attribute, suggest::listed(self.options));
            return Err(syn::Error::new(input.span(), message));
        }
        let key = input.call(Ident::parse_any)?;
        self.check_known(&key)?;
        check_once(&key, seen)?;
        seen.push(key.clone());
        option(&key, input, sink)?;
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(());
        }
        Err(syn::Error::new(input.span(), format!("expected `,` after option `{key}`")))
    }

    /// ui: plugin/fail/unknown_option, action/fail/unknown_option, job/fail/unknown_option
    fn check_known(&self, key: &Ident) -> syn::Result<()> {
        let text = key.to_string();
        if self.options.contains(&text.as_str()) {
            return Ok(());
        }
        let help = match self.synonyms.iter().find(|(word, _)| *word == text) {
            Some((_, meant)) => format!("help: did you mean `{meant}`?"),
            None => suggest::help(&text, self.options),
        };
        Err(syn::Error::new(key.span(), format!("{} has no {} `{text}`\n{help}", self.attribute, self.noun)))
    }
}

/// ui: plugin/fail/option_twice
fn check_once(key: &Ident, seen: &[Ident]) -> syn::Result<()> {
    if seen.contains(key) {
        return Err(syn::Error::new(
            key.span(),
            format!("option `{key}` is given twice\nhelp: keep one of them"),
        ));
    }
    Ok(())
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// The `=` of an option that needs a value.
fn equals(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<()> {
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        if !input.is_empty() {
            return Ok(());
        }
    }
    Err(syn::Error::new(key.span(), format!("option `{key}` needs a value\nhelp: write `{key} = {example}`")))
}

/// A text value.
fn text(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    equals(key, input, example)?;
    if input.peek(LitStr) {
        return input.parse();
    }
    Err(syn::Error::new(
        input.span(),
        format!("option `{key}` takes a text in quotes\nhelp: write `{key} = {example}`"),
    ))
}

/// A number.
///
/// ui: job/fail/retries_no_number
fn number(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitInt> {
    equals(key, input, example)?;
    if input.peek(LitInt) {
        return input.parse();
    }
    Err(syn::Error::new(
        input.span(),
        format!("option `{key}` takes a number\nhelp: write `{key} = {example}`"),
    ))
}

/// The value of `crate = ::path`.
fn krate(key: &Ident, input: ParseStream<'_>) -> syn::Result<Path> {
    equals(key, input, "::path::to::xcore")?;
    Path::parse_mod_style(input)
}

/// The tokens in the parentheses of an option like `services(..)`.
fn list<'a>(
    key: &Ident,
    input: ParseStream<'a>,
    example: &str,
    bracket: proc_macro2::Delimiter,
) -> syn::Result<(TokenStream, Span)> {
    let (open, close) = match bracket {
        proc_macro2::Delimiter::Bracket => (" = [", "]"),
        _ => ("(", ")"),
    };
    if matches!(bracket, proc_macro2::Delimiter::Bracket) {
        equals(key, input, &format!("[{example}]"))?;
    }
    if let Ok(TokenTree::Group(group)) = input.fork().parse::<TokenTree>()
        && group.delimiter() == bracket
    {
        input.parse::<TokenTree>()?;
        return Ok((group.stream(), group.span()));
    }
    let at = if input.is_empty() { key.span() } else { input.span() };
    Err(syn::Error::new(
        at,
        format!("option `{key}` takes a list\nhelp: write `{key}{open}{example}{close}`"),
    ))
}
