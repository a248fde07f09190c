//! Programs that are killed at any moment, told to stop, and started again.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use xcore_tests::{Program, Server, eventually, wire};

fn rig() -> Program {
    Program::new(env!("CARGO_BIN_EXE_rig"), concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml"))
}

/// A request that waits in the action, and the connection that its answer comes over.
fn in_flight(server: &Server, millis: u64) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let path = format!("/v1/echo/wait/{millis}");
    stream.write_all(&wire::request("GET", &path, &[("X-Tenant-ID", b"acme")], "")).unwrap();
    eventually(|| {
        let waiting = wire::get(server.address, "acme", "/v1/echo/waiting").unwrap();
        (waiting.json() != json!(0)).then_some(())
    });
    stream
}

#[test]
fn at_sigterm_requests_in_flight_end_and_stop_hooks_run() {
    let rig = rig();
    let log = rig.folder().join("hooks");
    let rig = rig.set("plugins.desk.config.hook_log", log.to_str().unwrap());
    let server = rig.serve();
    assert!(fs::read_to_string(&log).unwrap().ends_with("start\n"));
    let address = server.address;
    let waiting = in_flight(&server, 2_000);
    // A connection that is open and idle holds nobody up.
    let idle = TcpStream::connect(address).unwrap();
    server.terminate();
    eventually(|| TcpStream::connect(address).is_err().then_some(()));
    let hooks = fs::read_to_string(&log).unwrap();
    assert!(!hooks.contains("stop"), "stopped before the last request ended: {hooks}");
    let reply = wire::finish(waiting).unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (200, "waited"));
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    drop(idle);
    let hooks = fs::read_to_string(&log).unwrap();
    assert!(hooks.ends_with("stop\n") && hooks.matches("stop").count() == 1, "{hooks}");
    for tenant in ["created public", "created acme", "created globex"] {
        assert!(hooks.find(tenant).unwrap() < hooks.find("start").unwrap(), "{hooks}");
    }
}

#[test]
fn requests_that_outlast_the_grace_time_are_left() {
    let rig = rig().set("app.shutdown_grace", "300ms");
    let server = rig.serve();
    let waiting = in_flight(&server, 19_000);
    let begun = Instant::now();
    server.terminate();
    let (status, said) = server.wait();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(wire::finish(waiting).is_err());
}

#[test]
fn a_signal_during_the_start_is_obeyed() {
    let rig = rig();
    for step in 0..6 {
        let mut child = rig.command(["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A fault, not a wait: anywhere between the start of the process and its first request.
        thread::sleep(Duration::from_millis(15 * step));
        let kill = format!("kill -TERM {}", child.id());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let status = eventually(|| child.try_wait().unwrap());
        // Before the handler is in place, the signal ends the process as it would end any.
        assert!(status.code().is_none_or(|code| code == 0), "{status}");
    }
    rig.serve().stop();
}

/// Runs a command and kills it after `delay`; whether it was done before.
fn killed_after(rig: &Program, arguments: &[&str], delay: Duration) -> bool {
    let mut child = rig.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The fault itself: a kill at a moment that nobody chose.
    thread::sleep(delay);
    let _ = child.kill();
    child.wait().unwrap().success()
}

/// What the directory says is what there is on the disk, and every tenant can be worked in.
#[track_caller]
fn is_whole(rig: &Program) -> BTreeSet<String> {
    let server = rig.serve();
    let mut known = rig.tenants_in_directory();
    assert!(known.remove("public"), "it has the shared file");
    assert_eq!(known, rig.tenants_on_disk());
    for tenant in &known {
        let text = format!("{:?}", Instant::now());
        let written = wire::post(server.address, tenant, "/v1/notes", &json!({ "text": text })).unwrap();
        assert_eq!(written.status, 201, "{tenant}: {}", written.body);
    }
    server.stop();
    assert!(rig.succeed(&["check"]).contains("all is well"));
    known
}

#[test]
fn a_tenant_whose_creation_or_deletion_is_killed_is_whole_or_gone_after_the_next_start() {
    const MOMENTS: u32 = 24;
    let rig = rig();
    rig.serve().stop();
    let begun = Instant::now();
    rig.succeed(&["tenant", "create", "warm"]);
    let whole = begun.elapsed();

    let mut created = BTreeSet::new();
    for moment in 0..MOMENTS {
        let name = format!("k{moment}");
        if killed_after(&rig, &["tenant", "create", &name], whole * moment / MOMENTS) {
            created.insert(name);
        }
        if moment % 8 == 7 {
            let known = is_whole(&rig);
            assert!(created.is_subset(&known), "{created:?} were acknowledged, {known:?} are there");
        }
    }
    let known = is_whole(&rig);
    let missing: Vec<String> =
        (0..MOMENTS).map(|moment| format!("k{moment}")).filter(|name| !known.contains(name)).collect();
    for name in &missing {
        rig.succeed(&["tenant", "create", name]);
    }

    let mut deleted = BTreeSet::new();
    for moment in 0..MOMENTS {
        let name = format!("k{moment}");
        if killed_after(&rig, &["tenant", "purge", &name, "--yes"], whole * moment / MOMENTS) {
            deleted.insert(name);
        }
    }
    // The start that finishes it all is killed as well.
    for moment in 0..4 {
        killed_after(&rig, &["serve"], whole * moment / 4);
    }
    let known = is_whole(&rig);
    assert!(deleted.is_disjoint(&known), "{deleted:?} were acknowledged, {known:?} are there");
}

#[test]
fn a_tenant_that_a_killed_command_left_behind_does_not_hold_up_a_server() {
    let rig = rig();
    let server = rig.serve();
    for moment in 0..6 {
        let name = format!("half{moment}");
        killed_after(&rig, &["tenant", "create", &name], Duration::from_millis(12 * moment));
        let acme = wire::post(server.address, "acme", "/v1/notes", &json!({ "text": name })).unwrap();
        assert_eq!(acme.status, 201);
        let half = wire::get(server.address, &name, "/v1/notes").unwrap().status;
        assert!([200, 404].contains(&half), "{half}");
    }
    rig.succeed(&["tenant", "create", "whole"]);
    server.kill();
    assert!(is_whole(&rig).contains("whole"));
}

#[test]
fn one_tenant_created_and_deleted_by_many_processes_at_once_is_whole_or_gone() {
    let rig = rig();
    rig.serve().stop();
    for round in 0..4 {
        let name = format!("race{round}");
        let spawn = |arguments: &[&str]| {
            rig.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let children = [
            spawn(&["tenant", "create", &name]),
            spawn(&["tenant", "purge", &name, "--yes"]),
            spawn(&["tenant", "create", &name]),
            spawn(&["tenant", "purge", &name, "--yes"]),
        ];
        for mut child in children {
            // Done, not there, or there already.
            let status = child.wait().unwrap();
            assert!(matches!(status.code(), Some(0 | 4 | 5)), "{status}");
        }
    }
    is_whole(&rig);
}

#[test]
fn a_server_that_is_killed_leaves_its_tenants_their_rows() {
    let rig = rig();
    let mut written = 0;
    for round in 0..3 {
        let server = rig.serve();
        let listed = wire::get(server.address, "acme", "/v1/notes").unwrap().json();
        assert_eq!(listed.as_array().map(Vec::len), Some(written), "round {round}");
        for number in 0..5 {
            let text = format!("{round} {number}");
            let reply = wire::post(server.address, "acme", "/v1/notes", &json!({ "text": text })).unwrap();
            assert_eq!(reply.status, 201);
            written += 1;
        }
        server.kill();
    }
}

#[test]
fn jobs_that_are_stored_outlast_a_kill_and_others_do_not() {
    let told = tempfile::tempdir().unwrap();
    fs::write(told.path().join("created.initech"), "add a job").unwrap();
    for (backend, is_there) in [("database", true), ("memory", false)] {
        let rig = rig().set("services.scheduler.backend", backend);
        let rig = rig.set("plugins.probe.config.folder", told.path().to_str().unwrap());
        rig.serve().kill();
        rig.succeed(&["tenant", "create", "initech"]);
        for round in 0..3 {
            let server = rig.serve();
            let jobs = wire::get(server.address, "initech", "/v1/notes/jobs").unwrap().json();
            let jobs: Vec<&str> = jobs.as_array().unwrap().iter().filter_map(|id| id.as_str()).collect();
            assert_eq!(jobs.contains(&"welcome"), is_there, "{backend}, {round}: {jobs:?}");
            assert!(jobs.contains(&"notes.sweep"), "{jobs:?}");
            server.kill();
        }
    }
}

#[test]
fn a_tenant_whose_file_is_lost_is_refused_and_never_served_from_another() {
    let rig = rig();
    rig.serve().stop();
    let tenants = rig.folder().join("data/tenants");
    fs::remove_file(tenants.join("acme.db")).unwrap();
    // A server that stopped in order has left no log of it.
    assert!(!tenants.join("acme.db-wal").exists() && !tenants.join("acme.db-shm").exists());
    let server = rig.serve();
    let refused = wire::get(server.address, "acme", "/v1/notes").unwrap();
    assert!(refused.status >= 500, "{refused:?}");
    assert!(!refused.body.contains("acme.db"), "{refused:?}");
    assert_eq!(wire::get(server.address, "globex", "/v1/notes").unwrap().status, 200);
    assert!(!rig.tenants_on_disk().contains("acme"), "an empty file was made in its place");
    server.stop();
    assert_eq!(rig.run(&["check"]).status.code(), Some(6));
}
