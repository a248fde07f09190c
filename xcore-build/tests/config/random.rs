//! No text makes anything panic, and nothing takes long.

use proptest::prelude::*;
use xcore_build::config::Config;

use crate::env;

/// Text of the pieces that a configuration is made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "app",
        "name",
        "services",
        "database",
        "url",
        "cache",
        "plugins",
        "orders",
        "config",
        "grants",
        "tenancy",
        "ensure",
        "header",
        ":",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "&a",
        "*a",
        "<<",
        "!!str ",
        "!x ",
        "|",
        ">",
        "#",
        "\t",
        "${",
        "}",
        "${A}",
        "${A:-b}",
        "$$",
        "null",
        "~",
        "true",
        "no",
        "0456",
        "1e999",
        "-1",
        "99999999999999999999",
        "ä",
        "\u{feff}",
        "\u{2028}",
        "\r",
        "---",
        "...",
        "? ",
        "shop",
        "sqlite://d",
        "30s",
        "2MiB",
        "acme",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = crate::read(&text, &[]).map_err(|problems| problems.to_string());
    }

    #[test]
    fn any_mixture_of_our_own_words_is_read_or_refused(text in pieces()) {
        match crate::read(&text, &[("A", "x")]) {
            Ok(config) => {
                config.to_yaml().unwrap();
                for plugin in config.plugins.values() {
                    let _ = plugin.plugin_config::<std::collections::BTreeMap<String, Vec<u8>>>();
                }
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in &problems {
                    prop_assert!(problem.lines().iter().all(|line| !line.contains('\n')), "{problem}");
                }
            }
        }
    }

    #[test]
    fn any_override_is_applied_or_refused(name in "XCORE__[A-Z_]{0,30}", key in "[A-Z_]{0,12}", value in any::<String>()) {
        let names = [name, format!("XCORE__PLUGINS__ORDERS__CONFIG__{key}")];
        let variables: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
        let text = "app: { name: shop }\nplugins: { orders: { config: { max: 1, list: [a], map: { b: 1 } } } }\n";
        let _ = Config::from_text(text, std::path::Path::new("."), &env(&variables)).map_err(|problems| problems.to_string());
    }

    #[test]
    fn a_tenant_id_is_accepted_exactly_as_its_grammar_says(id in "[a-cA-C0_:./-]{0,5}") {
        let text = format!("app: {{ name: shop }}\ntenancy: {{ ensure: [\"{id}\"] }}\n");
        let fits = id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        prop_assert_eq!(crate::read(&text, &[]).is_ok(), fits);
    }
}
