//! Several processes that have the same tenants.

use super::*;

#[test]
fn a_server_that_runs_renames_what_a_command_beside_it_wants_renamed() {
    let rig = rig();
    let server = rig.serve();
    let text = json!({ "text": "mine" });
    xcore_tests::wire::post(server.address, "acme", "/v1/notes", &text).unwrap();
    assert!(rig.succeed(&["tenant", "rename", "acme", "initech"]).contains("acme is initech now"));
    let notes = xcore_tests::wire::get(server.address, "initech", "/v1/notes").unwrap();
    assert!(notes.body.contains("mine"), "{}", notes.body);
    assert_eq!(xcore_tests::wire::get(server.address, "acme", "/v1/notes").unwrap().status, 404);
    let refused = rig.run(&["tenant", "rename", "initech", "globex"]);
    assert_eq!(refused.status.code(), Some(5));
    server.stop();
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_want_one_name_one_has_it() {
    let place = Place::postgres("shared").await;
    let (one, two) = (place.start(&[]).await, place.start(&[]).await);
    assert_eq!(write(&one, "acme", "acme").await, 201);
    assert_eq!(write(&one, "globex", "globex").await, 201);
    // Two tenants, one name.
    let wanted = id("wanted");
    let (acme, globex) = (id("acme"), id("globex"));
    let raced = tokio::join!(one.tenants().rename(&acme, &wanted), two.tenants().rename(&globex, &wanted));
    assert!(raced.0.is_ok() != raced.1.is_ok(), "{raced:?}");
    let (won, lost) = if raced.0.is_ok() { ("acme", "globex") } else { ("globex", "acme") };
    for app in [&one, &two] {
        eventually("both see it", async || ask(app, won).await.status == 404).await;
        assert_eq!(texts(app, "wanted").await, [won]);
        assert_eq!(texts(app, lost).await, [lost]);
    }
    let (x, y) = (id("x"), id("y"));
    // One tenant, two names; then a name that a new tenant wants as well.
    let raced = tokio::join!(one.tenants().rename(&wanted, &x), two.tenants().rename(&wanted, &y));
    assert!(raced.0.is_ok() != raced.1.is_ok(), "{raced:?}");
    let has = if raced.0.is_ok() { "x" } else { "y" };
    assert_eq!(texts(&one, has).await, [won]);
    let (from, to) = (id(has), id("z"));
    let raced = tokio::join!(one.tenants().rename(&from, &to), two.tenants().create(&to));
    assert!(raced.0.is_ok() != raced.1.is_ok(), "{raced:?}");
    let expected: &[&str] = if raced.0.is_ok() { &[won] } else { &[] };
    eventually("both see it", async || ask(&two, "z").await.status == 200).await;
    assert_eq!(texts(&two, "z").await, expected);
    // Contexts that the other process holds end as well, before the name is another tenant's.
    let held = context(&two, lost).await;
    one.tenants().rename(&id(lost), &id("last")).await.unwrap();
    one.tenants().create(&id(lost)).await.unwrap();
    assert!(new("forged").insert(&held.db).await.is_err());
    assert_eq!(texts(&one, lost).await, Vec::<String>::new());
    one.shutdown().await;
    two.shutdown().await;
}
