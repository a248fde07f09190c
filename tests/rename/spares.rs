//! Tenants that are made of spare ones.

use super::*;

/// How many spare tenants `check` tells of.
async fn spares(place: &Place) -> usize {
    let program = rig().set("services.database.url", place.url.as_str()).set("tenancy.db_role", place.role);
    let output = tokio::task::spawn_blocking(move || program.run(&["check"])).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find_map(|line| line.strip_prefix("spares")).unwrap_or("0").trim().to_owned();
    line.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_that_sign_up_at_once_get_a_tenant_of_their_own_each_from_ten_spares() {
    let mut places = vec![Place::sqlite()];
    #[cfg(feature = "postgres")]
    for role in ["shared", "set_role"] {
        places.push(Place::postgres(role).await);
    }
    for place in places {
        let what = format!("{} {}", place.what, place.role);
        let keys = [("tenancy.spare_tenants", "10")];
        let app = place.start(&keys).await;
        // On a server a second process signs up as well.
        let beside = if place.what == "SQLite" { app.clone() } else { place.start(&keys).await };
        let count = async || app.tenants().spare_count().await.unwrap();
        eventually("the spares are ready", async || count().await == 10).await;
        assert_eq!(app.tenants().list().await.unwrap().len(), 3, "a spare is no tenant");
        assert_eq!(ask(&app, "public").await.status, 200);
        let made: Vec<_> = (0..50)
            .map(|number| {
                let app = if number % 2 == 0 { app.clone() } else { beside.clone() };
                tokio::spawn(async move { app.tenants().create(&id(&format!("t{number}"))).await })
            })
            .collect();
        for made in made {
            made.await.unwrap().unwrap();
        }
        for number in 0..50 {
            let name = format!("t{number}");
            assert_eq!(texts(&app, &name).await, Vec::<String>::new(), "{what}");
            assert_eq!(write(&app, &name, &name).await, 201, "{what} {name}");
        }
        for number in 0..50 {
            let name = format!("t{number}");
            assert_eq!(texts(&app, &name).await, [name], "{what}");
        }
        eventually("there are spares again", async || count().await == 10).await;
        assert_eq!(app.tenants().list().await.unwrap().len(), 53);
        app.shutdown().await;
        beside.shutdown().await;
        // Another number of them, which is told by `check`; then none.
        let app = place.start(&[("tenancy.spare_tenants", "3")]).await;
        eventually("some are dropped", async || app.tenants().spare_count().await.unwrap() == 3).await;
        app.shutdown().await;
        let app = place.start(&[]).await;
        eventually("all are dropped", async || app.tenants().spare_count().await.unwrap() == 0).await;
        assert_eq!(spares(&place).await, 0, "{what}");
        app.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spares_of_an_older_program_are_dropped_and_what_is_no_spare_is_left() {
    let place = Place::sqlite();
    let folder = place._folder.as_ref().unwrap().path().join("data");
    std::fs::create_dir_all(folder.join("spares")).unwrap();
    std::fs::write(folder.join("spares/0123456789abcdef-1.db"), "of another one").unwrap();
    let app = place.start(&[("tenancy.spare_tenants", "1")]).await;
    let is_old_one_gone = || !folder.join("spares/0123456789abcdef-1.db").exists();
    eventually("it is gone", async || is_old_one_gone() && app.tenants().spare_count().await.unwrap() == 1)
        .await;
    app.tenants().create(&id("initech")).await.unwrap();
    assert_eq!(texts(&app, "initech").await, Vec::<String>::new());
    app.shutdown().await;
    #[cfg(feature = "postgres")]
    {
        use sea_orm::{ConnectionTrait, Database, Statement};
        let place = Place::postgres("shared").await;
        let beside = Database::connect(&place.url).await.unwrap();
        let sql = "CREATE SCHEMA xcore_spare_old; COMMENT ON SCHEMA xcore_spare_old IS 'a spare tenant of xcore, 1 2 3';
                   CREATE SCHEMA xcore_spare_mine; CREATE TABLE xcore_spare_mine.mine ()";
        beside.execute_unprepared(sql).await.unwrap();
        let app = place.start(&[("tenancy.spare_tenants", "1")]).await;
        let there = async |name: &str| {
            let text = format!("SELECT 1 FROM pg_namespace WHERE nspname = '{name}'");
            let asked = Statement::from_string(beside.get_database_backend(), text);
            beside.query_one_raw(asked).await.unwrap().is_some()
        };
        eventually("it is gone", async || !there("xcore_spare_old").await).await;
        eventually("there is one", async || app.tenants().spare_count().await.unwrap() == 1).await;
        assert!(there("xcore_spare_mine").await);
        app.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_no_half_made_spare() {
    let program = rig().set("tenancy.spare_tenants", "5");
    for delay in (0..60).step_by(12) {
        let server = program.serve();
        let begun = Instant::now();
        thread::sleep(Duration::from_millis(delay));
        server.kill();
        assert!(begun.elapsed() < PATIENCE);
    }
    let server = program.serve();
    let folder = program.folder().join("data/spares");
    eventually("there are five", async || std::fs::read_dir(&folder).is_ok_and(|all| all.count() == 5)).await;
    assert!(program.succeed(&["tenant", "create", "initech"]).contains("created initech"));
    let notes = xcore_tests::wire::get(server.address, "initech", "/v1/notes").unwrap();
    assert_eq!(notes.status, 200, "{}", notes.body);
    eventually("there are five again", async || std::fs::read_dir(&folder).is_ok_and(|all| all.count() == 5))
        .await;
    server.stop();
    let said = program.succeed(&["check"]);
    assert!(
        said.contains("spares         5 spare tenants ready, 5 wanted") && said.contains("all is well"),
        "{said}"
    );
}
