//! What a build script writes and prints.

use std::path::Path;

use xcore_build::Compile;
use xcore_build::schema::{Kind, Literal, Schema};

use crate::folder;

const GOOD: &str = "app: { name: shop }
services:
  database: { url: \"${DATABASE_URL:-sqlite://data}\" }
plugins:
  orders:
    config:
      max_lines: 100
      port: ${PORT}
      label: s3cret-label
      pin_secret: 4711
      nested: { password: s3cret, deep: 1.5 }
    grants: [central]
";

fn compile(folder: &tempfile::TempDir) -> Compile {
    let out_dir = folder.path().join("out");
    std::fs::create_dir_all(&out_dir).unwrap();
    Compile::new("xcore.yaml").package("shop").folder(folder.path()).out_dir(out_dir)
}

fn errors(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("cargo::error=")).collect()
}

#[test]
fn the_schema_names_what_the_file_has_and_its_package() {
    let folder = folder(&[("xcore.yaml", GOOD)]);
    let written = compile(&folder).write().unwrap();
    let schema = Schema::from_json(&std::fs::read_to_string(&written.json).unwrap()).unwrap();
    assert_eq!(schema, written.schema);
    assert!(schema.is_for("shop") && !schema.is_for("a-crate-compiled-from-a-test"));
    assert_eq!(schema.services.database.map(|place| (place.line, place.column)), Some((3, 3)));
    assert!(schema.services.cache.is_none());
    let orders = &schema.plugins["orders"];
    assert_eq!(orders.grants, ["central"]);
    assert_eq!(orders.config["max_lines"].literal, Some(Literal::Integer(100)));
    assert_eq!(orders.config["port"].kind, Kind::Variable);
    assert_eq!(orders.config["label"].kind, Kind::Text);
    assert_eq!(orders.config["nested"].children["deep"].kind, Kind::Float);
    assert_eq!((orders.config["port"].place.line, orders.config["port"].place.column), (8, 7));
}

#[test]
fn no_text_and_no_secret_gets_into_the_schema() {
    let folder = folder(&[("xcore.yaml", GOOD)]);
    let written = compile(&folder).write().unwrap();
    for path in [&written.json, &written.rust] {
        let text = std::fs::read_to_string(path).unwrap();
        for secret in ["s3cret", "4711", "sqlite", "PORT"] {
            assert!(!text.contains(secret), "{secret} is in {}", path.display());
        }
    }
}

#[test]
fn of_an_address_the_schema_keeps_that_it_is_a_server() {
    let schema_of = |url: &str| {
        let text = format!("app: {{ name: shop }}\nservices:\n  database: {{ url: \"{url}\" }}\n");
        let folder = folder(&[("xcore.yaml", &text)]);
        let written = compile(&folder).write().unwrap();
        let text = std::fs::read_to_string(&written.rust).unwrap();
        let json = std::fs::read_to_string(&written.json).unwrap();
        assert!(!text.contains("s3cret") && !json.contains("s3cret") && !json.contains("db.local"));
        assert_eq!(text.contains("const POSTGRES"), written.schema.services.postgres.is_some());
        (written.schema.services.postgres.map(|place| (place.line, place.column)), text)
    };
    let (place, text) = schema_of("postgres://shop:s3cret@db.local/shop");
    assert_eq!(place, Some((3, 20)));
    assert!(text.contains("Option::Some((3, 20));"), "{text}");
    assert_eq!(schema_of("sqlite://data").0, None);
    assert_eq!(schema_of("${URL:-postgres://db.local/shop}").0, None, "it is known at the start");
}

#[test]
fn several_servers_need_the_driver_whatever_their_addresses_are() {
    let text = "app: { name: shop }\nservices:\n  database:\n    servers: { eu: \"${EU}\" }\n";
    let written = compile(&folder(&[("xcore.yaml", text)])).write().unwrap();
    assert_eq!(written.schema.services.postgres.map(|place| (place.line, place.column)), Some((4, 5)));
}

#[test]
fn the_rust_text_is_as_agreed() {
    let folder = folder(&[(
        "xcore.yaml",
        "app: { name: shop }\nservices: { cache: {} }\nplugins:\n  orders:\n    config: { max: 100, \"odd\\\"key\": x }\n",
    )]);
    let written = compile(&folder).write().unwrap();
    let wanted = r#"// Written by xcore-build from xcore.yaml. Do not edit.
/// What the configuration of this package provides.
pub struct Schema;
impl __xcore::schema::Provides<__xcore::services::Cache> for Schema {}
impl __xcore::schema::SchemaDef for Schema {
    const FILE: &'static str = "xcore.yaml";
    const PACKAGE: &'static str = "shop";
    const FORMAT: u32 = 1;
    const PERMISSIVE: bool = false;
    const PLUGINS: &'static [__xcore::schema::PluginEntry] = &[
        __xcore::schema::PluginEntry { name: "orders", line: 4, column: 3, grants: &[], config: &[
            __xcore::schema::ConfigKey { name: "max", kind: __xcore::schema::Kind::Integer, line: 5, column: 15, integer: ::core::option::Option::Some(100) },
            __xcore::schema::ConfigKey { name: "odd\"key", kind: __xcore::schema::Kind::Text, line: 5, column: 25, integer: ::core::option::Option::None },
        ] },
    ];
}
"#;
    assert_eq!(std::fs::read_to_string(written.rust).unwrap(), wanted);
}

#[test]
fn all_problems_of_file_and_overlays_are_printed_in_one_build() {
    let folder = folder(&[
        ("xcore.yaml", "app:\n  name: shop\n  lisen: 1\n  listen: here\n"),
        ("xcore.production.yaml", "app:\n  listen: 0.0.0.0:80\n  prefix: v1\n"),
        ("xcore.broken.yaml", "app: [\n"),
        ("xcore.production.yaml.bak", "app: [\n"),
    ]);
    let lines = compile(&folder).instructions();
    let errors = errors(&lines);
    let first: Vec<&str> = errors.iter().filter(|line| !line.starts_with(' ')).copied().collect();
    assert_eq!(first.len(), 4, "{first:#?}");
    assert!(
        first[0].starts_with("xcore.yaml:3:3 unknown key `lisen` in `app`; did you mean `listen`?"),
        "{}",
        first[0]
    );
    assert!(first[1].starts_with("xcore.yaml:4:11 `app.listen` must be"), "{}", first[1]);
    assert!(
        first.iter().any(|line| line.starts_with("xcore.production.yaml:3:11 `app.prefix`")),
        "{first:#?}"
    );
    assert!(first.iter().any(|line| line.starts_with("xcore.broken.yaml:")), "{first:#?}");
    assert!(lines.iter().all(|line| line.starts_with("cargo::") && !line.contains('\n')));
}

#[test]
fn a_file_with_problems_leaves_a_schema_that_allows_everything() {
    let folder = folder(&[("xcore.yaml", "app: {}\n")]);
    assert!(compile(&folder).write().is_err());
    let schema =
        Schema::from_json(&std::fs::read_to_string(folder.path().join("out/xcore_schema.json")).unwrap())
            .unwrap();
    assert!(schema.permissive);
    let rust = std::fs::read_to_string(folder.path().join("out/xcore_schema.rs")).unwrap();
    assert!(rust.contains("impl<T: ?Sized> __xcore::schema::Provides<T> for Schema {}"), "{rust}");
    assert!(rust.contains("const PERMISSIVE: bool = true;"));
}

#[test]
fn a_missing_file_is_an_error_with_a_way_out_and_nothing_missing_is_watched() {
    let folder = folder(&[]);
    let lines = compile(&folder).instructions();
    let errors = errors(&lines);
    assert!(errors[0].starts_with("xcore.yaml: there is no such file; make xcore.yaml"), "{errors:#?}");
    assert!(errors.iter().any(|line| line.trim() == "name: my-app"));
    assert_only_real_paths(&lines);
}

#[test]
fn only_absolute_and_existing_paths_are_watched() {
    let folder = folder(&[("xcore.yaml", GOOD), ("xcore.production.yaml", "")]);
    let lines = compile(&folder).instructions();
    assert_only_real_paths(&lines);
    for file in ["xcore.yaml", "xcore.production.yaml"] {
        let wanted = format!("cargo::rerun-if-changed={}", folder.path().join(file).display());
        assert!(lines.contains(&wanted), "{lines:#?}");
    }
    assert!(lines.iter().any(|line| line.starts_with("cargo::rustc-env=XCORE_SCHEMA=/")));
}

fn assert_only_real_paths(lines: &[String]) {
    for line in lines {
        if let Some(path) = line.strip_prefix("cargo::rerun-if-changed=") {
            assert!(Path::new(path).is_absolute() && Path::new(path).exists(), "{path}");
        }
    }
}

#[test]
fn variables_are_unknown_at_build_and_their_defaults_are_checked() {
    let folder = folder(&[(
        "xcore.yaml",
        "app: { name: \"${NAME}\", listen: \"${L:-here}\" }\ntenancy: { default_tenant: \"${T}\", ensure: [\"${A}\"] }\nservices: { database: { url: \"${U}\", connections: \"${C:-4}\" } }\n",
    )]);
    let problems = compile(&folder).write().unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["app.listen"]);
}

#[test]
fn a_file_cannot_speak_to_cargo() {
    let folder = folder(&[(
        "xcore.yaml",
        "app: { name: shop, \"x\\ncargo::rustc-env=PATH=/evil\": 1 }\nplugins: { \"a\\rcargo::error=x\": {} }\n",
    )]);
    let lines = compile(&folder).instructions();
    assert!(lines.iter().all(|line| !line.contains(['\n', '\r'])), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("cargo::rustc-env=")).count(), 1);
}
