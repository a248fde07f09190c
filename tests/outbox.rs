//! Work that is put in line within transactions, over processes that are killed.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use serde_json::{Value, json};
#[cfg(feature = "postgres")]
use xcore_tests::PostgresServer;
use xcore_tests::{Program, Server, Victim, eventually, wire};

fn program() -> Program {
    let yaml = concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml");
    Program::new(env!("CARGO_BIN_EXE_rig"), yaml).set("services.scheduler.backend", "database")
}

async fn victim(backend: &str) -> Victim {
    match backend {
        "sqlite" => Victim::on_sqlite(program()),
        #[cfg(feature = "postgres")]
        "postgres" => Victim::on_postgres(program(), PostgresServer::get().url().await),
        other => panic!("{other}"),
    }
}

fn later(server: &Server, tenant: &str, how: &str, text: &str) -> Option<u16> {
    let path = format!("/v1/notes/later/{how}");
    wire::post(server.address, tenant, &path, &json!({ "text": text })).ok().map(|reply| reply.status)
}

fn notes(server: &Server, tenant: &str) -> Vec<String> {
    let reply = wire::get(server.address, tenant, "/v1/notes").unwrap();
    let all = reply.json();
    let text = |note: &Value| note["text"].as_str().unwrap().to_owned();
    all.as_array().unwrap_or_else(|| panic!("{reply:?}")).iter().map(text).collect()
}

fn wait_for(server: &Server, tenant: &str, text: &str) {
    eventually(|| notes(server, tenant).contains(&text.to_owned()).then_some(()));
}

/// Long enough for an outbox to be looked at again, and for what came of it to run.
fn settle() {
    std::thread::sleep(Duration::from_millis(3_500));
}

async fn killed_after_the_commit(backend: &str) {
    let victim = victim(backend).await;
    let server = victim.program.serve();
    assert_eq!(later(&server, "acme", "rollback", "undone"), Some(202));
    assert_eq!(later(&server, "acme", "savepoint", "first"), Some(202));
    wait_for(&server, "acme", "acme after first 1");
    assert_eq!(later(&server, "globex", "commit", "other"), Some(202));
    wait_for(&server, "globex", "globex after other 1");
    assert_eq!(later(&server, "acme", "die", "second"), None, "it dies before it answers");
    server.wait();

    let server = victim.program.serve();
    wait_for(&server, "acme", "acme after second 3");
    settle();
    let mut found = notes(&server, "acme");
    found.sort();
    assert_eq!(found, ["acme after first 1", "acme after second 3", "first", "second"]);
    assert_eq!(notes(&server, "globex"), ["other", "globex after other 1"]);
    server.stop();
    // What waits is no part of a tenant's schema, and nothing of it travels.
    let said = victim.program.succeed(&["check"]);
    assert!(!said.contains("outbox"), "{said}");
}

async fn killed_while_it_is_brought(backend: &str) {
    let victim = victim(backend).await;
    let server = victim.serve_until("outbox.brought").unwrap();
    // Whether it is answered is up to which of the two comes first.
    later(&server, "acme", "commit", "once");
    let (status, said) = server.wait();
    assert!(!status.success(), "{said}");
    let server = victim.program.serve();
    wait_for(&server, "acme", "acme after once 1");
    settle();
    assert_eq!(notes(&server, "acme"), ["once", "acme after once 1"]);
    server.stop();
}

async fn dead_letters(backend: &str) {
    let victim = victim(backend).await;
    let server = victim.program.serve();
    let letters = |tenant: &str| {
        wire::get(server.address, tenant, "/v1/notes/letters").unwrap().json().as_array().unwrap().clone()
    };
    let text = json!({ "text": "soup" });
    let asked = wire::post(server.address, "acme", "/v1/notes/spoil", &text).unwrap();
    assert_eq!(asked.status, 202, "{asked:?}");
    eventually(|| (letters("acme").len() == 1).then_some(()));
    assert_eq!(notes(&server, "acme"), ["acme tried soup 0", "acme tried soup 1"]);
    let letter = &letters("acme")[0];
    assert!(letter[1].as_str().unwrap().contains("spoiled: soup"), "{letter}");
    let answer = |tenant: &str, what: &str| {
        let path = format!("/v1/notes/letters/{what}");
        wire::post(server.address, tenant, &path, &json!({ "text": letter[0] })).unwrap().json()
    };
    assert_eq!(letters("globex").len(), 0);
    assert_eq!((answer("globex", "retry"), answer("globex", "discard")), (json!(false), json!(false)));
    assert_eq!(answer("acme", "retry"), json!(true));
    eventually(|| (notes(&server, "acme").len() == 4 && letters("acme").len() == 1).then_some(()));
    assert_eq!((answer("acme", "discard"), answer("acme", "discard")), (json!(true), json!(false)));
    assert_eq!(letters("acme").len() + notes(&server, "globex").len(), 0);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_a_process_that_is_killed_after_the_commit_runs_in_files() {
    killed_after_the_commit("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_a_process_that_is_killed_after_the_commit_runs_on_a_server() {
    killed_after_the_commit("postgres").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_was_brought_by_a_process_that_is_killed_then_runs_once_in_files() {
    killed_while_it_is_brought("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_was_brought_by_a_process_that_is_killed_then_runs_once_on_a_server() {
    killed_while_it_is_brought("postgres").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_for_good_is_a_letter_of_its_tenant_in_files() {
    dead_letters("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_for_good_is_a_letter_of_its_tenant_on_a_server() {
    dead_letters("postgres").await;
}
