//! The fields of a plugin's config type fit the keys that `xcore.yaml` gives it.

use super::text::{Text, is_among, is_near, same};
use super::{App, Claims, FieldKind};
use crate::plugin::FieldSpec;
use crate::plugin::schema::{ConfigKey, Kind, PluginEntry};

/// Proves that the config type of a plugin can be read from `xcore.yaml`.
///
/// What `#[derive(PluginConfig)]` has reported at a field is not reported again.
///
/// ui: app/fail/config_does_not_fit, app/fail/config_key_unknown
///
/// # Panics
/// While the compiler evaluates it, when it cannot.
#[track_caller]
pub const fn config_fits(app: &App, at: usize) {
    let claims = &app.claims[at];
    if let Some(entry) = app.entry(claims.name)
        && !app.is_permissive
    {
        let fault = fault(app.file, claims, entry);
        assert!(fault.is_empty(), "{}", fault.as_str());
    }
}

/// Proves that a field takes the value that `xcore.yaml` gives it; `place` is that value's.
///
/// ui: config/fail/wrong_kind, config/fail/number_out_of_range, config/fail/alias_of_wrong_kind, config/fail/null
///
/// # Panics
/// While the compiler evaluates it, when it does not.
#[track_caller]
pub const fn field_fits(place: &str, field: &FieldSpec, kind: Kind, integer: Option<i128>) {
    let key = ConfigKey { name: field.name, kind, line: 0, column: 0, integer };
    let fault = fault_of_value(Text::of(&[place]), field, &key);
    assert!(fault.is_empty(), "{}", fault.as_str());
}

/// Proves that a field can do without the key that `xcore.yaml` does not give it.
///
/// Only the type tells whether it can, under whatever alias; `message` is what to say if it cannot.
///
/// ui: config/fail/field_missing, config/fail/alias_of_option_is_not_missing
///
/// # Panics
/// While the compiler evaluates it, when it cannot.
#[track_caller]
pub const fn field_is_optional(message: &str, field: &FieldSpec) {
    assert!(!field.required, "{}", message);
}

/// Whether a field takes a value.
#[must_use]
pub const fn is_fit(field: FieldKind, optional: bool, kind: Kind, integer: Option<i128>) -> bool {
    match kind {
        Kind::Null => optional || matches!(field, FieldKind::Any),
        kind => field.takes(kind, integer),
    }
}

const fn fault(file: &str, claims: &Claims, entry: &PluginEntry) -> Text {
    let mut at = 0;
    while at < claims.fields.len() {
        let field = &claims.fields[at];
        at += 1;
        if field.reported {
            continue;
        }
        let fault = match find(entry, field.name) {
            Some(key) => fault_of_value(Text::EMPTY.place(file, key.line, key.column), field, key),
            None if field.required => missing(file, claims, entry, field),
            None => Text::EMPTY,
        };
        if !fault.is_empty() {
            return fault;
        }
    }
    fault_of_keys(file, claims, entry)
}

const fn missing(file: &str, claims: &Claims, entry: &PluginEntry, field: &FieldSpec) -> Text {
    let fault = Text::of(&["plugin `", claims.name, "` needs `", field.name, "` in its config, and "]);
    match slip(claims, entry, field) {
        Some(key) => fault.place(file, key.line, key.column).and(&[
            " sets `",
            key.name,
            "`\nhelp: did you mean `",
            field.name,
            "` there?",
        ]),
        None => fault.place(file, entry.line, entry.column).and(&[
            " does not set it\nhelp: set it:\n\n    ",
            claims.name,
            ": { config: { ",
            field.name,
            ": .. } }",
        ]),
    }
}

const fn fault_of_value(place: Text, field: &FieldSpec, key: &ConfigKey) -> Text {
    if is_fit(field.kind, field.optional, key.kind, key.integer) {
        return Text::EMPTY;
    }
    let fault = place.and(&[" sets `", field.name, "` to "]);
    match (field.kind, key.integer) {
        (FieldKind::Integer { min, max }, Some(integer)) => {
            fault.number(integer).and(&[", and the field takes "]).number(min).and(&[" to "]).number(max)
        }
        (kind, Some(integer)) => fault.number(integer).and(&[", and the field takes ", kind.describe()]),
        (kind, None) => fault.and(&[describe(key.kind), ", and the field takes ", kind.describe()]),
    }
}

const fn fault_of_keys(file: &str, claims: &Claims, entry: &PluginEntry) -> Text {
    let mut at = 0;
    while at < entry.config.len() {
        let key = &entry.config[at];
        at += 1;
        if is_among(key.name, claims.reported) || is_field(claims, key.name) {
            continue;
        }
        let fault = Text::EMPTY.place(file, key.line, key.column).and(&[
            " sets `",
            key.name,
            "`, which the config of plugin `",
        ]);
        let fault = fault.and(&[claims.name, "` does not have\nhelp: "]);
        return match near_field(claims, key.name) {
            Some(field) => fault.and(&["did you mean `", field.name, "` there?"]),
            None if claims.fields.is_empty() => {
                fault.and(&["remove it, or give the plugin a config: `#[xcore::plugin(config = ..)]`"])
            }
            None => fault.and(&["remove it, or add a field"]),
        };
    }
    Text::EMPTY
}

const fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "nothing",
        Kind::Bool => "`true` or `false`",
        Kind::Integer => "a whole number",
        Kind::Float => "a number with a fraction",
        Kind::Text => "a text",
        Kind::List => "a list",
        Kind::Map => "a map",
        Kind::Variable => "a variable",
    }
}

const fn find<'a>(entry: &'a PluginEntry, name: &str) -> Option<&'a ConfigKey> {
    let mut at = 0;
    while at < entry.config.len() {
        if same(entry.config[at].name, name) {
            return Some(&entry.config[at]);
        }
        at += 1;
    }
    None
}

const fn is_field(claims: &Claims, name: &str) -> bool {
    let mut at = 0;
    while at < claims.fields.len() {
        if same(claims.fields[at].name, name) {
            return true;
        }
        at += 1;
    }
    false
}

const fn near_field<'a>(claims: &'a Claims, name: &str) -> Option<&'a FieldSpec> {
    let mut at = 0;
    while at < claims.fields.len() {
        if is_near(claims.fields[at].name, name) {
            return Some(&claims.fields[at]);
        }
        at += 1;
    }
    None
}

/// The key that no field has, and whose name is a slip of this field's.
const fn slip<'a>(claims: &Claims, entry: &'a PluginEntry, field: &FieldSpec) -> Option<&'a ConfigKey> {
    let mut at = 0;
    while at < entry.config.len() {
        let key = &entry.config[at];
        if is_near(key.name, field.name) && !is_field(claims, key.name) {
            return Some(key);
        }
        at += 1;
    }
    None
}
