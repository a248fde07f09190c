//! What is shown of a configuration, and what it is compared with.

use std::collections::BTreeMap;

use serde_json::json;
use xcore_build::compat::{PluginNeeds, check_against};
use xcore_build::json_schema;

use crate::read;

#[test]
fn the_effective_configuration_is_whole_and_reads_back() {
    let text = "app: { name: shop }\nservices: { database: { url: \"sqlite://data\" } }\ntenancy: { ensure: [acme], header: null }\nplugins: { orders: { config: { code: \"0456\", max: 5 }, grants: [central] } }\n";
    let yaml = read(text, &[]).unwrap().to_yaml().unwrap();
    for part in [
        "listen: 127.0.0.1:8080",
        "isolate_db: true",
        "connections: 4",
        "code: '0456'",
        "header: null",
        "- central",
    ] {
        assert!(yaml.contains(part), "{part} is not in\n{yaml}");
    }
    assert_eq!(read(&yaml, &[]).unwrap().to_yaml().unwrap(), yaml);
}

#[test]
fn what_a_database_gets_by_default_depends_on_its_kind() {
    let effective = |url: &str, more: &str| {
        let text = format!("app: {{ name: shop }}\nservices: {{ database: {{ url: \"{url}\"{more} }} }}\n");
        let yaml = read(&text, &[]).unwrap().to_yaml().unwrap();
        assert_eq!(read(&yaml, &[]).unwrap().to_yaml().unwrap(), yaml, "it reads back");
        let database = read(&text, &[]).unwrap().services.database.unwrap();
        (database.connections, database.max_open)
    };
    assert_eq!(effective("sqlite://data", ""), (4, Some(256)));
    assert_eq!(effective("sqlite://data", ", connections: 64, max_open: 9"), (64, Some(9)));
    assert_eq!(effective("postgres://shop@db/shop", ""), (16, None));
    assert_eq!(effective("postgresql://shop@db/shop", ""), (16, None));
    assert_eq!(effective("postgres://shop@db/shop", ", connections: 1024"), (1024, None));
}

#[test]
fn secrets_are_not_shown() {
    let text = "app: { name: shop }\nplugins:\n  p:\n    config: { api_token: s3cret, url: \"amqp://me:s3cret@mq/\", a: \"${A}\", nested: { password: s3cret }, list: [\"${A}\"] }\n";
    let config = read(text, &[("A", "s3cret"), ("XCORE__PLUGINS__P__CONFIG__NEW", "s3cret")]).unwrap();
    let yaml = config.to_yaml().unwrap();
    assert!(!yaml.contains("s3cret"), "{yaml}");
    assert_eq!(yaml.matches("[redacted]").count(), 6, "{yaml}");
    assert!(!format!("{:?}", config.plugins).contains("s3cret"));
}

#[test]
fn the_json_schema_has_every_key_and_a_place_for_each_plugin() {
    let orders = json!({ "type": "object", "properties": { "max_lines": { "type": "integer" } }, "additionalProperties": false });
    let schema = json_schema(&BTreeMap::from([("orders".to_owned(), orders)]));
    assert_eq!(
        schema["properties"]["plugins"]["properties"]["orders"]["properties"]["config"]["properties"]["max_lines"]
            ["type"],
        "integer"
    );
    assert_eq!(schema["properties"]["plugins"]["additionalProperties"], false);
    // Whatever the effective configuration shows is in the schema, so no key is forgotten.
    let text = "app: { name: shop, url: \"http://h\" }\nservices: { database: { url: \"sqlite://d\" }, cache: {}, scheduler: {} }\ntenancy: { base_domain: h }\n";
    let yaml: serde_json::Value = serde_norway_value(&read(text, &[]).unwrap().to_yaml().unwrap());
    assert_covered(&yaml, &schema, "");
}

fn serde_norway_value(yaml: &str) -> serde_json::Value {
    serde_norway::from_str(yaml).unwrap()
}

fn assert_covered(value: &serde_json::Value, schema: &serde_json::Value, path: &str) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        let below = &schema["properties"][key];
        assert!(below.is_object(), "{path} is not in the schema");
        assert!(
            below["description"].as_str().is_some_and(|text| !text.is_empty()),
            "{path} has no description"
        );
        assert_covered(value, below, &path);
    }
}

#[test]
fn a_configuration_that_changed_since_the_build_is_refused() {
    let needs = [
        PluginNeeds { name: "orders", services: &["database", "cache", "central"] },
        PluginNeeds { name: "billing", services: &["db", "scheduler"] },
    ];
    let text = "app: { name: shop }\nservices: { database: { url: \"sqlite://d\" } }\nplugins: { orders: {}, biling: {} }\n";
    let message = check_against(&needs, &read(text, &[]).unwrap()).unwrap_err().to_string();
    for part in [
        "the plugin `orders` needs the service `cache`",
        "the plugin `orders` uses `central`, which the configuration does not grant it",
        "the plugin `billing` needs the service `scheduler`",
        "the plugin `billing` is in this binary and not in the configuration",
        "the plugin `biling` is not in this binary",
        "did you mean `billing`?",
    ] {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
    let text = "app: { name: shop }\nservices: { database: { url: \"sqlite://d\" }, cache: {}, scheduler: {} }\nplugins: { orders: { grants: [central] }, billing: {} }\n";
    assert!(check_against(&needs, &read(text, &[]).unwrap()).is_ok());
}
