//! `#[xcore::plugin]`: parse, check, expand.
//!
//! Whatever is wrong, the user's item comes back, with everything that its name promises, so that one mistake gives one
//! error and an editor keeps working.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{LitStr, Type};
use xcore_build::schema::Schema;

use crate::block;
use crate::check::{plugin as check, route, services};
use crate::expand::{context, handle, manifest, tokens};
use crate::model::cfgs::Cfgs;
use crate::model::item::{Annotated, Data};
use crate::names::{self, Krate};
use crate::options::plugin::{Migrations, PluginOptions, Required};
use crate::sink::Sink;

/// What the entry found around the item: nothing below it looks at the environment.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// What `build.rs` of this package says of `xcore.yaml`.
    pub(crate) schema: Option<Schema>,
    /// Where it says so: the JSON, and the Rust beside it.
    pub(crate) schema_files: Option<(String, String)>,
    /// The version of this package.
    pub(crate) version: String,
}

/// A plugin's struct, checked.
pub(crate) struct Plugin<'a> {
    pub(crate) krate: Krate,
    pub(crate) data: &'a Data,
    pub(crate) cfgs: Cfgs,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) path: String,
    pub(crate) services: Vec<services::Declared>,
    pub(crate) config: Option<Type>,
    pub(crate) migrations: Option<Migrations>,
    pub(crate) shared_migrations: Option<Migrations>,
    pub(crate) requires: Vec<Required>,
    /// Whether the item can be a plugin at all.
    pub(crate) is_right: bool,
}

impl Plugin<'_> {
    /// `OrdersContext` for `Orders`.
    pub(crate) fn sibling(&self, suffix: &str) -> Ident {
        tokens::located(&names::with_suffix(&self.data.ident, suffix))
    }
}

/// The entry.
pub(crate) fn expand(attr: TokenStream, item: TokenStream, around: &Surroundings) -> TokenStream {
    let mut sink = Sink::default();
    let expanded = match syn::parse2::<Annotated>(item.clone()) {
        Ok(Annotated::Data(data)) => {
            let generated = expand_struct(attr, &data, around, &mut sink);
            quote!(#item #generated)
        }
        Ok(Annotated::Block(found)) => block::expand(attr, &found, &mut sink),
        Ok(Annotated::Other(what)) => {
            let message = format!("`#[plugin]` goes on a struct or on its impl block, this is {what}");
            sink.error(first_line(&item), message);
            item
        }
        Err(error) => {
            sink.push(error);
            item
        }
    };
    let errors = sink.into_tokens();
    quote!(#expanded #errors)
}

/// The tokens before the body: enough to show which item is meant.
///
/// ui: plugin/fail/on_function
fn first_line(item: &TokenStream) -> TokenStream {
    item.clone().into_iter().take_while(|tree| !matches!(tree, proc_macro2::TokenTree::Group(_))).collect()
}

fn expand_struct(attr: TokenStream, data: &Data, around: &Surroundings, sink: &mut Sink) -> TokenStream {
    let options = PluginOptions::parse(attr, sink);
    let is_right = check::check_item(data, sink);
    let plugin = check_options(options, data, is_right, around, sink);
    if !data.generics.params.is_empty() {
        // Nothing can be said of a family of types.
        return TokenStream::new();
    }
    let parts = [context::expand(&plugin), handle::aliases(&plugin), manifest::expand(&plugin)];
    parts.iter().map(ToTokens::to_token_stream).collect()
}

fn check_options<'a>(
    options: PluginOptions,
    data: &'a Data,
    is_right: bool,
    around: &Surroundings,
    sink: &mut Sink,
) -> Plugin<'a> {
    let default_name = names::snake_case(&data.ident.to_string());
    let named = options.name.unwrap_or_else(|| LitStr::new(&default_name, data.ident.span()));
    let name = check::check_name(&named, sink).unwrap_or(default_name);
    let version = options.version.and_then(|version| check::check_version(&version, sink));
    let path = options.path.and_then(|path| route::check_mount(&path, sink));
    let before = sink.count();
    let mut declared = services::check_services(&options.services, sink);
    let has_database = sink.count() == before
        && check::check_migrations(
            options.migrations.as_ref(),
            options.shared_migrations.as_ref(),
            &declared,
            sink,
        );
    if options.is_partial || sink.count() > before {
        services::declare_the_rest(&mut declared);
    }
    services::check_provided(&mut declared, &name, around.schema.as_ref(), sink);
    Plugin {
        krate: Krate::new(options.krate),
        data,
        cfgs: data.cfgs(),
        version: version.unwrap_or_else(|| around.version.clone()),
        path: path.unwrap_or_else(|| format!("/{name}")),
        name,
        services: declared,
        config: options.config,
        migrations: options.migrations.filter(|_| has_database),
        shared_migrations: options.shared_migrations.filter(|_| has_database),
        requires: check::check_requires(options.requires, data, sink),
        is_right,
    }
}

/// What `#[action]`, `#[job]` and `#[on]` say where no plugin consumes them.
///
/// ui: action/fail/outside_a_plugin, job/fail/outside_a_plugin, on/fail/outside_a_plugin
pub(crate) fn misplaced(word: &str, item: TokenStream) -> TokenStream {
    let message = format!(
        "`#[{word}]` stands on a method inside of a plugin's impl block\nhelp: write `#[xcore::plugin]` on the impl block"
    );
    let error = syn::Error::new(Span::call_site(), message).to_compile_error();
    quote!(#item #error)
}
