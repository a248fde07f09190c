//! Imports that are killed at any moment.

use std::process::Stdio;
use std::thread;
use std::time::Instant;

use sea_orm::{ConnectionTrait, Database};
use xcore_tests::{Program, eventually};

use crate::stage::ask;

const ROWS: usize = 60_000;

pub(crate) fn rig() -> Program {
    Program::new(env!("CARGO_BIN_EXE_rig"), concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml"))
        .env("RIG_WIDE", "1")
}

async fn beside(rig: &Program, tenant: &str) -> sea_orm::DatabaseConnection {
    let file = rig.folder().join(format!("data/tenants/{tenant}.db"));
    Database::connect(format!("sqlite://{}", file.display())).await.unwrap()
}

async fn rows(rig: &Program, tenant: &str) -> String {
    ask(&beside(rig, tenant).await, "SELECT count(*) || ' ' || coalesce(sum(value), 0) FROM strict")
        .await
        .remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_is_whole_or_gone_after_the_next_start() {
    const MOMENTS: u32 = 12;
    let rig = rig();
    rig.succeed(&["tenant", "create", "acme"]);
    let fill = format!(
        "INSERT INTO strict WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS}) SELECT n, n * 7 FROM n"
    );
    beside(&rig, "acme").await.execute_unprepared(&fill).await.unwrap();
    let whole = rows(&rig, "acme").await;
    rig.succeed(&["tenant", "export", "acme", "--to", "acme.tar"]);
    let begun = Instant::now();
    rig.succeed(&["tenant", "import", "acme.tar", "--as", "warm"]);
    let takes = begun.elapsed();
    let mut cut_off = 0;
    for moment in 0..MOMENTS {
        let name = format!("t{moment}");
        let arguments = ["tenant", "import", "acme.tar", "--as", &name];
        let mut child = rig.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A fault, not a wait: anywhere in it.
        thread::sleep(takes * moment / (MOMENTS - 1));
        let _ = child.kill();
        child.wait().unwrap();
        let listed = rig.succeed(&["tenant", "list"]);
        cut_off += usize::from(listed.contains("importing"));
    }
    assert!(cut_off > 0, "no import was cut off: it takes {takes:?}");
    let server = rig.serve();
    let list = || Some(rig.succeed(&["tenant", "list"])).filter(|listed| !listed.contains("importing"));
    eventually(list);
    let mut known = rig.tenants_in_directory();
    known.remove("public");
    assert_eq!(known, rig.tenants_on_disk());
    for tenant in known.iter().filter(|tenant| !["acme", "globex"].contains(&tenant.as_str())) {
        assert_eq!(rows(&rig, tenant).await, whole, "{tenant} is served");
    }
    // The names are free again, also beside a server.
    let gone = (0..MOMENTS).map(|moment| format!("t{moment}")).find(|name| !known.contains(name)).unwrap();
    rig.succeed(&["tenant", "import", "acme.tar", "--as", &gone]);
    assert_eq!(rows(&rig, &gone).await, whole);
    server.stop();
    assert!(rig.succeed(&["check"]).contains("all is well"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_cut_off_is_undone_by_a_server_that_runs_and_can_be_deleted() {
    let rig = rig();
    rig.serve().stop();
    rig.succeed(&["tenant", "export", "acme", "--to", "acme.tar"]);
    let stuck = async |name: &str| {
        rig.succeed(&["tenant", "import", "acme.tar", "--as", name]);
        let directory = format!("sqlite://{}", rig.folder().join("data/directory.db").display());
        let directory = Database::connect(directory).await.unwrap();
        // As a kill leaves it.
        let text = format!(
            "UPDATE xcore_tenants SET state = 'importing' WHERE id = '{name}'; UPDATE xcore_directory SET revision = revision + 1"
        );
        directory.execute_unprepared(&text).await.unwrap();
    };
    let log = rig.folder().join("hooks");
    let rig_with_log = || rig.command(["tenant", "delete", "first", "--yes"]);
    stuck("first").await;
    assert!(rig.succeed(&["tenant", "list"]).contains("importing"));
    assert_eq!(rig.run(&["tenant", "export", "first", "--to", "first.tar"]).status.code(), Some(1));
    let deleted = rig_with_log().env("XCORE__PLUGINS__DESK__CONFIG__HOOK_LOG", &log).output().unwrap();
    assert!(deleted.status.success(), "{deleted:?}");
    // It could have ended what belongs to the one that was copied.
    assert!(!std::fs::read_to_string(&log).unwrap_or_default().contains("deleted first"));
    stuck("second").await;
    // Nobody works on it, so another try takes its place.
    rig.succeed(&["tenant", "import", "acme.tar", "--as", "second"]);
    stuck("third").await;
    let server = rig.serve();
    stuck("fourth").await;
    eventually(|| (!rig.succeed(&["tenant", "list"]).contains("importing")).then_some(()));
    let left: Vec<String> = rig.tenants_on_disk().into_iter().collect();
    assert_eq!(left, ["acme", "globex", "second"]);
    server.stop();
}
