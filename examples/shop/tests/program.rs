//! The shop as a program, as `cargo run -p shop` starts it: what the README promises, and `kill -9` among writes.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};
use xcore_tests::{Program, eventually, wire};

fn shop() -> Program {
    Program::new(env!("CARGO_BIN_EXE_shop"), concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml"))
}

fn order() -> Value {
    json!({ "lines": [{ "sku": "tea", "quantity": 2 }, { "sku": "coffee", "quantity": 1 }] })
}

fn place(address: SocketAddr, tenant: &str) -> Value {
    let placed = wire::post(address, tenant, "/v1/orders", &order()).unwrap();
    assert_eq!(placed.status, 201, "{}", placed.body);
    placed.json()
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path().display().to_string());
        }
    }
    found
}

#[test]
fn the_first_start_makes_a_data_folder_and_two_tenants_with_data_of_their_own() {
    let shop = shop();
    let server = shop.serve();
    let address = server.address;
    assert_eq!(shop.tenants_on_disk(), ["acme", "globex"].map(str::to_owned).into());
    assert!(shop.folder().join("data/shared.db").exists());

    // An order of acme is not found for globex.
    let placed = place(address, "acme");
    assert_eq!(placed["total"], 2 * 650 + 1_890);
    let path = format!("/v1/orders/{}", placed["id"]);
    assert_eq!(wire::get(address, "acme", &path).unwrap().json(), placed);
    assert_eq!(wire::get(address, "globex", &path).unwrap().status, 404);

    // One key of the cache holds two values.
    let second = place(address, "acme");
    let other = place(address, "globex");
    let last = |tenant| wire::get(address, tenant, "/v1/orders/last").unwrap().json();
    assert_eq!((last("acme"), last("globex")), (second["id"].clone(), other["id"].clone()));
    assert_ne!(second["id"], other["id"]);

    // One job id is a job of each tenant.
    let jobs = |tenant| wire::get(address, tenant, "/v1/orders/jobs").unwrap().json();
    let declared = json!(["orders.daily_report", "orders.settle"]);
    let remind = wire::request("POST", "/v1/orders/remind", &[("X-Tenant-ID", b"acme")], "");
    assert_eq!(wire::send(address, &remind).unwrap().status, 202);
    assert_eq!(jobs("acme"), json!(["orders.daily_report", "orders.settle", "reminder"]));
    assert_eq!(jobs("globex"), declared);
    let remind = wire::request("POST", "/v1/orders/remind", &[("X-Tenant-ID", b"globex")], "");
    assert_eq!(wire::send(address, &remind).unwrap().status, 202);
    assert_eq!(jobs("globex"), jobs("acme"));

    // The header and the subdomain name the same tenant.
    let by_host = wire::request("GET", &path, &[("Host", b"acme.shop.localhost:8080")], "");
    assert_eq!(wire::send(address, &by_host).unwrap().json(), placed);

    // What is printed can be tried.
    for tenant in ["acme", "globex"] {
        let line = format!("curl -H 'X-Tenant-ID: {tenant}' http://{address}/v1/catalog");
        assert!(server.greeting.contains(&line), "{}", server.greeting);
        assert_eq!(wire::get(address, tenant, "/v1/catalog").unwrap().json()[1]["sku"], "tea");
    }
    server.stop();
}

#[test]
fn a_name_that_is_none_is_refused_and_makes_nothing() {
    let shop = shop();
    let server = shop.serve();
    let before = files(shop.folder());
    let long = [b'a'; 64];
    for name in
        [&b"../x"[..], b"a:b", b"*", b"pg_catalog", &long, b"\xff\xfe", b"..", b"acme.db", b"", b"a\0b"]
    {
        let paths = ["/v1/orders", "/v1/orders/1", "/v1/catalog"];
        for path in paths {
            let shown = String::from_utf8_lossy(name);
            let reply = wire::send(server.address, &wire::request("GET", path, &[("X-Tenant-ID", name)], ""));
            assert_eq!(reply.unwrap().status, 400, "{shown:?} {path}");
        }
    }
    for name in ["nobody", "shared", "xcore2"] {
        let reply = wire::get(server.address, name, "/v1/orders").unwrap();
        assert!([400, 404].contains(&reply.status), "{name}");
    }
    assert_eq!(files(shop.folder()), before);
    server.stop();
}

#[test]
fn a_product_that_an_operator_adds_is_for_all_tenants() {
    let shop = shop();
    let server = shop.serve();
    shop.succeed(&["call", "catalog", "add", r#"{"sku": "mug", "name": "Mug", "price": 900}"#]);
    let mug = wire::get(server.address, "globex", "/v1/catalog/mug").unwrap();
    assert_eq!(mug.json()["price"], 900);
    let over_http = wire::post(server.address, "acme", "/v1/catalog/add", &mug.json()).unwrap();
    assert_eq!(over_http.status, 405, "an internal action has no route");
    server.stop();
}

/// Whether SQLite finds the file sound, and no order without its lines.
async fn is_sound(file: &Path) {
    let db = Database::connect(format!("sqlite://{}?mode=ro", file.display())).await.unwrap();
    let ask = |sql: &str| Statement::from_string(db.get_database_backend(), sql.to_owned());
    let integrity = db.query_one_raw(ask("PRAGMA integrity_check")).await.unwrap().unwrap();
    assert_eq!(integrity.try_get_by_index::<String>(0).unwrap(), "ok");
    let broken = "SELECT count(*) FROM orders o
        WHERE (SELECT count(*) FROM order_lines l WHERE l.order_id = o.id) <> 2";
    let broken = db.query_one_raw(ask(broken)).await.unwrap().unwrap();
    assert_eq!(broken.try_get_by_index::<i64>(0).unwrap(), 0, "orders without their lines");
    db.close().await.unwrap();
}

#[test]
fn no_order_that_was_acknowledged_is_lost_when_the_shop_is_killed() {
    const ROUNDS: usize = 8;
    const CLIENTS: usize = 3;
    let shop = shop();
    let mut kept = [BTreeSet::new(), BTreeSet::new()];
    for round in 0..ROUNDS {
        let server = shop.serve();
        let address = server.address;
        let placed = AtomicUsize::new(0);
        thread::scope(|scope| {
            let clients: Vec<_> = ["acme", "globex"]
                .iter()
                .enumerate()
                .flat_map(|client| [client; CLIENTS])
                .map(|(index, tenant)| {
                    let placed = &placed;
                    scope.spawn(move || {
                        let mut own = Vec::new();
                        // Until the server is gone.
                        while let Ok(reply) = wire::post(address, tenant, "/v1/orders", &order()) {
                            let id = reply.json()["id"].as_i64();
                            // An answer that was cut off acknowledges nothing.
                            if let (201, Some(id)) = (reply.status, id) {
                                own.push(id);
                                placed.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        (index, own)
                    })
                })
                .collect();
            // Another count every round, so that the kill falls into other steps of the work.
            eventually(|| (placed.load(Ordering::Relaxed) >= 40 + 13 * round).then_some(()));
            server.kill();
            for client in clients {
                let (index, own) = client.join().unwrap();
                let count = own.len();
                let ids: &mut BTreeSet<i64> = &mut kept[index];
                let before = ids.len();
                ids.extend(own);
                assert_eq!(ids.len(), before + count, "a number was given twice");
            }
        });
        let server = shop.serve();
        for (index, tenant) in ["acme", "globex"].iter().enumerate() {
            let listed = wire::get(server.address, tenant, "/v1/orders").unwrap().json();
            let there: BTreeSet<i64> =
                listed.as_array().unwrap().iter().map(|order| order["id"].as_i64().unwrap()).collect();
            let lost: Vec<_> = kept[index].difference(&there).collect();
            assert!(lost.is_empty(), "{tenant} lost {lost:?} in round {round}");
            // What was written and not acknowledged stays as well, and its number with it.
            kept[index].extend(there);
        }
        server.stop();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for tenant in ["acme", "globex"] {
        runtime.block_on(is_sound(&shop.folder().join(format!("data/tenants/{tenant}.db"))));
    }
}
