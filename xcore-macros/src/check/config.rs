//! The fields of a configuration struct against the keys that `xcore.yaml` gives it.
//!
//! Only what can be told from names. Whether a value has the right type is proved on types, in the generated code.

use proc_macro2::Ident;
use xcore_build::schema::{Kind, Literal, PluginSchema, Schema};

use crate::sink::Sink;
use crate::suggest;

/// Keys of the yaml that no field takes. They come back, so that `app!` does not report them again.
///
/// A required field that is missing and a key that is one slip away from it are one mistake: it is reported at the
/// field, by [`missing`].
///
/// ui: config/fail/unknown_yaml_key
pub(crate) fn check_unknown_keys<'a>(
    ident: &Ident,
    fields: &[String],
    slips: &[&str],
    plugin: &'a PluginSchema,
    schema: &Schema,
    sink: &mut Sink,
) -> Vec<&'a str> {
    let unknown: Vec<&str> = plugin
        .config
        .keys()
        .map(String::as_str)
        .filter(|key| !fields.iter().any(|field| field == key))
        .collect();
    for key in unknown.iter().filter(|key| !slips.contains(key)) {
        let place = plugin.config.get(*key).map(|key| key.place).unwrap_or_default();
        let help = match suggest::nearest(key, fields.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("remove it there, or add a field `{key}` here"),
        };
        sink.error(
            ident,
            format!(
                "{}:{}:{} sets `{key}`, which `{ident}` does not have\nhelp: {help}",
                schema.file, place.line, place.column
            ),
        );
    }
    unknown
}

/// What to say of a required field that the yaml does not set, and the key that was meant for it.
pub(crate) fn missing<'a>(
    field: &str,
    taken: &[String],
    name: &str,
    plugin: &'a PluginSchema,
    schema: &Schema,
) -> (String, Option<&'a str>) {
    let free = plugin.config.keys().map(String::as_str).filter(|key| !taken.iter().any(|field| field == key));
    let slip = suggest::nearest(field, free);
    let file = &schema.file;
    let message = match slip.and_then(|slip| plugin.config.get_key_value(slip)) {
        Some((slip, key)) => format!(
            "`{field}` is required, but {file}:{}:{} sets `{slip}`\nhelp: did you mean `{field}` there?",
            key.place.line, key.place.column
        ),
        None => format!(
            "`{field}` is required, but {file}:{}:{} does not set it for plugin `{name}`\nhelp: set it there, make the type of the field an `Option`, or give it `#[serde(default)]`",
            plugin.place.line, plugin.place.column
        ),
    };
    (message, slip)
}

/// The variant of the runtime's `Kind`.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "Null",
        Kind::Bool => "Bool",
        Kind::Integer => "Integer",
        Kind::Float => "Float",
        Kind::Text => "Text",
        Kind::List => "List",
        Kind::Map => "Map",
        Kind::Variable => "Variable",
    }
}

/// The value, when it is a whole number.
pub(crate) fn integer(literal: Option<Literal>) -> Option<i128> {
    match literal {
        Some(Literal::Integer(integer)) => Some(integer),
        _ => None,
    }
}
