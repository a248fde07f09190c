//! `#[xcore::plugin(services(..), config = .., migrations = .., requires(..), name, version, path, crate)]`

use proc_macro2::{Delimiter, Ident, TokenStream};
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{LitStr, Path, Token, Type};

use super::{Grammar, equals, krate, list, text};
use crate::sink::Sink;

const STRUCT: Grammar = Grammar {
    attribute: "`#[plugin]`",
    noun: "option",
    options: &[
        "services",
        "config",
        "migrations",
        "shared_migrations",
        "requires",
        "name",
        "version",
        "path",
        "crate",
    ],
    synonyms: &[
        ("service", "services"),
        ("uses", "services"),
        ("depends", "requires"),
        ("depends_on", "requires"),
        ("dependencies", "requires"),
        ("prefix", "path"),
        ("route", "path"),
        ("settings", "config"),
        ("xcore", "crate"),
    ],
};

const BLOCK: Grammar =
    Grammar { attribute: "`#[plugin]` on an impl block", noun: "option", options: &["crate"], synonyms: &[] };

/// The options on the struct.
#[derive(Default)]
pub(crate) struct PluginOptions {
    pub(crate) krate: Option<Path>,
    pub(crate) services: Vec<Ident>,
    pub(crate) config: Option<Type>,
    pub(crate) migrations: Option<Migrations>,
    pub(crate) shared_migrations: Option<Migrations>,
    pub(crate) requires: Vec<Required>,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) path: Option<LitStr>,
    /// Whether an option is missing here because it is in error.
    pub(crate) is_partial: bool,
}

/// `migrations = Migrator`
pub(crate) struct Migrations {
    pub(crate) key: Ident,
    pub(crate) migrator: Type,
}

/// One of `requires(Billing, catalog::Catalog = "^1.2")`.
pub(crate) struct Required {
    pub(crate) plugin: Path,
    pub(crate) wanted: Option<LitStr>,
}

impl PluginOptions {
    pub(crate) fn parse(tokens: TokenStream, sink: &mut Sink) -> Self {
        let mut options = Self::default();
        let before = sink.count();
        STRUCT.parse(tokens, sink, |key, input, sink| options.parse_one(key, input, sink));
        options.is_partial = sink.count() > before;
        options
    }

    fn parse_one(&mut self, key: &Ident, input: ParseStream<'_>, sink: &mut Sink) -> syn::Result<()> {
        match key.to_string().as_str() {
            "services" => self.services = services(key, input, sink)?,
            "requires" => self.requires = requires(key, input, sink)?,
            "config" => {
                equals(key, input, "OrdersConfig")?;
                self.config = Some(input.parse()?);
            }
            "migrations" => self.migrations = Some(migrations(key, input)?),
            "shared_migrations" => self.shared_migrations = Some(migrations(key, input)?),
            "name" => self.name = Some(text(key, input, "\"orders\"")?),
            "version" => self.version = Some(text(key, input, "\"1.2.0\"")?),
            "path" => self.path = Some(text(key, input, "\"/orders\"")?),
            _ => self.krate = Some(krate(key, input)?),
        }
        Ok(())
    }
}

/// The options on the impl block: only the name of the crate.
pub(crate) fn parse_block(tokens: TokenStream, sink: &mut Sink) -> Option<Path> {
    let mut path = None;
    BLOCK.parse(tokens, sink, |key, input, _| {
        path = Some(krate(key, input)?);
        Ok(())
    });
    path
}

fn services(key: &Ident, input: ParseStream<'_>, sink: &mut Sink) -> syn::Result<Vec<Ident>> {
    let (tokens, _) = list(key, input, "db, cache", Delimiter::Parenthesis)?;
    let names = Punctuated::<Ident, Token![,]>::parse_terminated.parse2(tokens);
    Ok(sink.attempt(names).into_iter().flatten().collect())
}

fn requires(key: &Ident, input: ParseStream<'_>, sink: &mut Sink) -> syn::Result<Vec<Required>> {
    let (tokens, _) = list(key, input, "Billing, catalog::Catalog = \"^1.2\"", Delimiter::Parenthesis)?;
    let required = |input: ParseStream<'_>| {
        let plugin = Path::parse_mod_style(input)?;
        let wanted = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Required { plugin, wanted })
    };
    let parsed =
        (|input: ParseStream<'_>| Punctuated::<Required, Token![,]>::parse_terminated_with(input, required))
            .parse2(tokens);
    Ok(sink.attempt(parsed).into_iter().flatten().collect())
}

fn migrations(key: &Ident, input: ParseStream<'_>) -> syn::Result<Migrations> {
    equals(key, input, "Migrator")?;
    Ok(Migrations { key: key.clone(), migrator: input.parse()? })
}
