//! `#[action(post = "/path/{id}", scope = "central", status = 201, timeout = "5s", callers = [Orders], internal)]`

use proc_macro2::{Delimiter, Ident, TokenStream};
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{LitInt, LitStr, Path, Token};

use super::{Grammar, equals, list, text};
use crate::sink::Sink;
use crate::suggest;

const ACTION: Grammar = Grammar {
    attribute: "`#[action]`",
    noun: "option",
    options: &[
        "get", "post", "put", "patch", "delete", "head", "options", "scope", "status", "timeout", "callers",
        "internal",
    ],
    synonyms: &[
        ("GET", "get"),
        ("POST", "post"),
        ("update", "put"),
        ("remove", "delete"),
        ("tenant", "scope"),
        ("central", "scope"),
        ("any", "scope"),
        ("code", "status"),
        ("caller", "callers"),
        ("private", "internal"),
        ("hidden", "internal"),
    ],
};

/// The methods that can be options of `#[action]`, and their names in `Verb`.
const VERBS: &[(&str, &str)] = &[
    ("get", "Get"),
    ("post", "Post"),
    ("put", "Put"),
    ("patch", "Patch"),
    ("delete", "Delete"),
    ("head", "Head"),
    ("options", "Options"),
];

/// The options of an action.
#[derive(Default)]
pub(crate) struct ActionOptions {
    pub(crate) route: Option<Route>,
    pub(crate) scope: Option<LitStr>,
    pub(crate) status: Option<LitInt>,
    pub(crate) timeout: Option<LitStr>,
    pub(crate) callers: Option<Vec<Path>>,
    pub(crate) internal: Option<Ident>,
}

/// `get = "/path"`, or `get` alone.
pub(crate) struct Route {
    pub(crate) key: Ident,
    /// The variant of `Verb`.
    pub(crate) verb: &'static str,
    pub(crate) path: Option<LitStr>,
}

impl ActionOptions {
    pub(crate) fn parse(tokens: TokenStream, sink: &mut Sink) -> Self {
        let mut options = Self::default();
        ACTION.parse(tokens, sink, |key, input, sink| options.parse_one(key, input, sink));
        options
    }

    fn parse_one(&mut self, key: &Ident, input: ParseStream<'_>, sink: &mut Sink) -> syn::Result<()> {
        let word = key.to_string();
        if let Some((_, verb)) = VERBS.iter().find(|(option, _)| *option == word) {
            return self.parse_route(key, verb, input);
        }
        match word.as_str() {
            "scope" => self.scope = Some(text(key, input, "\"central\"")?),
            "status" => self.status = Some(status(key, input)?),
            "timeout" => self.timeout = Some(text(key, input, "\"5s\"")?),
            "callers" => self.callers = Some(callers(key, input, sink)?),
            _ => self.internal = Some(key.clone()),
        }
        Ok(())
    }

    /// ui: action/fail/two_routes
    fn parse_route(&mut self, key: &Ident, verb: &'static str, input: ParseStream<'_>) -> syn::Result<()> {
        let path = if input.peek(Token![=]) { Some(text(key, input, "\"/path/{id}\"")?) } else { None };
        if let Some(Route { key: first, .. }) = &self.route {
            let message = format!(
                "an action has one route, and this one has `{first}` already\nhelp: write a second action for `{key}` that calls this one"
            );
            return Err(syn::Error::new(key.span(), message));
        }
        self.route = Some(Route { key: key.clone(), verb, path });
        Ok(())
    }
}

fn status(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitInt> {
    equals(key, input, "201")?;
    if input.peek(LitInt) {
        return input.parse();
    }
    Err(syn::Error::new(input.span(), "option `status` takes a number\nhelp: write `status = 201`"))
}

/// ui: action/fail/caller_twice
fn callers(key: &Ident, input: ParseStream<'_>, sink: &mut Sink) -> syn::Result<Vec<Path>> {
    let (tokens, _) = list(key, input, "Billing, catalog::Catalog", Delimiter::Bracket)?;
    let parsed = (|input: ParseStream<'_>| {
        Punctuated::<Path, Token![,]>::parse_terminated_with(input, Path::parse_mod_style)
    })
    .parse2(tokens);
    let mut callers: Vec<Path> = Vec::new();
    for caller in sink.attempt(parsed).into_iter().flatten() {
        let text = path_text(&caller);
        if callers.iter().any(|earlier| path_text(earlier) == text) {
            sink.error(
                &caller,
                format!("plugin {} is named twice\nhelp: remove one", suggest::listed(&[text])),
            );
        } else {
            callers.push(caller);
        }
    }
    Ok(callers)
}

/// A path as the user wrote it, without the spaces that tokens get when printed.
pub(crate) fn path_text(path: &Path) -> String {
    quote::quote!(#path).to_string().replace(' ', "")
}
