//! The program killed at every step of a tenant's life: the next start finishes what was begun, or undoes it.
//!
//! The steps are a list in xcore (`faults.rs`); each operation has a scenario here that must come to all of its steps.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
#[cfg(feature = "postgres")]
use xcore_tests::PostgresServer;
use xcore_tests::{Program, Victim, wire};

fn rig() -> Program {
    Program::new(env!("CARGO_BIN_EXE_rig"), concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml"))
}

/// The program without tenants of its own, in files or on a server.
async fn victim(backend: &str) -> Victim {
    let program = rig();
    let file = program.folder().join("xcore.yaml");
    let yaml = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, yaml.replace("ensure: [acme, globex]", "ensure: []")).unwrap();
    match backend {
        "sqlite" => Victim::on_sqlite(program),
        #[cfg(feature = "postgres")]
        "postgres" => Victim::on_postgres(program, PostgresServer::get().url().await),
        other => panic!("{other}"),
    }
}

/// The steps of an operation that the backend has.
fn points(victim: &Victim, operation: &str) -> Vec<&'static str> {
    let of = |point: &&str| point.split('.').next() == Some(operation) && victim.has(point);
    let points: Vec<_> = xcore::testing::fault_points().filter(of).collect();
    assert!(!points.is_empty(), "{operation}");
    points
}

/// The name of the tenant that a program is killed over at this step.
fn name_of(point: &str) -> String {
    point.replace(['.', '_'], "-")
}

/// Starts the program, sees that each tenant of the directory is active and serves, and that nothing is orphaned. Gives their names.
async fn whole(victim: &Victim, after: &str) -> BTreeSet<String> {
    let server = victim.program.serve();
    let deadline = Instant::now() + Duration::from_secs(30);
    let states = loop {
        let states = victim.directory().await;
        if states.values().all(|state| ["active", "suspended", "soft-deleted"].contains(&state.as_str())) {
            break states;
        }
        assert!(Instant::now() < deadline, "{after}: neither finished nor undone: {states:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for (tenant, state) in &states {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        // No two notes are equal.
        let text = format!("{after} {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let written = wire::post(server.address, tenant, "/v1/notes", &json!({ "text": text })).unwrap();
        let expected = match state.as_str() {
            "active" => 201,
            "suspended" => 403,
            _ => 404,
        };
        assert_eq!(written.status, expected, "{after}: {tenant} is {state}: {}", written.body);
    }
    server.stop();
    let orphans = victim.orphans().await;
    assert!(orphans.is_empty(), "{after}: {orphans:?}");
    let checked = victim.program.succeed(&["check"]);
    assert!(checked.contains("all is well"), "{after}: {checked}");
    states.into_keys().collect()
}

/// Killed at each step of a creation: finished by the next start, however often that is killed as well, or rolled back.
async fn creation(backend: &str) {
    // Only the first tenant of an app is made by its migrations, so those steps want an app of their own.
    let by_migrations = ["create.provisioned", "create.migration_applied", "create.migrated"];
    let warm = victim(backend).await;
    warm.program.succeed(&["tenant", "create", "warm1", "warm2", "warm3"]);
    for point in points(&warm, "create") {
        let (name, undone) = (name_of(point), format!("{}-undone", name_of(point)));
        let cold;
        let victim = if by_migrations.contains(&point) {
            cold = victim(backend).await;
            &cold
        } else {
            &warm
        };
        victim.dies_at(point, &["tenant", "create", &name]);
        victim.dies_at(point, &["tenant", "create", &undone]);
        // At once, also where the creation had come to its end.
        victim.program.succeed(&["tenant", "delete", &undone, "--now", "--yes"]);
        victim.start_until(point);
        let there = whole(victim, point).await;
        assert!(there.contains(&name) && !there.contains(&undone), "{point}: {there:?}");
    }
}

/// Killed at each step of a deletion: finished by the next start, however often that is killed as well.
async fn final_deletion(backend: &str) {
    let victim = victim(backend).await;
    victim.program.succeed(&["tenant", "create", "stays"]);
    for point in points(&victim, "purge") {
        let name = name_of(point);
        victim.program.succeed(&["tenant", "create", &name]);
        if point == "purge.postgres.part_dropped" {
            victim.fill(&name).await;
        }
        victim.program.succeed(&["tenant", "key", "create", &name]);
        victim.program.succeed(&["tenant", "domain", "add", &name, &format!("{name}.test")]);
        victim.dies_at(point, &["tenant", "purge", &name, "--yes"]);
        victim.start_until(point);
        let there = whole(&victim, point).await;
        assert_eq!(there, ["public", "stays"].map(str::to_owned).into(), "{point}");
    }
}

/// The state of a tenant.
async fn state_of(victim: &Victim, name: &str) -> String {
    victim.directory().await.remove(name).unwrap_or_default()
}

/// Killed at each step of a deletion that can be taken back: it is deleted, and can be restored with all that it had.
async fn soft_deletion(backend: &str) {
    let victim = victim(backend).await;
    for point in points(&victim, "delete") {
        let name = name_of(point);
        victim.program.succeed(&["tenant", "create", &name]);
        victim.program.succeed(&["tenant", "domain", "add", &name, &format!("{name}.test")]);
        victim.program.succeed(&["tenant", "suspend", &name, "--reason", "unpaid"]);
        victim.dies_at(point, &["tenant", "delete", &name, "--yes"]);
        assert_eq!(state_of(&victim, &name).await, "soft-deleted", "{point}");
        victim.start_until(point);
        assert!(whole(&victim, point).await.contains(&name), "{point}");
        assert_eq!(state_of(&victim, &name).await, "soft-deleted", "{point}");
        // Again: it changes nothing.
        victim.program.succeed(&["tenant", "delete", &name, "--yes"]);
        victim.program.succeed(&["tenant", "restore", &name]);
        assert_eq!(state_of(&victim, &name).await, "suspended", "{point}");
        assert!(victim.program.succeed(&["tenant", "domain", "list", &name]).contains(&name), "{point}");
        whole(&victim, point).await;
    }
}

/// Killed at each step of a restoration: it is restored, or it still can be.
async fn restoration(backend: &str) {
    let victim = victim(backend).await;
    for point in points(&victim, "restore") {
        let name = name_of(point);
        victim.program.succeed(&["tenant", "create", &name]);
        victim.program.succeed(&["tenant", "delete", &name, "--yes"]);
        victim.dies_at(point, &["tenant", "restore", &name]);
        victim.start_until(point);
        assert!(whole(&victim, point).await.contains(&name), "{point}");
        if state_of(&victim, &name).await == "soft-deleted" {
            assert!(["restore.claimed", "restore.migrated"].contains(&point), "{point} comes after it");
            victim.program.succeed(&["tenant", "restore", &name]);
        }
        whole(&victim, point).await;
        assert_eq!(state_of(&victim, &name).await, "active", "{point}");
    }
}

/// The time of a deleted tenant is over, and the start that drops it is killed at each step of that.
async fn late_deletion(backend: &str) {
    let mut victim = victim(backend).await;
    victim.program = victim.program.set("tenancy.delete_after", "1s");
    // On a server each takes its seconds, and the steps are those of who purges a tenant.
    let some = ["purge.noted", "purge.claimed", "purge.postgres.part_dropped", "purge.data_dropped"];
    let points = points(&victim, "purge").into_iter();
    for point in points.filter(|point| backend != "postgres" || some.contains(point)) {
        let name = name_of(point);
        victim.program.succeed(&["tenant", "create", &name]);
        if point == "purge.postgres.part_dropped" {
            victim.fill(&name).await;
        }
        victim.program.succeed(&["tenant", "delete", &name, "--yes"]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        victim.start_until(point);
        let there = whole(&victim, point).await;
        assert!(!there.contains(&name), "{point}: {there:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_deletion_or_a_restoration_that_is_killed_at_any_step_is_finished_or_can_be_in_files() {
    soft_deletion("sqlite").await;
    restoration("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_deletion_or_a_restoration_that_is_killed_at_any_step_is_finished_or_can_be_on_a_server() {
    soft_deletion("postgres").await;
    restoration("postgres").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_killed_while_it_drops_what_is_overdue_is_followed_by_one_that_does_in_files() {
    late_deletion("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_killed_while_it_drops_what_is_overdue_is_followed_by_one_that_does_on_a_server() {
    late_deletion("postgres").await;
}

/// What a tenant has written, as the command line tells it.
fn notes_of(victim: &Victim, tenant: &str) -> String {
    victim.program.succeed(&["call", "notes", "list", "--tenant", tenant])
}

fn write(victim: &Victim, tenant: &str, text: &str) {
    let note = json!({ "text": text }).to_string();
    victim.program.succeed(&["call", "notes", "write", &note, "--tenant", tenant]);
}

/// Killed at each step of a renaming: finished by the next start, or undone, however often that is killed as well.
async fn renaming(backend: &str) {
    let victim = victim(backend).await;
    victim.program.succeed(&["tenant", "create", "stays"]);
    write(&victim, "stays", "of stays");
    for point in points(&victim, "rename") {
        let (old, new) = (format!("{}-old", name_of(point)), format!("{}-new", name_of(point)));
        let is_refused = ["rename.refused", "rename.undone"].contains(&point);
        victim.program.succeed(&["tenant", "create", &old]);
        let mark = format!("mark of {point}.");
        write(&victim, &old, &mark);
        victim.program.succeed(&["tenant", "key", "create", &old]);
        victim.program.succeed(&["tenant", "domain", "add", &old, &format!("{old}.test")]);
        if is_refused {
            victim.obstruct(&old, &new).await;
        }
        victim.dies_at(point, &["tenant", "rename", &old, &new]);
        victim.start_until(point);
        if is_refused {
            // What it cannot finish it undoes.
            victim.program.serve().stop();
            victim.clear(&old, &new).await;
        }
        let there = whole(&victim, point).await;
        let (has, has_not) = if is_refused { (&old, &new) } else { (&new, &old) };
        assert!(there.contains(has) && !there.contains(has_not), "{point}: {there:?}");
        let notes = notes_of(&victim, has);
        assert_eq!((notes.matches("mark of ").count(), notes.contains(&mark)), (1, true), "{point}: {notes}");
        let others = notes_of(&victim, "stays");
        assert!(others.contains("of stays") && !others.contains("mark of "), "{point}: {others}");
        // On a server each command takes its time, and that nothing of it is nobody's was seen above.
        if backend == "sqlite" {
            assert!(victim.program.succeed(&["tenant", "domain", "list", has]).contains(&old), "{point}");
            let keys = victim.program.succeed(&["tenant", "key", "list", has]);
            assert_eq!(keys.trim().lines().count(), 1, "{point}: {keys}");
            // The other name is nobody's.
            victim.program.succeed(&["tenant", "create", has_not]);
            let notes = notes_of(&victim, has_not);
            assert!(!notes.contains("mark of "), "{point}: {notes}");
        }
    }
    whole(&victim, "all renamings").await;
}

/// Killed at each step in which a tenant is made of a spare one: finished by the next start, or rolled back, and no spare is lost or
/// anybody's twice.
async fn spares(backend: &str) {
    let mut victim = victim(backend).await;
    victim.program = victim.program.set("tenancy.spare_tenants", "2");
    for point in points(&victim, "spare") {
        let server = victim.program.serve();
        let are_ready = || {
            let said = victim.program.run(&["check"]).stdout;
            String::from_utf8_lossy(&said).contains("2 spare tenants ready").then_some(())
        };
        xcore_tests::eventually(are_ready);
        server.stop();
        let (name, undone) = (name_of(point), format!("{}-undone", name_of(point)));
        victim.dies_at(point, &["tenant", "create", &name]);
        victim.dies_at(point, &["tenant", "create", &undone]);
        victim.program.succeed(&["tenant", "delete", &undone, "--now", "--yes"]);
        victim.start_until(point);
        let there = whole(&victim, point).await;
        assert!(there.contains(&name) && !there.contains(&undone), "{point}: {there:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renaming_that_is_killed_at_any_step_leaves_the_tenant_one_name_and_all_of_its_rows_in_files() {
    renaming("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renaming_that_is_killed_at_any_step_leaves_the_tenant_one_name_and_all_of_its_rows_on_a_server() {
    renaming("postgres").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_from_a_spare_that_is_killed_at_any_step_is_finished_or_undone_in_files() {
    spares("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_from_a_spare_that_is_killed_at_any_step_is_finished_or_undone_on_a_server() {
    spares("postgres").await;
}

/// How long the chaos goes on.
#[cfg(feature = "postgres")]
fn chaos_seconds() -> u64 {
    std::env::var("XCORE_CHAOS_SECONDS").map_or(10, |seconds| seconds.parse().unwrap())
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_create_delete_and_restore_the_same_names_leave_them_whole_or_gone() {
    let victim = victim("postgres").await;
    victim.program.serve().stop();
    let seconds = chaos_seconds();
    let begun = Instant::now();
    let chaos = ["1", "2"].map(|seed| victim.chaos(seed, seconds));
    let mut looked = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        victim.check_directory().await;
        looked += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for process in chaos {
        // No operation hangs: each of them has its limit in the process, which says so.
        let output = tokio::task::spawn_blocking(|| process.wait_with_output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        println!("{}", said.lines().last().unwrap_or_default());
    }
    println!("looked at {looked} times in {seconds} s");
    whole(&victim, "chaos").await;
}

#[test]
fn every_step_is_one_of_an_operation_that_is_killed_here() {
    for point in xcore::testing::fault_points() {
        let operation = point.split('.').next().unwrap();
        assert!(
            ["create", "spare", "rename", "delete", "restore", "purge", "outbox"].contains(&operation),
            "nobody is killed at {point}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_is_killed_at_any_step_is_finished_or_undone_in_files() {
    creation("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_is_killed_at_any_step_is_finished_or_undone_on_a_server() {
    creation("postgres").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_is_killed_at_any_step_is_finished_in_files() {
    final_deletion("sqlite").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_is_killed_at_any_step_is_finished_on_a_server() {
    final_deletion("postgres").await;
}
