//! The configuration of a plugin: its section of `xcore.yaml` as a struct.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::schema::Kind;

/// The configuration of a plugin: `config = OrdersConfig`.
///
/// `#[derive(PluginConfig)]` beside `#[derive(Deserialize)]` implements it. The build compares its fields with
/// `plugins.NAME.config` of `xcore.yaml`: a key that is missing, unknown or of the wrong kind is a compiler error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the configuration of a plugin",
    label = "not a `PluginConfig`",
    note = "write `#[derive(serde::Deserialize, xcore::PluginConfig)]` on `{Self}`"
)]
pub trait PluginConfig: DeserializeOwned + Send + Sync + 'static {
    /// The fields, in the order of the source.
    const FIELDS: &'static [FieldSpec];

    /// Keys of `xcore.yaml` about which the compiler has said something already, so that `app!` does not say it again.
    #[doc(hidden)]
    const REPORTED: &'static [&'static str] = &[];

    /// The JSON Schema of the section, for editors.
    #[must_use]
    fn json_schema() -> Value {
        object(Self::FIELDS)
    }
}

/// A field of a configuration struct.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Its key in `xcore.yaml`.
    pub name: &'static str,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether it takes `null`.
    pub optional: bool,
    /// Whether the key must be there.
    pub required: bool,
    /// Its doc comment.
    pub doc: &'static str,
    /// Whether the compiler has reported it already at the field, so that `app!` does not report it again.
    #[doc(hidden)]
    pub reported: bool,
}

/// What a field takes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum FieldKind {
    /// `true` or `false`.
    Bool,
    /// A whole number from `min` to `max`.
    Integer {
        /// The least.
        min: i128,
        /// The greatest.
        max: i128,
    },
    /// A number.
    Float,
    /// A text.
    Text,
    /// A list.
    List,
    /// A map.
    Map,
    /// A struct with these fields.
    Struct(&'static [FieldSpec]),
    /// It depends on the type: only reading the value tells.
    Any,
}

impl FieldKind {
    /// Whether a value of `kind`, and of this size when it is a whole number, can be read.
    #[must_use]
    pub const fn takes(self, kind: Kind, integer: Option<i128>) -> bool {
        match (self, kind) {
            (Self::Any, _) | (_, Kind::Variable) => true,
            (Self::Bool, Kind::Bool) | (Self::Text, Kind::Text) | (Self::List, Kind::List) => true,
            (Self::Float, Kind::Float | Kind::Integer) | (Self::Map | Self::Struct(_), Kind::Map) => true,
            (Self::Integer { min, max }, Kind::Integer) => match integer {
                Some(integer) => min <= integer && integer <= max,
                None => true,
            },
            _ => false,
        }
    }

    /// As a message says it.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Bool => "`true` or `false`",
            Self::Integer { .. } => "a whole number",
            Self::Float => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Map | Self::Struct(_) => "a map",
            Self::Any => "a value",
        }
    }
}

/// The configuration of a plugin that has none.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct NoConfig {}

impl PluginConfig for NoConfig {
    const FIELDS: &'static [FieldSpec] = &[];
}

fn object(fields: &[FieldSpec]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut property = property(field.kind);
        if field.optional {
            property = json!({ "anyOf": [property, { "type": "null" }] });
        }
        if let (Some(members), false) = (property.as_object_mut(), field.doc.is_empty()) {
            members.insert("description".to_owned(), field.doc.into());
        }
        properties.insert(field.name.to_owned(), property);
    }
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn property(kind: FieldKind) -> Value {
    let mut property = match kind {
        FieldKind::Bool => json!({ "type": "boolean" }),
        FieldKind::Integer { min, max } => integer(min, max),
        FieldKind::Float => json!({ "type": "number" }),
        FieldKind::Text => json!({ "type": "string" }),
        FieldKind::List => json!({ "type": "array" }),
        FieldKind::Map => json!({ "type": "object" }),
        // What serde does with a key that the struct does not have is the struct's own business.
        FieldKind::Struct(fields) => match object(fields) {
            Value::Object(mut members) => {
                members.remove("additionalProperties");
                Value::Object(members)
            }
            other => other,
        },
        FieldKind::Any => return json!({}),
    };
    if let Some(kind @ Value::String(_)) = property.get_mut("type")
        && kind != "object"
        && kind != "array"
        && kind != "string"
    {
        // A value may also come from the environment: `${VAR}`.
        let variable = json!({ "type": "string", "pattern": r"\$\{" });
        property = json!({ "anyOf": [property, variable] });
    }
    property
}

/// Editors read numbers as doubles, so a limit beyond 64 bits says nothing to them.
fn integer(min: i128, max: i128) -> Value {
    let mut schema = json!({ "type": "integer" });
    if let Some(members) = schema.as_object_mut() {
        if let Ok(min) = i64::try_from(min) {
            members.insert("minimum".to_owned(), min.into());
        }
        if let Ok(max) = u64::try_from(max) {
            members.insert("maximum".to_owned(), max.into());
        }
    }
    schema
}

/// Finds out what a type takes, also through aliases: `Probe::<Pages>::KIND`.
///
/// An associated constant of the type itself goes before one of a trait. So the constants below are found for the types
/// that they name, and those of [`Unprobed`] for all others.
pub struct Probe<T>(PhantomData<T>);

/// What is assumed of a type that [`Probe`] does not know.
pub trait Unprobed {
    /// Anything may fit.
    const KIND: FieldKind = FieldKind::Any;
    /// `null` may not.
    const OPTIONAL: bool = false;
}

impl<T> Unprobed for Probe<T> {}

#[expect(missing_docs, reason = "the constants are those of `Unprobed`")]
impl<T> Probe<Option<T>> {
    pub const OPTIONAL: bool = true;
}

#[expect(missing_docs, reason = "the constants are those of `Unprobed`")]
impl<T: PluginConfig> Probe<T> {
    pub const KIND: FieldKind = FieldKind::Struct(T::FIELDS);
}

macro_rules! probe {
    ($($($generic:ident)* [$type:ty]: $kind:expr;)*) => { $(
        #[expect(missing_docs, reason = "the constants are those of `Unprobed`")]
        impl<$($generic),*> Probe<$type> {
            pub const KIND: FieldKind = $kind;
        }
        #[expect(missing_docs, reason = "the constants are those of `Unprobed`")]
        impl<$($generic),*> Probe<Option<$type>> {
            pub const KIND: FieldKind = $kind;
        }
    )* };
}

macro_rules! probe_integers {
    ($($type:ty)*) => { probe! { $([$type]: FieldKind::Integer { min: <$type>::MIN as i128, max: <$type>::MAX as i128 };)* } };
}

probe_integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 usize }

probe! {
    [u128]: FieldKind::Integer { min: 0, max: i128::MAX };
    [std::num::NonZeroU8]: FieldKind::Integer { min: 1, max: u8::MAX as i128 };
    [std::num::NonZeroU16]: FieldKind::Integer { min: 1, max: u16::MAX as i128 };
    [std::num::NonZeroU32]: FieldKind::Integer { min: 1, max: u32::MAX as i128 };
    [std::num::NonZeroU64]: FieldKind::Integer { min: 1, max: u64::MAX as i128 };
    [std::num::NonZeroUsize]: FieldKind::Integer { min: 1, max: usize::MAX as i128 };
    [bool]: FieldKind::Bool;
    [f32]: FieldKind::Float;
    [f64]: FieldKind::Float;
    [char]: FieldKind::Text;
    [String]: FieldKind::Text;
    [Box<str>]: FieldKind::Text;
    [std::sync::Arc<str>]: FieldKind::Text;
    [std::borrow::Cow<'static, str>]: FieldKind::Text;
    [std::path::PathBuf]: FieldKind::Text;
    [std::net::IpAddr]: FieldKind::Text;
    [std::net::SocketAddr]: FieldKind::Text;
    T [Vec<T>]: FieldKind::List;
    T [Box<[T]>]: FieldKind::List;
    T [BTreeSet<T>]: FieldKind::List;
    T S [HashSet<T, S>]: FieldKind::List;
    K V [BTreeMap<K, V>]: FieldKind::Map;
    K V S [HashMap<K, V, S>]: FieldKind::Map;
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pages = u32;

    #[derive(Deserialize)]
    struct Mine;

    #[test]
    fn a_type_is_known_through_its_alias() {
        assert!(matches!(Probe::<Pages>::KIND, FieldKind::Integer { min: 0, max: 4_294_967_295 }));
        assert!(matches!(Probe::<Option<Pages>>::KIND, FieldKind::Integer { .. }));
        assert!(matches!(Probe::<Vec<Mine>>::KIND, FieldKind::List));
        assert!(matches!(Probe::<NoConfig>::KIND, FieldKind::Struct([])));
        assert!(matches!(Probe::<Mine>::KIND, FieldKind::Any));
        const { assert!(Probe::<Option<Mine>>::OPTIONAL) };
        const { assert!(!Probe::<Mine>::OPTIONAL) };
    }

    #[test]
    fn a_number_fits_its_range() {
        let byte = Probe::<u8>::KIND;
        assert!(byte.takes(Kind::Integer, Some(255)));
        assert!(!byte.takes(Kind::Integer, Some(256)));
        assert!(!byte.takes(Kind::Integer, Some(-1)));
        assert!(!byte.takes(Kind::Text, None));
        assert!(byte.takes(Kind::Variable, None));
        assert!(Probe::<f64>::KIND.takes(Kind::Integer, Some(1)));
    }

    #[test]
    fn the_json_schema_lists_the_fields() {
        struct Section;
        impl<'de> Deserialize<'de> for Section {
            fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Ok(Self)
            }
        }
        impl PluginConfig for Section {
            const FIELDS: &'static [FieldSpec] = &[FieldSpec {
                name: "max_lines",
                kind: Probe::<u8>::KIND,
                optional: false,
                required: true,
                doc: "How many lines an order may have.",
                reported: false,
            }];
        }
        let schema = Section::json_schema();
        assert_eq!(schema["required"], json!(["max_lines"]));
        assert_eq!(
            schema["properties"]["max_lines"]["anyOf"][0],
            json!({ "type": "integer", "minimum": 0, "maximum": 255 })
        );
        assert_eq!(schema["properties"]["max_lines"]["description"], "How many lines an order may have.");
    }
}
