//! A plugin's configuration as the plugin's own type.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::read;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Fast,
    Slow { steps: u8 },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Orders {
    max_lines: u16,
    code: String,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    weights: BTreeMap<u8, f32>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    strict: Option<bool>,
}

fn config(config: &str, variables: &[(&str, &str)]) -> Result<Orders, String> {
    let text = format!("app: {{ name: shop }}\nplugins:\n  orders:\n    config: {config}\n");
    let loaded = read(&text, variables).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.plugins["orders"].plugin_config::<Orders>().map_err(|problem| problem.to_string())
}

#[test]
fn the_wanted_type_decides_what_a_value_is() {
    let variables = [("MAX", "7"), ("CODE", "0456"), ("HOSTS", "a, b"), ("STRICT", "false")];
    let orders = config(
        "{ max_lines: \"${MAX}\", code: \"${CODE}\", hosts: \"${HOSTS}\", strict: \"${STRICT}\" }",
        &variables,
    )
    .unwrap();
    assert_eq!((orders.max_lines, orders.code.as_str(), orders.strict), (7, "0456", Some(false)));
    assert_eq!(orders.hosts, ["a", "b"]);
    let orders =
        config("{ max_lines: 5, code: 0456, weights: { 1: 2, 2: 0.5 }, mode: { slow: { steps: 3 } } }", &[])
            .unwrap();
    assert_eq!(orders.code, "0456");
    assert_eq!(orders.weights, [(1, 2.0), (2, 0.5)].into());
    assert_eq!(orders.mode, Some(Mode::Slow { steps: 3 }));
    // An unquoted number is a text when a text is wanted, letter for letter.
    assert_eq!(config("{ max_lines: 5, code: 1.50 }", &[]).unwrap().code, "1.50");
}

#[test]
fn overrides_keep_the_kind_that_they_replace() {
    let text = "{ max_lines: 5, code: abc, mode: fast }";
    let set = |name: &'static str, value: &'static str| [(name, value)];
    assert_eq!(config(text, &set("XCORE__PLUGINS__ORDERS__CONFIG__MAX_LINES", "6")).unwrap().max_lines, 6);
    assert_eq!(config(text, &set("XCORE__PLUGINS__ORDERS__CONFIG__CODE", "0456")).unwrap().code, "0456");
    // A key that is new takes its type from the struct.
    assert_eq!(
        config(text, &set("XCORE__PLUGINS__ORDERS__CONFIG__STRICT", "true")).unwrap().strict,
        Some(true)
    );
}

#[test]
fn what_does_not_fit_names_key_place_and_source() {
    for (text, variables, wanted) in [
        (
            "{ max_lines: 70000, code: a }",
            &[][..],
            &[
                "`plugins.orders.config.max_lines` must be a whole number from 0 to 65535, found the number `70000`",
                "xcore.yaml:4:26",
            ][..],
        ),
        (
            "{ max_lines: 5, codes: a }",
            &[],
            &["unknown key `plugins.orders.config.codes`", "did you mean `code`?", "xcore.yaml:4:29"],
        ),
        ("{ max_lines: 5 }", &[], &["`plugins.orders.config.code` is missing"]),
        ("{ max_lines: \"5\", code: a }", &[], &["must be a whole number", "found the text \"5\""]),
        (
            "{ max_lines: 5, code: true }",
            &[],
            &["`plugins.orders.config.code` must be a text, found the boolean `true`"],
        ),
        (
            "{ max_lines: 5, code: a, mode: fst }",
            &[],
            &["must be one of `fast` and `slow`", "did you mean `fast`?"],
        ),
        (
            "{ max_lines: 5, code: a, hosts: [b, {}] }",
            &[],
            &["`plugins.orders.config.hosts[1]` must be a text, found a section"],
        ),
        (
            "{ max_lines: \"${MAX}\", code: a }",
            &[("MAX", "hunter2")],
            &["`plugins.orders.config.max_lines` must be a whole number", "the value of `MAX`"],
        ),
        (
            "{ max_lines: 5, code: a, mode: \"${MODE}\" }",
            &[("MODE", "hunter2")],
            &["must be one of `fast` and `slow`"],
        ),
        (
            "{ max_lines: 5, code: a }",
            &[("XCORE__PLUGINS__ORDERS__CONFIG__STRICT", "hunter2")],
            &["environment variable XCORE__PLUGINS__ORDERS__CONFIG__STRICT"],
        ),
    ] {
        let message = config(text, variables).unwrap_err();
        for part in wanted {
            assert!(message.contains(part), "{text}: {part:?} is not in\n{message}");
        }
        assert!(!message.contains("hunter2"), "a value of the environment is shown:\n{message}");
    }
}

#[test]
fn a_plugin_without_config_has_an_empty_one() {
    #[derive(Debug, Deserialize)]
    struct Nothing {}
    let config = read("app: { name: shop }\nplugins: { orders: {} }\n", &[]).unwrap();
    assert!(config.plugins["orders"].plugin_config::<Nothing>().is_ok());
    assert_eq!(config.plugins["orders"].config, serde_json::json!({}));
}
