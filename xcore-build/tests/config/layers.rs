//! Defaults, files, overlays, overrides and variables.

use std::time::Duration;

use xcore_build::config::{CacheBackend, Config, Directory, LoadOptions};

use crate::{env, folder, problems, read};

const SHOP: &str = "app: { name: shop }\n";

fn options(folder: &tempfile::TempDir, overlay: Option<&str>, variables: &[(&str, &str)]) -> LoadOptions {
    LoadOptions {
        file: folder.path().join("xcore.yaml"),
        overlay: overlay.map(str::to_owned),
        env: env(variables),
    }
}

#[test]
fn a_name_is_enough_and_the_rest_has_defaults() {
    let config = read(SHOP, &[]).unwrap();
    assert_eq!(config.app.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.app.prefix, "");
    assert_eq!(config.app.url, None);
    assert_eq!(config.app.request_timeout, Duration::from_secs(30));
    assert_eq!(config.app.shutdown_grace, Duration::from_secs(10));
    assert_eq!(config.app.body_limit, 2 << 20);
    assert!(config.tenancy.enabled && config.tenancy.isolate_db && config.tenancy.isolate_cache);
    assert!(config.tenancy.isolate_scheduler && !config.tenancy.subdomain);
    assert_eq!(config.tenancy.header.as_deref(), Some("X-Tenant-ID"));
    assert_eq!(config.tenancy.default_tenant.as_deref(), Some("default"));
    assert_eq!(config.tenancy.directory, Directory::Managed);
    assert_eq!(config.tenancy.directory_ttl, Duration::from_secs(30));
    assert!(config.tenancy.ensure.is_empty() && config.plugins.is_empty());
    assert!(
        config.services.database.is_none()
            && config.services.cache.is_none()
            && config.services.scheduler.is_none()
    );
}

#[test]
fn a_service_that_is_named_has_its_own_defaults() {
    let text =
        "app: { name: shop }\nservices: { database: { url: \"sqlite://data\" }, cache: {}, scheduler: {} }\n";
    let config = read(text, &[]).unwrap();
    assert_eq!(config.database_folder().unwrap(), std::path::Path::new("/srv/data"));
    let database = config.services.database.unwrap();
    assert_eq!(
        (database.max_open, database.connections, database.busy_timeout),
        (Some(256), 4, Duration::from_secs(5))
    );
    let cache = config.services.cache.unwrap();
    assert_eq!((cache.backend, cache.capacity, cache.max_value), (CacheBackend::Memory, 64 << 20, 1 << 20));
    let scheduler = config.services.scheduler.unwrap();
    assert_eq!((scheduler.timezone.as_str(), scheduler.concurrency), ("UTC", 16));
}

#[test]
fn an_absolute_database_folder_stays_absolute() {
    let config =
        read("app: { name: shop }\nservices: { database: { url: \"sqlite:///var/shop\" } }\n", &[]).unwrap();
    assert_eq!(config.database_folder().unwrap(), std::path::Path::new("/var/shop"));
}

#[test]
fn texts_stay_as_they_were_typed() {
    // `no` is Norway and `0456` keeps its zero, in the file and in the environment.
    let config =
        read("app: { name: no }\ntenancy: { default_tenant: 0456, ensure: [no, off, 007] }\n", &[]).unwrap();
    assert_eq!(config.app.name, "no");
    assert_eq!(config.tenancy.default_tenant.as_deref(), Some("0456"));
    assert_eq!(config.tenancy.ensure, ["no", "off", "007"]);
    let config =
        read(SHOP, &[("XCORE__TENANCY__DEFAULT_TENANT", "0456"), ("XCORE__TENANCY__ENSURE", "true, 1e3")])
            .unwrap();
    assert_eq!(config.tenancy.default_tenant.as_deref(), Some("0456"));
    assert_eq!(config.tenancy.ensure, ["true", "1e3"]);
}

#[test]
fn null_turns_off_what_may_be_off() {
    let config =
        read("app: { name: shop }\ntenancy: { header: null, default_tenant: null, subdomain: true }\n", &[])
            .unwrap();
    assert_eq!((config.tenancy.header, config.tenancy.default_tenant), (None, None));
    let variables = [("XCORE__TENANCY__HEADER", "false"), ("XCORE__TENANCY__DEFAULT_TENANT", "a")];
    assert_eq!(read(SHOP, &variables).unwrap().tenancy.header, None);
    for none in ["", "null"] {
        let variables = [
            ("XCORE__TENANCY__HEADER", none),
            ("XCORE__TENANCY__DEFAULT_TENANT", none),
            ("XCORE__TENANCY__SUBDOMAIN", "true"),
        ];
        let tenancy = read(SHOP, &variables).unwrap().tenancy;
        assert_eq!((tenancy.header, tenancy.default_tenant), (None, None), "{none:?}");
    }
}

#[test]
fn an_override_is_typed_by_its_key() {
    let variables = [
        ("XCORE__APP__BODY_LIMIT", "1KiB"),
        ("XCORE__TENANCY__SUBDOMAIN", "true"),
        ("XCORE__SERVICES__CACHE__MAX_VALUE", "5B"),
        ("XCORE__SERVICES__SCHEDULER__CONCURRENCY", "3"),
        ("XCORE_ENV", "ignored here"),
    ];
    let config = read("app: { name: shop }\nservices: { cache: {}, scheduler: {} }\n", &variables).unwrap();
    assert_eq!(config.app.body_limit, 1024);
    assert!(config.tenancy.subdomain);
    assert_eq!(config.services.cache.as_ref().unwrap().max_value, 5);
    assert_eq!(config.services.scheduler.as_ref().unwrap().concurrency, 3);
    assert_eq!(config.origin("app.body_limit").unwrap(), "environment variable XCORE__APP__BODY_LIMIT");
}

#[test]
fn a_value_from_the_environment_is_never_read_as_a_reference() {
    let variables = [("XCORE__SERVICES__DATABASE__URL", "sqlite://a${b}"), ("A", "x${B}$$")];
    let config =
        read("app: { name: shop }\nplugins: { p: { config: { a: \"${A}\" } } }\n", &variables).unwrap();
    assert_eq!(config.services.database.unwrap().url.unwrap().as_str(), "sqlite://a${b}");
    assert_eq!(config.plugins["p"].config["a"], "x${B}$$");
}

#[test]
fn variables_defaults_and_escapes_resolve() {
    let text = "app: { name: shop }\nplugins:\n  p:\n    config:\n      a: ${A:-x}/${B:-y}\n      c: $${A} costs 5$\n      d: ${EMPTY}\n      e: ${EMPTY:-z}\n";
    let config = read(text, &[("B", "b"), ("EMPTY", "")]).unwrap();
    let config = &config.plugins["p"].config;
    assert_eq!(config["a"], "x/b");
    assert_eq!(config["c"], "${A} costs 5$");
    assert_eq!(config["d"], "");
    assert_eq!(config["e"], "z");
}

#[test]
fn a_value_of_a_variable_never_becomes_structure() {
    let config =
        read("app: { name: shop }\nplugins: { p: { config: { a: \"${A}\" } } }\n", &[("A", "x\"}}\nq: [1]")])
            .unwrap();
    assert_eq!(config.plugins["p"].config["a"], "x\"}}\nq: [1]");
}

#[test]
fn an_override_stands_in_for_an_unset_variable() {
    let text = "app: { name: shop }\nservices: { database: { url: \"${DATABASE_URL}\" } }\n";
    assert!(
        problems(text, &[]).contains("`services.database.url` needs the environment variable `DATABASE_URL`")
    );
    assert!(read(text, &[("XCORE__SERVICES__DATABASE__URL", "sqlite://x")]).is_ok());
}

#[test]
fn an_overlay_is_laid_over_the_file_key_by_key() {
    let folder = folder(&[
        (
            "xcore.yaml",
            "app:\n  name: shop\n  listen: 127.0.0.1:1\nservices:\n  cache: { capacity: 2MiB }\nplugins:\n  a: { config: { x: 1, y: { z: 2 } } }\n",
        ),
        (
            "xcore.production.yaml",
            "app:\n  listen: 0.0.0.0:80\nservices:\n  cache: { max_value: 1KiB }\nplugins:\n  a: { config: { y: { w: 3 } } }\ntenancy:\n",
        ),
    ]);
    let loaded = Config::load(&options(&folder, Some("production"), &[])).unwrap();
    let config = loaded.config;
    assert_eq!(config.app.name, "shop");
    assert_eq!(config.app.listen.to_string(), "0.0.0.0:80");
    let cache = config.services.cache.clone().unwrap();
    assert_eq!((cache.capacity, cache.max_value), (2 << 20, 1024));
    assert_eq!(config.plugins["a"].config, serde_json::json!({ "x": 1, "y": { "z": 2, "w": 3 } }));
    assert!(config.origin("app.listen").unwrap().ends_with("xcore.production.yaml:2:11"));
    assert!(config.origin("services.cache.capacity").unwrap().ends_with("xcore.yaml:5:22"));
    assert_eq!(config.origin("app.prefix").unwrap(), "default");
    assert_eq!(loaded.sources.len(), 2);
    assert_eq!(
        Config::load(&options(&folder, None, &[])).unwrap().config.app.listen.to_string(),
        "127.0.0.1:1"
    );
}

#[test]
fn a_wrong_value_of_an_overlay_is_shown_in_the_overlay() {
    let folder = folder(&[("xcore.yaml", SHOP), ("xcore.test.yaml", "app:\n  listen: here\n")]);
    let problems = Config::load(&options(&folder, Some("test"), &[])).unwrap_err();
    let problem = problems.iter().next().unwrap();
    assert!(problem.file.ends_with("xcore.test.yaml"), "{problem}");
    assert_eq!((problem.line, problem.column, problem.key.as_str()), (2, 11, "app.listen"));
}

#[test]
fn an_environment_without_overlay_is_refused() {
    let folder = folder(&[("xcore.yaml", SHOP), ("xcore.production.yaml", "")]);
    let message = Config::load(&options(&folder, Some("prodution"), &[])).unwrap_err().to_string();
    assert!(message.contains("did you mean `production`?"), "{message}");
    let message = Config::load(&options(&folder, Some("../x"), &[])).unwrap_err().to_string();
    assert!(message.contains("no name of an environment"), "{message}");
    assert!(Config::load(&options(&folder, Some("production"), &[])).is_ok());
}

#[test]
fn several_files_are_laid_over_each_other() {
    let folder = folder(&[("xcore.yaml", SHOP), ("plugins.yaml", "plugins: { orders: {} }\n")]);
    let inner = folder.path().join("a,b");
    std::fs::create_dir(&inner).unwrap();
    for name in ["xcore.yaml", "plugins.yaml"] {
        std::fs::rename(folder.path().join(name), inner.join(name)).unwrap();
    }
    let file = inner.join("xcore.yaml,plugins.yaml");
    let loaded = Config::load(&LoadOptions { file, ..LoadOptions::default() }).unwrap();
    assert!(loaded.config.plugins.contains_key("orders"));
}

#[test]
fn a_missing_file_says_how_to_make_one_and_the_text_works() {
    let folder = folder(&[]);
    let problems = Config::load(&options(&folder, None, &[])).unwrap_err();
    let help = problems.iter().next().unwrap().help.clone().unwrap();
    let (_, yaml) = help.split_once('\n').unwrap();
    assert!(read(yaml, &[]).is_ok(), "{yaml}");
}

#[test]
fn a_file_that_is_no_text_is_named_with_its_line() {
    let folder = folder(&[]);
    std::fs::write(folder.path().join("xcore.yaml"), b"app:\n  name: \xff\n").unwrap();
    let problems = Config::load(&options(&folder, None, &[])).unwrap_err();
    let problem = problems.iter().next().unwrap();
    assert_eq!(problem.line, 2);
    assert!(problem.message.contains("not UTF-8"), "{problem}");
}

const SERVERS: &str = "app: { name: shop }\nservices:\n  database:\n    servers:\n      us: ${US}\n      eu: { url: postgres://u:secret@eu/shop, replicas: [postgres://u:secret@r1/shop] }\n";

#[test]
fn servers_keep_their_order_and_variables_change_their_addresses() {
    let variables = [
        ("US", "postgres://u:secret@us/shop"),
        ("XCORE__SERVICES__DATABASE__SERVERS__EU", "postgres://u:secret@other/shop"),
        (
            "XCORE__SERVICES__DATABASE__SERVERS__US__REPLICAS",
            "postgres://u:secret@r2/shop,postgres://u:secret@r3/shop",
        ),
    ];
    let config = read(SERVERS, &variables).unwrap();
    let database = config.services.database.as_ref().unwrap();
    assert!(database.url.is_none());
    assert_eq!(database.connections, 16, "the default of a server");
    let servers = database.servers.as_ref().unwrap();
    let seen: Vec<_> = servers
        .iter()
        .map(|server| (server.name.as_str(), server.url.as_str(), server.replicas.len()))
        .collect();
    assert_eq!(seen, [("us", "postgres://u:secret@us/shop", 2), ("eu", "postgres://u:secret@other/shop", 1)]);
    let shown = config.to_yaml().unwrap();
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("@us/shop") && shown.contains("@r3/shop"), "{shown}");
}

#[test]
fn plans_are_read_and_variables_change_their_limits() {
    let file = "app: { name: shop }\ntenancy:\n  default_plan: free\n  plans:\n    free: { requests_per_second: 5 }\n    pro: {}\nservices: { database: { url: \"sqlite://data\" }, cache: {}, scheduler: {} }\n";
    let variables = [
        ("XCORE__TENANCY__PLANS__FREE__BURST", "9"),
        ("XCORE__TENANCY__PLANS__FREE__CACHE_BYTES", "64KiB"),
        ("XCORE__TENANCY__PLANS__PRO__DATABASE_CONNECTIONS", "3"),
        ("XCORE__TENANCY__PLANS__PRO__JOBS", "0"),
        ("XCORE__TENANCY__PLANS__PRO__CONCURRENT_JOBS", "2"),
        ("XCORE__TENANCY__PLANS__PRO__CONCURRENT_REQUESTS", "7"),
    ];
    let config = read(file, &variables).unwrap();
    let free = &config.plans["free"];
    assert_eq!((free.requests_per_second, free.burst, free.concurrent_requests), (Some(5), Some(9), None));
    assert_eq!((free.cache_bytes, config.plans["pro"].cache_bytes), (Some(64 << 10), None));
    assert_eq!(config.plans["pro"].concurrent_requests, Some(7));
    let pro = &config.plans["pro"];
    assert_eq!((pro.database_connections, pro.jobs, pro.concurrent_jobs), (Some(3), Some(0), Some(2)));
    assert_eq!(config.tenancy.default_plan.as_deref(), Some("free"));
    assert!(config.to_yaml().unwrap().contains("concurrent_requests: 7"));

    let wrong = [("XCORE__TENANCY__PLANS__PRP__BURST", "9")];
    let problems = read(file, &wrong).unwrap_err().to_string();
    assert!(problems.contains("a plan that is not listed") && problems.contains("`pro`"), "{problems}");
}

#[test]
fn an_address_of_a_higher_layer_replaces_servers_and_servers_replace_an_address() {
    let config = read(SERVERS, &[("US", ""), ("XCORE__SERVICES__DATABASE__URL", "sqlite://data")]).unwrap();
    let database = config.services.database.unwrap();
    assert!(database.servers.is_none() && database.url.is_some());

    let folder = folder(&[
        ("xcore.yaml", "app: { name: shop }\nservices: { database: { url: \"sqlite://data\" } }\n"),
        ("xcore.production.yaml", "services: { database: { servers: { eu: \"postgres://u@eu/shop\" } } }\n"),
    ]);
    let options = LoadOptions {
        file: folder.path().join("xcore.yaml"),
        overlay: Some("production".to_owned()),
        env: Default::default(),
    };
    let database = Config::load(&options).unwrap().config.services.database.unwrap();
    assert!(database.url.is_none());
    assert_eq!(database.servers.unwrap()[0].name, "eu");
}

#[test]
fn replicas_of_one_server_come_from_the_file_or_a_variable() {
    let text = "app: { name: shop }\nservices: { database: { url: \"postgres://u@db/shop\" } }\n";
    let config =
        read(text, &[("XCORE__SERVICES__DATABASE__REPLICAS", "postgres://u:secret@r1/x,postgres://r2/x")])
            .unwrap();
    assert_eq!(config.services.database.as_ref().unwrap().replicas.as_ref().unwrap().len(), 2);
    let shown = config.to_yaml().unwrap();
    assert!(!shown.contains("secret") && shown.contains("@r1/x"), "{shown}");
}

#[test]
fn a_list_of_a_variable_is_shown_as_a_list() {
    let text = "app: { name: shop }\ntenancy: { ensure: [\"${A:-acme}\"] }\n";
    assert!(read(text, &[]).unwrap().to_yaml().unwrap().contains("- acme"));
    let shown = read(text, &[("XCORE__TENANCY__ENSURE", "one,two")]).unwrap().to_yaml().unwrap();
    assert!(shown.contains("- one") && shown.contains("- two"), "{shown}");
}
