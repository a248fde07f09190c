//! A JSON Schema of `xcore.yaml`, for editors.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::config::{Item, LAYOUT};
use crate::settings::{Key, Need, Section};

/// The JSON Schema (draft 2020-12) of `xcore.yaml`, from the same table of keys that the checks use.
///
/// `plugins` holds the schema of each plugin's own `config`, by the plugin's name. With it, the file may list
/// just these plugins; when it is empty, any plugin with any `config` is allowed.
///
/// A place that is no text also admits `${VAR}`.
#[must_use]
pub fn json_schema(plugins: &BTreeMap<String, Json>) -> Json {
    let mut schema = group(LAYOUT, plugins);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("xcore.yaml");
    schema["required"] = json!(["app"]);
    schema
}

fn group(items: &'static [Item], plugins: &BTreeMap<String, Json>) -> Json {
    let properties: Map<String, Json> =
        items.iter().map(|item| (item.name().to_owned(), of_item(item, plugins))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn of_item(item: &'static Item, plugins: &BTreeMap<String, Json>) -> Json {
    match item {
        Item::Section(_, of) | Item::Choice(_, of) => section(of, None),
        Item::Parent(_, of, items) => {
            let mut schema = section(of, None);
            for item in *items {
                schema["properties"][item.name()] = of_item(item, plugins);
            }
            schema
        }
        Item::Group(_, doc, items) => described(group(items, plugins), doc),
        Item::Named(_, doc, of) => {
            let mut schema = json!({ "type": "object", "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$" } });
            if plugins.is_empty() || of.path != "plugins.*" {
                schema["additionalProperties"] = section(of, None);
            } else {
                let properties: Map<String, Json> =
                    plugins.iter().map(|(name, config)| (name.clone(), section(of, Some(config)))).collect();
                schema["properties"] = Json::Object(properties);
                schema["additionalProperties"] = json!(false);
            }
            described(schema, doc)
        }
    }
}

fn section(section: &'static Section, config: Option<&Json>) -> Json {
    let properties: Map<String, Json> = section
        .keys
        .iter()
        .map(|key| match config {
            Some(config) if key.name == "config" => (key.name.to_owned(), described(config.clone(), key.doc)),
            _ => (key.name.to_owned(), of_key(key)),
        })
        .collect();
    let required: Vec<&str> =
        section.keys.iter().filter(|key| matches!(key.need, Need::Required)).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    described(schema, section.doc)
}

fn of_key(key: &'static Key) -> Json {
    let schema = (key.json_schema)();
    let is_section = schema.get("type").is_some_and(|kind| kind.is_array());
    let schema = if is_section {
        schema
    } else {
        json!({ "anyOf": [schema, { "type": "string", "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}" }] })
    };
    let mut schema = described(schema, key.doc);
    if let Need::Default(text) = key.need {
        schema["default"] = default_of(key, text);
    }
    schema
}

fn default_of(key: &'static Key, text: &str) -> Json {
    use crate::source::Origin;
    use crate::yaml::{Node, Value};
    let node = Node::loose(text, Origin::default_value());
    match (key.settle)(&node, text) {
        Value::Bool(value) => json!(value),
        Value::Integer(value) => i64::try_from(value).map_or(Json::Null, Json::from),
        Value::List(list) if list.is_empty() => json!([]),
        _ => json!(text),
    }
}

fn described(mut schema: Json, doc: &str) -> Json {
    let doc: Vec<&str> = doc.lines().map(str::trim).collect();
    if let Some(object) = schema.as_object_mut() {
        object.entry("description").or_insert_with(|| json!(doc.join(" ").trim()));
    }
    schema
}
