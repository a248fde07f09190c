//! The item under `#[xcore::plugin]`.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Generics, Token, Visibility};

use super::block::Block;
use super::cfgs::Cfgs;

/// What `#[xcore::plugin]` stands on.
pub(crate) enum Annotated {
    Data(Data),
    Block(Box<Block>),
    /// Neither: a function, a trait, a module. The word for it.
    Other(&'static str),
}

/// A struct, enum or union.
pub(crate) struct Data {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) keyword: Ident,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// A struct without fields or braces, which can be made by its name.
    pub(crate) is_unit: bool,
}

impl Data {
    /// The `#[cfg]`s that everything generated for the item must repeat.
    pub(crate) fn cfgs(&self) -> Cfgs {
        Cfgs::of(&self.attrs)
    }
}

impl Parse for Annotated {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        let fork = input.fork();
        let is_unsafe_impl = fork.parse::<Token![unsafe]>().is_ok() && fork.peek(Token![impl]);
        let annotated = if input.peek(Token![impl]) || is_unsafe_impl {
            Self::Block(Box::new(Block::parse(attrs, input)?))
        } else if input.peek(Token![struct]) || input.peek(Token![enum]) || is_union(input) {
            Self::Data(parse_data(attrs, vis, input)?)
        } else {
            Self::Other(word(input))
        };
        // The rest is the compiler's business.
        input.parse::<TokenStream>()?;
        Ok(annotated)
    }
}

fn parse_data(attrs: Vec<Attribute>, vis: Visibility, input: ParseStream<'_>) -> syn::Result<Data> {
    let keyword = input.call(Ident::parse_any)?;
    let ident = input.parse()?;
    let generics = input.parse()?;
    let is_unit = keyword == "struct" && input.peek(Token![;]);
    Ok(Data { attrs, vis, keyword, ident, generics, is_unit })
}

/// `union` is a name like any other, so it takes the name behind it to tell.
fn is_union(input: ParseStream<'_>) -> bool {
    input.peek(Token![union]) && input.peek2(syn::Ident)
}

fn word(input: ParseStream<'_>) -> &'static str {
    const WORDS: &[(&str, &str)] = &[
        ("fn", "a function"),
        ("trait", "a trait"),
        ("mod", "a module"),
        ("type", "a type alias"),
        ("static", "a static"),
        ("use", "an import"),
    ];
    let fork = input.fork();
    while let Ok(token) = fork.parse::<TokenTree>() {
        if matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace) {
            break;
        }
        let text = token.to_string();
        if let Some((_, name)) = WORDS.iter().find(|(keyword, _)| *keyword == text) {
            return name;
        }
    }
    "this item"
}
