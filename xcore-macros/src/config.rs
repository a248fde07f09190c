//! `#[derive(PluginConfig)]`: parse, check, expand.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Field, Fields, Type};
use xcore_build::schema::{PluginSchema, Schema};

use crate::check::config as check;
use crate::expand;
use crate::model::docs::Docs;
use crate::model::serde::{Container, FieldAttrs};
use crate::names::{self, Krate};
use crate::options::config::ConfigOptions;
use crate::plugin::Surroundings;
use crate::sink::Sink;
use crate::suggest;

/// A configuration struct, checked.
pub(crate) struct Config {
    pub(crate) krate: Krate,
    pub(crate) ident: Ident,
    pub(crate) fields: Vec<ConfigField>,
    /// Keys of the yaml that were reported here.
    pub(crate) reported: Vec<String>,
    /// The schema to watch for changes.
    pub(crate) schema_file: Option<String>,
}

/// A field, and what its own package's yaml says of it.
pub(crate) struct ConfigField {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) docs: Docs,
    pub(crate) has_default: bool,
    /// Its value is read by a function of the user's, so its type says nothing.
    pub(crate) is_custom: bool,
    pub(crate) given: Given,
}

/// What the yaml gives a field.
pub(crate) enum Given {
    /// Nothing is known here; `app!` proves it.
    Unknown,
    /// A value of this kind, at this place.
    Value { place: String, kind: &'static str, integer: Option<i128> },
    /// Nothing, and this is what to say if the field needs something.
    Missing { message: String },
}

/// The entry.
pub(crate) fn expand(item: TokenStream, around: &Surroundings) -> TokenStream {
    let mut sink = Sink::default();
    let expanded = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => expand_struct(&input, around, &mut sink),
        Err(error) => {
            sink.push(error);
            TokenStream::new()
        }
    };
    let errors = sink.into_tokens();
    quote!(#expanded #errors)
}

fn expand_struct(input: &DeriveInput, around: &Surroundings, sink: &mut Sink) -> TokenStream {
    let ConfigOptions { krate, plugin } = ConfigOptions::parse(&input.attrs, sink);
    if !input.generics.params.is_empty() {
        sink.error(
            &input.generics,
            "the configuration of a plugin is one type, so it cannot have parameters\nhelp: name the types in its fields",
        );
        return TokenStream::new();
    }
    let fields = fields(input, sink);
    let section = section(plugin.as_ref(), &input.ident, around.schema.as_ref(), sink);
    let mut config = Config {
        krate: Krate::new(krate),
        ident: input.ident.clone(),
        fields: fields.unwrap_or_default(),
        reported: Vec::new(),
        schema_file: around.schema_files.as_ref().map(|(json, _)| json.clone()),
    };
    if let Some((name, section, schema)) = section
        && sink.count() == 0
    {
        compare(&mut config, &name, section, schema, sink);
    }
    expand::config::expand(&config)
}

/// ui: config/fail/on_enum, config/fail/on_tuple_struct, config/fail/generic
fn fields(input: &DeriveInput, sink: &mut Sink) -> Option<Vec<ConfigField>> {
    let container = Container::parse(&input.attrs, sink);
    let named = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Some(&fields.named),
            Fields::Unit => return Some(Vec::new()),
            Fields::Unnamed(_) => None,
        },
        Data::Enum(_) | Data::Union(_) => None,
    };
    let Some(named) = named else {
        sink.error(
            &input.ident,
            "the configuration of a plugin is a struct with named fields: each is a key of `xcore.yaml`\nhelp: make it one; an enum can be the type of a field",
        );
        return None;
    };
    Some(named.iter().filter_map(|field| parse_field(field, &container, sink)).collect())
}

fn parse_field(field: &Field, container: &Container, sink: &mut Sink) -> Option<ConfigField> {
    let ident = field.ident.as_ref()?;
    let attrs = FieldAttrs::parse(&field.attrs, sink);
    if attrs.is_skipped {
        return None;
    }
    Some(ConfigField {
        name: attrs.name.unwrap_or_else(|| container.rename(&ident.unraw().to_string())),
        ty: field.ty.clone(),
        docs: Docs::of(&field.attrs),
        has_default: attrs.has_default || container.has_default,
        is_custom: attrs.is_custom,
        given: Given::Unknown,
    })
}

/// The part of the yaml that the struct is for; `None` when it cannot be told here.
///
/// ui: config/fail/plugin_unknown
fn section<'a>(
    plugin: Option<&syn::LitStr>,
    ident: &Ident,
    schema: Option<&'a Schema>,
    sink: &mut Sink,
) -> Option<(String, &'a PluginSchema, &'a Schema)> {
    let schema = schema?;
    let name = match plugin {
        Some(plugin) => plugin.value(),
        None => names::snake_case(ident.to_string().strip_suffix("Config")?),
    };
    if let Some(section) = schema.plugins.get(&name) {
        return Some((name, section, schema));
    }
    let plugin = plugin?;
    let known: Vec<&str> = schema.plugins.keys().map(String::as_str).collect();
    let help = suggest::help(&name, &known);
    sink.error(plugin, format!("plugin `{name}` is not in {}\n{help}", schema.file));
    None
}

fn compare(config: &mut Config, name: &str, section: &PluginSchema, schema: &Schema, sink: &mut Sink) {
    let taken: Vec<String> = config.fields.iter().map(|field| field.name.clone()).collect();
    let mut slips = Vec::new();
    for field in &mut config.fields {
        field.given = match section.config.get(&field.name) {
            Some(key) => Given::Value {
                place: format!("{}:{}:{}", schema.file, key.place.line, key.place.column),
                kind: check::kind(key.kind),
                integer: check::integer(key.literal),
            },
            None if field.has_default => Given::Unknown,
            None => {
                let (message, slip) = check::missing(&field.name, &taken, name, section, schema);
                slips.extend(slip);
                Given::Missing { message }
            }
        };
    }
    let unknown = check::check_unknown_keys(&config.ident, &taken, &slips, section, schema, sink);
    config.reported = unknown.into_iter().map(str::to_owned).collect();
}
