//! The impl block of a plugin.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::ParseStream;
use syn::parse::discouraged::Speculative as _;
use syn::{Attribute, Generics, ImplItem, Token, Type, WhereClause, braced, token};

use super::cfgs::Cfgs;
use super::method::Method;

/// `impl Orders { .. }`
pub(crate) struct Block {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) impl_token: Token![impl],
    pub(crate) generics: Generics,
    /// `Trait for`, when it is the impl of a trait.
    pub(crate) of_trait: Option<TokenStream>,
    pub(crate) self_ty: Type,
    pub(crate) where_clause: Option<WhereClause>,
    pub(crate) brace: token::Brace,
    pub(crate) inner_attrs: Vec<Attribute>,
    pub(crate) items: Vec<Item>,
}

/// What stands in an impl block.
pub(crate) enum Item {
    Method(Box<Method>),
    Other(TokenStream),
}

impl Block {
    pub(crate) fn parse(attrs: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Self> {
        let unsafety = input.parse()?;
        let impl_token = input.parse()?;
        let generics = if has_generics(input) { input.parse()? } else { Generics::default() };
        let first: Type = parse_type(input)?;
        let (of_trait, self_ty) = if input.peek(Token![for]) {
            let for_token: Token![for] = input.parse()?;
            (Some(quote!(#first #for_token)), input.parse()?)
        } else {
            (None, first)
        };
        let where_clause = input.parse()?;
        let content;
        let brace = braced!(content in input);
        let inner_attrs = content.call(Attribute::parse_inner)?;
        let mut items = Vec::new();
        while !content.is_empty() {
            items.push(parse_item(&content)?);
        }
        Ok(Self {
            attrs,
            unsafety,
            impl_token,
            generics,
            of_trait,
            self_ty,
            where_clause,
            brace,
            inner_attrs,
            items,
        })
    }

    /// The `#[cfg]`s that everything generated for the block must repeat.
    pub(crate) fn cfgs(&self) -> Cfgs {
        Cfgs::of(&self.attrs)
    }

    /// The methods, in the order of the source.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.items.iter().filter_map(|item| match item {
            Item::Method(method) => Some(&**method),
            Item::Other(_) => None,
        })
    }
}

/// The block as the user wrote it, without the attributes that are ours.
impl ToTokens for Block {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, unsafety, impl_token, of_trait, self_ty, where_clause, inner_attrs, items, .. } =
            self;
        let generics = &self.generics;
        tokens.extend(quote! { #(#attrs)* #unsafety #impl_token #generics #of_trait #self_ty #where_clause });
        self.brace.surround(tokens, |tokens| {
            tokens.extend(quote! { #(#inner_attrs)* #(#items)* });
        });
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Method(method) => method.to_tokens(tokens),
            Self::Other(other) => other.to_tokens(tokens),
        }
    }
}

/// `impl<T>`, and not `impl <T as Trait>::Type`.
fn has_generics(input: ParseStream<'_>) -> bool {
    input.peek(Token![<]) && input.fork().parse::<Generics>().is_ok()
}

/// `!Trait` is no type, and not ours to refuse.
fn parse_type(input: ParseStream<'_>) -> syn::Result<Type> {
    if input.peek(Token![!]) {
        input.parse::<Token![!]>()?;
    }
    input.parse()
}

fn parse_item(content: ParseStream<'_>) -> syn::Result<Item> {
    let fork = content.fork();
    match Method::parse(&fork) {
        Ok(method) => {
            content.advance_to(&fork);
            Ok(Item::Method(Box::new(method)))
        }
        Err(error) => {
            // A method that asks for our attention has to be understood.
            let attrs = content.fork().call(Attribute::parse_outer)?;
            if attrs.iter().any(super::method::is_ours) {
                return Err(error);
            }
            Ok(Item::Other(parse_other(content)?))
        }
    }
}

/// A constant, a type, a macro call: the compiler's, whether it parses or not.
fn parse_other(content: ParseStream<'_>) -> syn::Result<TokenStream> {
    let fork = content.fork();
    if let Ok(item) = fork.parse::<ImplItem>() {
        content.advance_to(&fork);
        return Ok(item.into_token_stream());
    }
    let mut tokens = TokenStream::new();
    while !content.is_empty() {
        let token: TokenTree = content.parse()?;
        let is_end = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ';');
        tokens.extend([token]);
        if is_end {
            break;
        }
    }
    Ok(tokens)
}
