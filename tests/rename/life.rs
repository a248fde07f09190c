//! What goes with the name, and what cannot be renamed.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_a_tenant_goes_with_its_name_and_nothing_of_it_stays() {
    for place in Place::all().await {
        let what = format!("{} {}", place.what, place.role);
        let app = place.start(&[]).await;
        let tenants = app.tenants();
        let held = context(&app, "acme").await;
        assert_eq!(write(&app, "acme", "the first").await, 201);
        held.cache.set("secret", "of the first").await.unwrap();
        held.scheduler.every("report", Duration::from_secs(3_600), NotesJobs::tally()).await.unwrap();
        held.scheduler.every("paused", Duration::from_secs(3_600), NotesJobs::tally()).await.unwrap();
        held.scheduler.pause("paused").await.unwrap();
        tenants.add_domain(&id("acme"), "acme.test").await.unwrap();
        tenants.create_key(&id("acme"), "a key").await.unwrap();
        // Which is remembered, and was not there.
        assert_eq!(ask(&app, "initech").await.status, 404);

        tenants.rename(&id("acme"), &id("initech")).await.unwrap();
        assert_eq!(ask(&app, "acme").await.status, 404, "{what}");
        assert_eq!(texts(&app, "initech").await, ["the first"], "{what}");
        let now = context(&app, "initech").await;
        assert_eq!(jobs(&now).await, ["notes.sweep", "paused", "report"], "{what}");
        assert!(now.scheduler.get("paused").await.unwrap().unwrap().paused);
        assert_eq!(now.cache.keys("*").await.unwrap(), Vec::<String>::new(), "{what}");
        assert_eq!(tenants.keys(&id("initech")).await.unwrap().len(), 1, "{what}");
        assert_eq!(tenants.domains().await.unwrap()[0].tenant, id("initech"), "{what}");
        assert!(tenants.get(&id("acme")).await.is_err());

        // Who holds the old name can do nothing, neither before nor after it is another tenant's.
        let forged = async || {
            assert!(new("forged").insert(&held.db).await.is_err(), "{what}");
            assert!(held.db.execute_unprepared("INSERT INTO notes (text) VALUES ('forged')").await.is_err());
            assert!(held.db.begin().await.is_err(), "{what}");
            assert!(held.cache.set("secret", "forged").await.is_err(), "{what}");
            assert!(held.scheduler.list().await.is_err(), "{what}");
        };
        forged().await;
        tenants.create(&id("acme")).await.unwrap();
        forged().await;
        assert_eq!(texts(&app, "acme").await, Vec::<String>::new(), "{what}");
        assert_eq!(write(&app, "acme", "the second").await, 201);
        let second = context(&app, "acme").await;
        assert_eq!(jobs(&second).await, ["notes.sweep"], "{what}");
        assert_eq!(second.cache.get::<String>("secret").await.unwrap(), None);
        assert_eq!(write(&app, "initech", "more of the first").await, 201);
        assert_eq!(texts(&app, "initech").await, ["the first", "more of the first"], "{what}");
        assert_eq!(texts(&app, "acme").await, ["the second"], "{what}");
        app.shutdown().await;

        let app = place.start(&[]).await;
        assert_eq!(texts(&app, "initech").await, ["the first", "more of the first"], "{what} after a start");
        assert_eq!(texts(&app, "acme").await, ["the second"], "{what} after a start");
        app.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_cannot_be_given_is_refused_and_nothing_is_changed() {
    let place = Place::sqlite();
    let app = place.start(&[]).await;
    let tenants = app.tenants();
    let refused =
        async |from: &str, to: &str| tenants.rename(&id(from), &id(to)).await.unwrap_err().to_string();
    assert!(refused("public", "initech").await.contains("default tenant"));
    assert!(refused("acme", "public").await.contains("what all tenants share"));
    for (from, to) in [("acme", "globex"), ("acme", "acme"), ("nobody", "initech")] {
        let error = tenants.rename(&id(from), &id(to)).await.unwrap_err();
        assert!(matches!(error, TenantError::Directory { .. }), "{from} {to}: {error}");
    }
    // Data that no tenant has.
    let folder = place._folder.as_ref().unwrap().path().join("data/tenants");
    std::fs::write(folder.join("stray.db"), "").unwrap();
    let error = tenants.rename(&id("acme"), &id("stray")).await.unwrap_err();
    assert!(
        matches!(
            error,
            TenantError::NotRenamed { source: DatabaseError::NameTaken { .. }, is_undone: true, .. }
        ),
        "{error}"
    );
    tenants.suspend(&id("acme"), Some("unpaid")).await.unwrap();
    tenants.rename(&id("acme"), &id("initech")).await.unwrap();
    let answer = ask(&app, "initech").await;
    assert!(answer.status == 403 && answer.text().contains("unpaid"), "{}", answer.text());
    tenants.resume(&id("initech")).await.unwrap();
    assert_eq!(texts(&app, "initech").await, Vec::<String>::new());
    app.shutdown().await;

    let place = Place::sqlite();
    let app = place.start(&[("tenancy.isolate_db", "false")]).await;
    let error = app.tenants().rename(&id("acme"), &id("initech")).await.unwrap_err();
    assert!(
        matches!(error, TenantError::NotRenamed { source: DatabaseError::NotRenamable { .. }, .. }),
        "{error}"
    );
    assert_eq!(ask(&app, "acme").await.status, 200);
    app.shutdown().await;
    let place = Place::sqlite();
    let app = place.start(&[("tenancy.directory", "open")]).await;
    assert!(app.tenants().rename(&id("acme"), &id("initech")).await.is_err());
    app.shutdown().await;
}
