//! A method of the impl block: its signature and our attribute; the body stays closed.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::ParseStream;
use syn::{Attribute, Meta, Signature, Visibility};

use super::cfgs::Cfgs;

/// The attributes that make something of a method.
pub(crate) const WORDS: [&str; 3] = ["action", "job", "on"];

/// A method with a body.
pub(crate) struct Method {
    /// The attributes that are the user's.
    pub(crate) attrs: Vec<Attribute>,
    /// The attributes that are ours.
    pub(crate) roles: Vec<Attribute>,
    vis: Visibility,
    pub(crate) sig: Signature,
    body: TokenTree,
}

impl Method {
    pub(crate) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        let body: TokenTree = input.parse()?;
        if !matches!(&body, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace) {
            return Err(syn::Error::new(body.span(), "expected the body of the method"));
        }
        let (roles, attrs) = attrs.into_iter().partition(is_ours);
        Ok(Self { attrs, roles, vis, sig, body })
    }

    /// The `#[cfg]`s that everything generated for the method must repeat.
    pub(crate) fn cfgs(&self) -> Cfgs {
        Cfgs::of(&self.attrs)
    }

    /// The documentation.
    pub(crate) fn docs(&self) -> Vec<&Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect()
    }
}

impl ToTokens for Method {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, roles, vis, sig, body } = self;
        // The framework asks for `async` and `&self`; a method that needs neither must not be blamed for them.
        let allow =
            (!roles.is_empty()).then(|| quote! { #[allow(clippy::unused_async, clippy::unused_self)] });
        tokens.extend(quote! { #(#attrs)* #allow #vis #sig #body });
    }
}

/// Whether an attribute is `#[action]`, `#[job]` or `#[on]`, under whatever path, or hides one.
pub(crate) fn is_ours(attr: &Attribute) -> bool {
    role(attr).is_some() || hides_role(attr)
}

/// `#[cfg_attr(unix, action)]`
fn hides_role(attr: &Attribute) -> bool {
    let Meta::List(list) = &attr.meta else { return false };
    let mut tokens = list.tokens.clone().into_iter().peekable();
    let mut is_start = false;
    attr.path().is_ident("cfg_attr")
        && std::iter::from_fn(|| tokens.next().map(|token| (token, tokens.peek().cloned()))).any(
            |(token, next)| {
                let is_word = is_start && WORDS.iter().any(|word| token.to_string() == *word);
                let is_whole = match &next {
                    None | Some(TokenTree::Group(_)) => true,
                    Some(next) => next.to_string() == ",",
                };
                is_start = matches!(&token, TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ':'));
                is_word && is_whole
            },
        )
}

/// Which of ours an attribute is.
pub(crate) fn role(attr: &Attribute) -> Option<&'static str> {
    let last = attr.path().segments.last()?;
    WORDS.into_iter().find(|word| last.ident == word)
}

/// The options of one of our attributes; `None` when it is written `#[action = ..]`.
pub(crate) fn options(attr: &Attribute) -> Option<TokenStream> {
    match &attr.meta {
        Meta::Path(_) => Some(TokenStream::new()),
        Meta::List(list) => Some(list.tokens.clone()),
        Meta::NameValue(_) => None,
    }
}
