//! Renamings that are given up, or whose process is killed.

use super::*;

/// Drops a future after so many polls; its result when it came to its end before.
async fn poll_times<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut polls = 0;
    std::future::poll_fn(|cx| {
        use std::task::Poll;
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            // Dropped at once, while what it waits for is on its way.
            Poll::Pending if polls == times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renaming_that_was_given_up_is_finished_or_undone_by_itself() {
    let place = Place::sqlite();
    let app = place.start(&[]).await;
    assert_eq!(write(&app, "acme", "mine").await, 201);
    // Its only name, once it has one; what was given up may begin a moment later.
    let settled = async || {
        let listed = app.tenants().list().await.unwrap();
        let is_active = |record: &xcore::tenancy::TenantRecord| record.state == xcore::tenancy::State::Active;
        let mut names = listed
            .iter()
            .map(|record| record.id)
            .filter(|name| !["public", "globex"].contains(&name.as_str()));
        let (Some(name), None) = (names.next(), names.next()) else { return None };
        let answer = ask(&app, name.as_str()).await;
        let is_served = listed.iter().all(is_active) && answer.status == 200;
        is_served.then(|| (name, answer.text()))
    };
    for polls in 1.. {
        let next = id(&format!("n{polls}"));
        eventually("it has one name", async || settled().await.is_some()).await;
        let Some((name, notes)) = settled().await else { continue };
        assert!(notes.contains("mine"), "{name} after {polls} polls: {notes}");
        let renamed = poll_times(polls, app.tenants().rename(&name, &next)).await;
        if renamed.is_some_and(|renamed| renamed.is_ok()) {
            assert_eq!(texts(&app, next.as_str()).await, ["mine"]);
            break;
        }
    }
    app.shutdown().await;
}

/// A process that is killed at a moment that nobody chose.
fn killed_after(rig: &Program, arguments: &[&str], delay: Duration) -> bool {
    let mut child = rig.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(delay);
    let _ = child.kill();
    child.wait().unwrap().success()
}

#[test]
fn a_process_that_is_killed_while_it_renames_leaves_one_tenant_with_all_of_its_rows() {
    let rig = rig();
    let file = rig.folder().join("xcore.yaml");
    let yaml = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, yaml.replace("ensure: [acme, globex]", "ensure: []")).unwrap();
    rig.succeed(&["tenant", "create", "n0"]);
    let written = r#"{"text": "mine"}"#;
    rig.succeed(&["call", "notes", "write", written, "--tenant", "n0"]);
    let mut name = "n0".to_owned();
    let mut killed = 0;
    for (round, delay) in (0..40_u64).step_by(2).chain((40..120).step_by(8)).enumerate() {
        let next = format!("n{}", round + 1);
        let done = killed_after(&rig, &["tenant", "rename", &name, &next], Duration::from_millis(delay));
        killed += usize::from(!done);
        rig.serve().stop();
        let known: BTreeSet<String> =
            rig.tenants_in_directory().into_iter().filter(|known| known != "public").collect();
        assert_eq!(known, rig.tenants_on_disk(), "after {delay} ms");
        assert!(known.len() == 1 && (known.contains(&name) || known.contains(&next)), "{known:?}");
        name = known.into_iter().next().unwrap();
        let notes = rig.succeed(&["call", "notes", "list", "--tenant", &name]);
        assert!(notes.contains("mine"), "{notes}");
    }
    assert!(killed > 5, "{killed} were killed");
    assert!(rig.succeed(&["check"]).contains("all is well"));
}
