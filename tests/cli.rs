//! The command line: what it prints, its exit codes, and what it does to a server that runs beside.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xcore_tests::{Program, eventually, wire};

fn rig() -> Program {
    Program::new(env!("CARGO_BIN_EXE_rig"), concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml"))
}

/// Runs a command that must end with this code; what it said on both streams.
#[track_caller]
fn ends_with(rig: &Program, code: i32, arguments: &[&str]) -> String {
    let output = rig.run(arguments);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked at xcore"), "{arguments:?}: {said}");
    said
}

#[test]
fn exit_codes_tell_a_script_what_happened() {
    let rig = rig();
    ends_with(&rig, 6, &["check"]);
    ends_with(&rig, 0, &["tenant", "create", "first", "second"]);
    #[rustfmt::skip]
    let table: &[(i32, &[&str], &str)] = &[
        // Not understood.
        (2, &["serv"], "serve"),
        (2, &["--nothing"], "--nothing"),
        (2, &["tenant"], "create"),
        (2, &["tenant", "create"], "NAME"),
        (2, &["tenant", "create", "../x"], "../x"),
        (2, &["tenant", "create", "good", "Not good"], "Not good"),
        (2, &["tenant", "create", "xcore"], "reserved"),
        (2, &["tenant", "delete", "first"], "--yes"),
        (2, &["call", "echo", "whose", "{"], "JSON"),
        (2, &["call", "echo", "whose", "--tenant", "a:b"], "a:b"),
        // Not there, or there already.
        (4, &["tenant", "delete", "nobody", "--yes"], "nobody"),
        (4, &["tenant", "purge", "nobody", "--yes"], "nobody"),
        (4, &["tenant", "restore", "nobody"], "nobody"),
        (1, &["tenant", "restore", "first"], "nothing to restore"),
        (2, &["tenant", "purge", "first"], "--yes"),
        (4, &["call", "nobody", "whose"], "nobody"),
        (4, &["call", "echo", "nothing"], "nothing"),
        (4, &["call", "echo", "whose", "--tenant", "nobody"], "tenant"),
        (4, &["migrate", "--tenant", "nobody"], "nobody"),
        (5, &["tenant", "create", "first"], "first"),
        (4, &["tenant", "show", "nobody"], "nobody"),
        (4, &["tenant", "suspend", "nobody"], "nobody"),
        (2, &["tenant", "set", "first", "plan"], "KEY=VALUE"),
        (2, &["tenant", "set", "first", "settings.=1"], "KEY=VALUE"),
        (1, &["tenant", "resume", "first"], "active already"),
        // Wrong configuration.
        (3, &["--config", "nothing.yaml", "check"], "nothing.yaml"),
        (3, &["--env", "nothing", "check"], "nothing"),
        // Failed.
        (1, &["call", "echo", "fail", r#"{"how":"conflict"}"#, "--tenant", "first"], "paid already"),
        (1, &["call", "echo", "panic", "--tenant", "first"], "500"),
        // Done.
        (0, &["--help"], "tenant"),
        (0, &["tenant", "create", "--help"], "NAME"),
        (0, &["routes"], "/v1/notes/{id}"),
        (0, &["routes"], "central  GET       /v1/board "),
        // Actions that need no tenant: the default one does not stand in.
        (0, &["call", "board", "list"], "[]"),
        (0, &["call", "board", "whose"], "\"tenant\": null"),
        (0, &["call", "board", "whose", "--tenant", "first"], "\"tenant\": \"first\""),
        (1, &["call", "board", "list", "--tenant", "first"], "belongs to no tenant"),
        (0, &["tenant", "list"], "second"),
        (0, &["call", "echo", "whose", "--tenant", "FIRST"], "first"),
        (0, &["migrate"], "up to date"),
        (0, &["migrate", "--dry-run"], "nothing to apply"),
        (0, &["check"], "GRANTED central"),
    ];
    for (code, arguments, word) in table {
        let said = ends_with(&rig, *code, arguments);
        assert!(said.contains(word), "{arguments:?} says nothing of {word:?}: {said}");
    }
    assert_eq!(rig.tenants_on_disk(), ["first", "second"].map(str::to_owned).into());
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place_and_touches_nothing() {
    let wrong = rig().set("tenancy.defautl_tenant", "acme");
    let said = ends_with(&wrong, 3, &["serve"]);
    assert!(said.contains("DEFAUTL_TENANT") && said.contains("DEFAULT_TENANT"), "{said}");
    let file = wrong.folder().join("xcore.yaml");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("echo: {}", "ehco: {}")).unwrap();
    let said = ends_with(&rig_with(&file), 3, &["serve"]);
    assert!(said.contains("ehco") && said.contains("echo"), "{said}");
    assert!(!wrong.folder().join("data").exists());
}

fn rig_with(file: &std::path::Path) -> Program {
    Program::new(env!("CARGO_BIN_EXE_rig"), file.to_str().unwrap())
}

#[test]
fn what_programs_read_is_printed_whole() {
    let rig = rig();
    let schema: Value = serde_json::from_str(&rig.succeed(&["schema"])).unwrap();
    assert!(schema.to_string().contains("max_length"), "{schema}");
    // The default tenant when none is named.
    rig.succeed(&["tenant", "create", "public"]);
    let answer = rig.succeed(&["call", "echo", "hidden", r#"{"name":"x","size":1}"#]);
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), json!({ "tenant": "public", "name": "x" }));

    // A reader that goes away is no failure.
    let mut routes = rig.command(["routes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(routes.stdout.take());
    assert_eq!(routes.wait().unwrap().code(), Some(0));
}

#[test]
fn the_greeting_names_urls_that_work() {
    let rig = rig();
    let server = rig.serve();
    let greeting = &server.greeting;
    let tried: Vec<&str> = greeting.lines().filter(|line| line.trim_start().starts_with("curl")).collect();
    assert_eq!(tried.len(), 3, "{greeting}");
    for line in tried {
        let (name, value) = line.split('\'').nth(1).unwrap().split_once(": ").unwrap();
        let path = line.rsplit(&server.address.to_string()).next().unwrap();
        let request = wire::request("GET", path, &[(name, value.as_bytes())], "");
        let reply = wire::send(server.address, &request).unwrap();
        assert_eq!(reply.status, 200, "{line}: {reply:?}");
    }
}

#[test]
fn a_tenant_that_the_command_line_creates_or_deletes_comes_and_goes_while_a_server_runs() {
    let rig = rig();
    let server = rig.serve();
    let whose = || wire::get(server.address, "late", "/v1/echo").unwrap().status;
    assert_eq!(whose(), 404);
    rig.succeed(&["tenant", "create", "late"]);
    let begun = Instant::now();
    eventually(|| (whose() == 200).then_some(()));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let jobs = || wire::get(server.address, "late", "/v1/notes/jobs").unwrap().json();
    eventually(|| (jobs() == json!(["notes.sweep"])).then_some(()));
    let written = wire::post(server.address, "late", "/v1/notes", &json!({ "text": "mine" })).unwrap();
    assert_eq!(written.status, 201);

    rig.succeed(&["tenant", "delete", "late", "--now", "--yes"]);
    eventually(|| (whose() == 404).then_some(()));
    assert!(!rig.tenants_on_disk().contains("late"));
    rig.succeed(&["tenant", "create", "late"]);
    eventually(|| (whose() == 200).then_some(()));
    assert_eq!(wire::get(server.address, "late", "/v1/notes").unwrap().json(), json!([]));
    server.stop();
}

#[test]
fn a_tenant_that_the_command_line_deletes_can_be_restored_while_a_server_runs() {
    let rig = rig();
    let server = rig.serve();
    let whose = || wire::get(server.address, "acme", "/v1/echo").unwrap().status;
    assert_eq!(whose(), 200);
    let said = rig.succeed(&["tenant", "delete", "acme", "--yes"]);
    assert!(said.contains("`tenant restore acme` until 20"), "{said}");
    eventually(|| (whose() == 404).then_some(()));
    assert!(rig.tenants_on_disk().contains("acme"));
    let until = said.trim().rsplit(' ').next().unwrap();
    let listed = rig.succeed(&["tenant", "list"]);
    let words: Vec<&str> =
        listed.lines().find(|line| line.starts_with("acme")).unwrap().split_whitespace().collect();
    assert_eq!(words, ["acme", "soft-deleted", "-", "until", until]);
    let shown: Value = serde_json::from_str(&rig.succeed(&["tenant", "show", "acme"])).unwrap();
    assert_eq!((&shown["state"], &shown["delete_after"]), (&json!("soft-deleted"), &json!(until)));
    assert!(rig.succeed(&["check"]).contains("all is well"));
    let taken = ends_with(&rig, 5, &["tenant", "create", "acme"]);
    assert!(taken.contains("tenant restore acme") && taken.contains("tenant purge acme"), "{taken}");
    assert_eq!(rig.succeed(&["tenant", "restore", "acme"]), "acme is active\n");
    eventually(|| (whose() == 200).then_some(()));
    // What is purged is gone, whether it was deleted before or not.
    rig.succeed(&["tenant", "delete", "globex", "--yes"]);
    for tenant in ["acme", "globex"] {
        assert!(rig.succeed(&["tenant", "purge", tenant, "--yes"]).contains("for good"));
        assert!(!rig.tenants_on_disk().contains(tenant));
    }
    server.stop();
}

#[test]
fn a_tenant_that_the_command_line_suspends_is_refused_while_a_server_runs() {
    let rig = rig();
    let server = rig.serve();
    let get = || wire::get(server.address, "acme", "/v1/echo").unwrap();
    assert_eq!(get().status, 200);
    rig.succeed(&["tenant", "set", "acme", "plan=pro", "settings.lines=5", "region=eu", "account=007"]);
    rig.succeed(&["tenant", "suspend", "acme", "--reason", "unpaid since May"]);
    let begun = Instant::now();
    eventually(|| (get().status == 403).then_some(()));
    println!("the server saw the suspension after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(get().json()["reason"], "unpaid since May");
    let refused = ends_with(&rig, 1, &["call", "echo", "whose", "--tenant", "acme"]);
    assert!(refused.contains("suspended"), "{refused}");
    let listed = rig.succeed(&["tenant", "list"]);
    assert!(listed.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words == ["acme", "suspended", "pro", "unpaid", "since", "May"]
    }));
    assert!(listed.lines().any(|line| line.split_whitespace().eq(["globex", "active"])), "{listed}");
    let shown: Value = serde_json::from_str(&rig.succeed(&["tenant", "show", "acme"])).unwrap();
    let part = json!({ "plan": shown["plan"], "metadata": shown["metadata"], "settings": shown["settings"] });
    let set = json!({ "plan": "pro", "metadata": { "region": "eu", "account": "007" }, "settings": { "lines": 5 } });
    assert_eq!((part, &shown["state"]), (set, &json!("suspended")));
    assert!(shown["since"].as_str().unwrap().ends_with('Z'), "{shown}");
    // It is not forgotten by a start, and there is nothing to do about it.
    server.stop();
    let server = rig.serve();
    assert_eq!(wire::get(server.address, "acme", "/v1/echo").unwrap().status, 403);
    ends_with(&rig, 0, &["check"]);
    rig.succeed(&["tenant", "resume", "acme"]);
    eventually(|| (wire::get(server.address, "acme", "/v1/echo").unwrap().status == 200).then_some(()));
    rig.succeed(&["tenant", "set", "acme", "plan=", "region="]);
    let shown: Value = serde_json::from_str(&rig.succeed(&["tenant", "show", "acme"])).unwrap();
    assert_eq!((&shown["plan"], &shown["metadata"]), (&Value::Null, &json!({ "account": "007" })));
    assert_eq!(wire::get(server.address, "acme", "/v1/echo").unwrap().status, 200);
    server.stop();
}

#[test]
fn commands_beside_a_server_do_not_disturb_it() {
    let rig = rig();
    let server = rig.serve();
    for arguments in
        [&["check"][..], &["migrate"], &["tenant", "list"], &["call", "notes", "list", "--tenant", "acme"]]
    {
        rig.succeed(arguments);
        let written =
            wire::post(server.address, "acme", "/v1/notes", &json!({ "text": arguments.join(" ") }));
        assert_eq!(written.unwrap().status, 201);
    }
    server.stop();
    assert!(rig.succeed(&["check"]).contains("all is well"));
}

#[test]
fn a_second_server_on_one_data_folder_is_refused() {
    let rig = rig();
    let first = rig.serve();
    let said = ends_with(&rig, 1, &["serve"]);
    assert!(said.contains("another") && said.contains("data"), "{said}");
    assert_eq!(wire::get(first.address, "acme", "/v1/echo").unwrap().status, 200);
    first.kill();
    // The kernel freed the lock with the process.
    rig.serve().stop();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = ends_with(&rig().set("app.listen", &address), 1, &["serve"]);
    assert!(said.contains(&address), "{said}");
}
