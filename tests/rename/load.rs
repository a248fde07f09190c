//! Renamed while in use.

use super::*;

/// What became of what was written.
#[derive(Default)]
struct Written {
    /// By requests that were answered with 201.
    by_requests: Vec<String>,
    /// By contexts that were held.
    by_contexts: Vec<String>,
    refused_requests: usize,
    refused_contexts: usize,
}

/// Reads and writes by both names, and by contexts that are held, until it is told to stop. No answer has the mark of two tenants.
async fn load(
    app: Instance,
    names: Vec<String>,
    worker: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) -> Written {
    let mut round = 0;
    let mut written = Written::default();
    let mut held: Vec<(usize, NotesContext)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        for name in &names {
            let answer = ask(&app, name).await;
            assert!([200, 404, 503].contains(&answer.status), "{name}: {}", answer.text());
            if answer.status == 200 {
                let text = answer.text();
                let marks: BTreeSet<&str> =
                    text.split("mark ").skip(1).filter_map(|rest| rest.get(..2)).collect();
                assert!(marks.len() <= 1, "{name} has {marks:?}");
                done.fetch_add(1, Ordering::Relaxed);
            }
            let text = format!("by {name} {worker} {round}");
            match write(&app, name, &text).await {
                201 => written.by_requests.push(text),
                404 | 503 => written.refused_requests += 1,
                status => panic!("{text}: {status}"),
            }
        }
        let request = Request::get("/own/notes-context").header("x-tenant-id", "acme");
        let Ok(mut response) = app.router().oneshot(request.body(Body::empty()).unwrap()).await;
        if round % 20 == 1
            && let Some(context) = response.extensions_mut().remove::<NotesContext>()
        {
            // Which tenant it is of is told by its mark.
            let marks =
                note::Entity::find().filter(note::Column::Text.starts_with("mark ")).all(&context.db).await;
            if let Some(mark) = marks.ok().and_then(|notes| notes.first().cloned()) {
                held.push((mark.text[5..].parse().unwrap(), context));
            }
        }
        for (number, (mark, context)) in held.iter().enumerate() {
            let text = format!("of {mark:02} {worker} {round} {number}");
            match new(&text).insert(&context.db).await {
                Ok(_) => written.by_contexts.push(text),
                Err(_) => written.refused_contexts += 1,
            }
            if let Ok(notes) =
                note::Entity::find().filter(note::Column::Text.starts_with("mark ")).all(&context.db).await
            {
                assert!(notes.iter().all(|note| note.text == format!("mark {mark:02}")), "{mark}: {notes:?}");
            }
        }
        tokio::task::yield_now().await;
    }
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_renamed_while_in_use_and_the_next_of_its_name_never_have_each_others_rows() {
    for place in Place::all().await {
        let what = format!("{} {}", place.what, place.role);
        let rounds = if place.what == "SQLite" { 12 } else { 2 };
        let app = place.start(&[]).await;
        let names: Vec<String> =
            (0..rounds).map(|round| format!("r{round}")).chain(["acme".to_owned()]).collect();
        assert_eq!(write(&app, "acme", "mark 00").await, 201);
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let workers: Vec<_> = (0..3)
            .map(|worker| {
                tokio::spawn(load(app.clone(), names.clone(), worker, Arc::clone(&stop), Arc::clone(&done)))
            })
            .collect();
        for round in 0..rounds {
            let before = done.load(Ordering::Relaxed);
            eventually("the load goes on", async || done.load(Ordering::Relaxed) > before + 20).await;
            // One that is not done because of the load has its old name again.
            let renaming = async || {
                let renamed = app.tenants().rename(&id("acme"), &id(&format!("r{round}"))).await;
                assert!(
                    matches!(
                        &renamed,
                        Ok(())
                            | Err(TenantError::NotRenamed { is_undone: true, .. }
                                | TenantError::RenamingUndone { .. })
                    ),
                    "{what}: {renamed:?}"
                );
                renamed.is_ok()
            };
            eventually("it is renamed", renaming).await;
            app.tenants().create(&id("acme")).await.unwrap();
            assert_eq!(write(&app, "acme", &format!("mark {:02}", round + 1)).await, 201, "{what}");
        }
        stop.store(true, Ordering::Relaxed);
        let mut written = Written::default();
        for worker in workers {
            let its = worker.await.unwrap();
            written.by_requests.extend(its.by_requests);
            written.by_contexts.extend(its.by_contexts);
            written.refused_requests += its.refused_requests;
            written.refused_contexts += its.refused_contexts;
        }
        let counts = [
            written.by_requests.len(),
            written.refused_requests,
            written.by_contexts.len(),
            written.refused_contexts,
        ];
        println!("{what}: kept and refused, of requests and of contexts: {counts:?}");
        assert!(counts.iter().all(|count| *count > 0), "{what}: the load has met no renaming: {counts:?}");
        let mut found = BTreeSet::new();
        for round in 0..=rounds {
            let name = if round == rounds { "acme".to_owned() } else { format!("r{round}") };
            let all = texts(&app, &name).await;
            let marks: Vec<_> = all.iter().filter(|text| text.starts_with("mark ")).collect();
            assert_eq!(marks, [&format!("mark {round:02}")], "{what} {name}");
            let foreign = all
                .iter()
                .find(|text| text.starts_with("of ") && !text.starts_with(&format!("of {round:02} ")));
            assert_eq!(foreign, None, "{what} {name}");
            // Other than those of the name that it had, which was acme.
            let foreign =
                all.iter().find(|text| text.starts_with("by r") && !text.starts_with(&format!("by {name} ")));
            assert_eq!(foreign, None, "{what} {name}");
            for text in all {
                assert!(!found.contains(&text), "{what}: two have {text}");
                found.insert(text);
            }
        }
        // Whatever was told to be kept is there.
        let lost = written.by_requests.iter().chain(&written.by_contexts).find(|text| !found.contains(*text));
        assert_eq!(lost, None, "{what}");
        app.shutdown().await;
    }
}
