//! Several servers that share the tenants.

use std::sync::atomic::AtomicU16;

use super::*;
use crate::db::{DatabaseError, DbRole, ServerSettings, Servers};

/// Another server. All tests here share it.
fn other() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// Two services, on servers of their own, and both as the servers `eu` and `us` of one app.
struct Two {
    eu: Kitchen,
    us: Kitchen,
    servers: Servers,
}

fn named(name: &str, kitchen: &Kitchen) -> ServerSettings {
    ServerSettings { name: Some(name.into()), settings: kitchen.settings.clone() }
}

impl Two {
    async fn new() -> Self {
        Self::with_role(DbRole::Shared).await
    }

    async fn with_role(role: DbRole) -> Self {
        let eu = Kitchen::with(|settings| settings.db_role = role).await;
        let us = Kitchen::on(other(), |settings| settings.db_role = role).await;
        let servers = Servers::open(vec![named("eu", &eu), named("us", &us)]).await.unwrap();
        Self { eu, us, servers }
    }

    async fn tenant(&self, name: &str, server: &str) -> TenantDb {
        self.servers.at(&id(name), Some(server)).unwrap().provision(&id(name)).await.unwrap();
        let db = self.handle(name, Some(server));
        db.execute_unprepared(TABLES).await.unwrap();
        db
    }

    fn handle(&self, name: &str, server: Option<&str>) -> TenantDb {
        self.servers.tenant(&Tenant::admit_on(id(name), 1, server.map(Into::into)))
    }
}

fn find(error: &sea_orm::DbErr) -> &DatabaseError {
    DatabaseError::find_in(error).unwrap_or_else(|| panic!("{error}"))
}

/// Two tenants on two servers see their own rows. `Err` tells what was seen instead.
async fn each_on_its_own(two: &Two) -> Result<(), String> {
    let acme = two.tenant("acme", "eu").await;
    let us = two.servers.at(&id("globex"), Some("us")).unwrap();
    us.provision(&id("globex")).await.unwrap();
    let globex = two.handle("globex", Some("us"));
    globex.execute_unprepared(TABLES).await.unwrap();
    bake(&acme, "tart").await;
    bake(&globex, "flan").await;
    let there = [
        two.eu.database.exists(&id("acme")).await.unwrap(),
        two.eu.database.exists(&id("globex")).await.unwrap(),
        two.us.database.exists(&id("acme")).await.unwrap(),
        two.us.database.exists(&id("globex")).await.unwrap(),
    ];
    if there == [true, false, false, true] && (count(&acme).await, count(&globex).await) == (1, 1) {
        Ok(())
    } else {
        Err(format!("{there:?}"))
    }
}

#[tokio::test]
async fn a_tenant_is_made_and_served_on_its_server_only() {
    each_on_its_own(&Two::new().await).await.unwrap();
    let wrong = Two::new().await;
    wrong.servers.always_ask_the_first();
    each_on_its_own(&wrong).await.expect_err("a service that always asks the first server is caught");
}

#[tokio::test]
async fn tenants_of_one_name_on_two_servers_never_meet() {
    let two = Two::new().await;
    let (here, there) = (two.tenant("acme", "eu").await, two.tenant("acme", "us").await);
    bake(&here, "tart").await;
    assert_eq!((count(&here).await, count(&there).await), (1, 0));
    two.servers.at(&id("acme"), Some("us")).unwrap().remove(&id("acme"), &()).await.unwrap();
    assert_eq!(count(&here).await, 1);
    let error = cake::Entity::find().count(&there).await.unwrap_err();
    assert!(matches!(find(&error), DatabaseError::Missing { .. }), "{error}");
}

#[tokio::test]
async fn a_tenants_role_is_made_on_its_server_and_reaches_no_other_tenant() {
    for role in [DbRole::SetRole, DbRole::Login] {
        let two = Two::with_role(role).await;
        let [here, there] = [two.tenant("here", "eu").await, two.tenant("there", "us").await];
        let other = two.tenant("other", "us").await;
        bake(&here, "tart").await;
        bake(&there, "flan").await;
        assert_eq!((count(&here).await, count(&there).await, count(&other).await), (1, 1, 0));
        assert_eq!((count(&here.read()).await, count(&there.read()).await), (1, 1));
        for (name, db, kitchen) in [("here", &here, &two.eu), ("there", &there, &two.us)] {
            let row =
                sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT current_user::text");
            let user: String = db.query_one_raw(row).await.unwrap().unwrap().try_get_by_index(0).unwrap();
            assert!(user.starts_with("xcore_") && user.ends_with(&format!("_{name}")), "{user}");
            assert!(kitchen.has_role(&user).await);
            let elsewhere = if name == "here" { &two.us } else { &two.eu };
            assert!(!elsewhere.has_role(&user).await);
        }
        assert!(there.execute_unprepared("SELECT * FROM other.cake").await.is_err());
        let findings = two.servers.findings().await.unwrap();
        assert!(["eu", "us"].iter().all(|name| {
            findings
                .iter()
                .any(|finding| finding.is_serious && finding.text.contains(&format!("server `{name}`")))
        }));
        two.servers.at(&id("there"), Some("us")).unwrap().remove(&id("there"), &()).await.unwrap();
        assert_eq!(count(&here).await, 1);
    }
}

#[tokio::test]
async fn a_tenant_of_a_server_that_is_not_configured_is_an_error_that_names_both() {
    let two = Two::new().await;
    two.tenant("acme", "eu").await;
    let lost = two.handle("acme", Some("asia"));
    let error = cake::Entity::find().count(&lost).await.unwrap_err();
    assert!(matches!(find(&error), DatabaseError::UnknownServer { .. }), "{error}");
    assert!(error.to_string().contains("`acme`") && error.to_string().contains("`asia`"), "{error}");
    for result in [
        lost.execute_unprepared("SELECT 1").await.map(drop),
        lost.session().await.map(drop),
        cake::Entity::find().count(&lost.read()).await.map(drop),
        sea_orm::TransactionTrait::begin(&lost).await.map(drop),
    ] {
        assert!(matches!(find(&result.unwrap_err()), DatabaseError::UnknownServer { .. }));
    }
    assert!(two.servers.at(&id("acme"), Some("asia")).is_err());
    // One database, and a directory that has seen several.
    let only = ServerSettings { name: None, settings: two.eu.settings.clone() };
    let only = Servers::open(vec![only]).await.unwrap();
    let lost = only.tenant(&Tenant::admit_on(id("acme"), 1, Some("eu".into())));
    assert!(cake::Entity::find().count(&lost).await.is_err());
    assert_eq!(count(&only.tenant(&Tenant::admit(id("acme"), 1))).await, 0);
}

#[tokio::test]
async fn shared_tables_are_on_the_first_server_and_nowhere_else() {
    let two = Two::new().await;
    two.servers
        .shared()
        .execute_unprepared("CREATE TABLE rates (id int); INSERT INTO rates VALUES (1)")
        .await
        .unwrap();
    let rates = || sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT id FROM rates");
    let (acme, globex) = (two.tenant("acme", "eu").await, two.tenant("globex", "us").await);
    assert_eq!(acme.query_all_raw(rates()).await.unwrap().len(), 1);
    let error = globex.query_all_raw(rates()).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[tokio::test]
async fn a_server_that_holds_a_directory_must_be_the_first() {
    let two = Two::new().await;
    two.us.sql("CREATE TABLE xcore_directory.xcore_tenants (id text)").await;
    let refused =
        Servers::open(vec![named("eu", &two.eu), named("us", &two.us)]).await.map(drop).unwrap_err();
    let DatabaseError::OfServer { server, source } = refused else { panic!("{refused}") };
    assert_eq!(server, "us");
    assert!(matches!(*source, DatabaseError::SecondDirectory { .. }), "{source}");
    Servers::open(vec![named("us", &two.us), named("eu", &two.eu)]).await.unwrap();
}

/// Passes connections on while it is told to.
struct Gate {
    port: u16,
    to: Arc<AtomicU16>,
}

impl Gate {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, to) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU16::new(0)));
        let passed = Arc::clone(&to);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let port = passed.load(Ordering::Relaxed);
                tokio::spawn(async move {
                    if let Ok(mut server) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { port, to }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_at_the_start_hinders_no_other_and_is_used_when_it_is_back() {
    let two = Two::new().await;
    let (acme, globex) = (two.tenant("acme", "eu").await, two.tenant("globex", "us").await);
    bake(&globex, "flan").await;
    drop((acme, globex));
    let gate = Gate::new().await;
    let mut us = named("us", &two.us);
    let url =
        two.us.server.url(&two.us.name).replace(&two.us.server.port.to_string(), &gate.port.to_string());
    us.settings.server = Some(crate::db::ServerUrl::new(&url).unwrap());
    let servers = Servers::open(vec![named("eu", &two.eu), us.clone()]).await.unwrap();
    let tenant =
        |name: &str, server: &str| servers.tenant(&Tenant::admit_on(id(name), 1, Some(server.into())));
    assert_eq!(count(&tenant("acme", "eu")).await, 0);
    assert_eq!(servers.open_names(), [std::sync::Arc::<str>::from("eu")]);
    assert!(servers.is_awaited(Some("us")) && !servers.is_awaited(Some("eu")) && !servers.is_awaited(None));
    let globex = tenant("globex", "us");
    let error = cake::Entity::find().count(&globex).await.unwrap_err();
    assert!(matches!(find(&error), DatabaseError::NotReached { .. }), "{error}");
    assert!(DatabaseError::is_unavailable_in(&error));

    gate.to.store(two.us.server.port, Ordering::Relaxed);
    eventually("the server is used", async || cake::Entity::find().count(&globex).await.is_ok()).await;
    assert_eq!(count(&globex).await, 1);
    assert_eq!(servers.open_names().len(), 2);
    servers.close().await;
    assert!(cake::Entity::find().count(&globex).await.is_err());

    // The first holds what all need.
    gate.to.store(0, Ordering::Relaxed);
    assert!(Servers::open(vec![us, named("eu", &two.eu)]).await.is_err());
}
