//! The command line, and programs of other versions.

use xcore_tests::{PostgresServer, Program, wire};

use crate::killed::rig;

/// What the program says on both streams when it ends with this code.
#[track_caller]
fn says(rig: &Program, code: i32, arguments: &[&str]) -> String {
    let output = rig.run(arguments);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

#[test]
fn the_command_line_says_what_was_done_and_why_not() {
    let rig = rig();
    let server = rig.serve();
    for text in ["one", "two"] {
        wire::post(server.address, "acme", "/v1/notes", &serde_json::json!({ "text": text })).unwrap();
    }
    let said = says(&rig, 0, &["tenant", "export", "acme", "--to", "acme.tar"]);
    // Two notes, and the row that a migration writes.
    assert!(said.contains("exported acme to acme.tar: 3 rows of "), "{said}");
    assert!(says(&rig, 5, &["tenant", "export", "acme", "--to", "acme.tar"]).contains("there is a file"));
    assert!(
        says(&rig, 1, &["tenant", "export", "acme", "--to", "nowhere/acme.tar"]).contains("cannot write")
    );
    says(&rig, 4, &["tenant", "export", "nobody", "--to", "nobody.tar"]);
    says(&rig, 2, &["tenant", "export", "acme"]);
    assert!(says(&rig, 5, &["tenant", "import", "acme.tar"]).contains("`acme` exists already"));
    says(&rig, 2, &["tenant", "import", "acme.tar", "--as", "../x"]);
    assert!(
        says(&rig, 2, &["tenant", "import", "acme.tar", "--as", "x", "--server", "eu"])
            .contains("no server `eu`")
    );
    assert!(says(&rig, 1, &["tenant", "import", "xcore.yaml", "--as", "x"]).contains("is no archive"));
    assert!(
        says(&rig, 0, &["tenant", "import", "acme.tar", "--as", "copied"])
            .contains("imported copied: 3 rows of ")
    );
    assert!(says(&rig, 0, &["tenant", "clone", "acme", "twin"]).contains("cloned acme to twin: 3 rows of "));
    says(&rig, 5, &["tenant", "clone", "acme", "globex"]);
    says(&rig, 4, &["tenant", "clone", "nobody", "more"]);
    let notes = wire::get(server.address, "acme", "/v1/notes").unwrap().body;
    for tenant in ["copied", "twin"] {
        assert_eq!(wire::get(server.address, tenant, "/v1/notes").unwrap().body, notes, "{tenant}");
    }
    server.stop();
    assert!(says(&rig, 0, &["check"]).contains("all is well"));
    // What any program can read.
    let listed = std::process::Command::new("tar")
        .args(["-tf", "acme.tar"])
        .current_dir(rig.folder())
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.starts_with("format\nprofile.json\njobs.json\nrows/000001\n")
            && listed.ends_with("manifest.json\nmanifest.sha256\n"),
        "{listed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_archive_is_migrated_and_a_newer_one_is_refused() {
    let url = async || format!("{}?sslmode=disable", PostgresServer::get().url().await);
    let on = |url: Option<String>, wide: &str| {
        let rig = rig().env("RIG_WIDE", wide);
        url.into_iter().fold(rig, |rig, url| rig.set("services.database.url", url))
    };
    let databases = [[None, None], [Some(url().await), Some(url().await)]];
    for [old_url, new_url] in databases {
        let (old, new) = (on(old_url, "1"), on(new_url, "2"));
        let old_file = old.folder().join("old.tar");
        let new_file = new.folder().join("new.tar");
        let (old_file, new_file) = (old_file.to_str().unwrap(), new_file.to_str().unwrap());
        old.succeed(&["tenant", "create", "acme"]);
        old.succeed(&["tenant", "export", "acme", "--to", old_file]);
        new.succeed(&["tenant", "import", old_file]);
        new.succeed(&["tenant", "export", "acme", "--to", new_file]);
        // The later migration has worked on the row that was imported.
        assert!(std::fs::read(new_file).unwrap().windows(10).any(|bytes| bytes == b"later seed"));
        assert!(says(&new, 0, &["migrate", "status"]).contains("up to date"));
        let said = says(&old, 1, &["tenant", "import", new_file, "--as", "newer"]);
        assert!(said.contains("plugin `notes`") && said.contains("m2002_later"), "{said}");
        assert!(!old.succeed(&["tenant", "list"]).contains("newer"));
    }
}
