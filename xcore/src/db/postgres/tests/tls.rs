//! `sslmode` of the address, against a server whose certificate no machine trusts.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Kitchen, Server, bake, count, id};
use crate::db::{Database, DatabaseError, DatabaseSettings};
use crate::tenancy::Tenant;

/// The kitchen's database with another `sslmode`.
async fn open(kitchen: &Kitchen, host: &str, mode: &str) -> Result<Database, DatabaseError> {
    let url = kitchen.server.url(&kitchen.name).replace("sslmode=disable", mode).replace("127.0.0.1", host);
    let url = url.replace("postgres@", "postgres:s3cret@");
    Database::open(DatabaseSettings::new(&url, std::path::Path::new("/")).unwrap()).await
}

/// The whole of an error, as a log shows it.
fn chain(error: &DatabaseError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn a_session_is_as_secret_as_the_address_says() {
    let kitchen = Kitchen::new().await;
    bake(&kitchen.tenant("acme").await, "pie").await;
    let root = format!("sslmode=verify-full&sslrootcert={}", kitchen.server.folder.join("ca.crt").display());
    for (mode, is_secret) in [
        ("sslmode=require", true),
        ("sslmode=prefer", true),
        ("", true),
        ("sslmode=disable", false),
        (root.as_str(), true),
    ] {
        let database =
            open(&kitchen, "127.0.0.1", mode).await.unwrap_or_else(|e| panic!("{mode}: {}", chain(&e)));
        let acme = database.tenant(&Tenant::admit(id("acme"), 0));
        let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let row =
            acme.query_one_raw(Statement::from_string(DbBackend::Postgres, ssl)).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<bool>(0).unwrap(), is_secret, "{mode}");
        assert_eq!(count(&acme).await, 1, "{mode}");
        // Sessions beside the pool have the same address.
        database.migrate_tenant(&id("acme"), &[]).await.unwrap();
        database.claim(&id("acme"), false).await.unwrap().check().await.unwrap();
        database.close().await;
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_is_refused_where_a_proof_is_asked_for() {
    let kitchen = Kitchen::on(Server::get(), |_| {}).await;
    let root = format!("&sslrootcert={}", kitchen.server.folder.join("ca.crt").display());
    for (host, mode, said) in [
        ("127.0.0.1", "sslmode=verify-full".to_owned(), "certificate"),
        ("127.0.0.1", "sslmode=verify-ca".to_owned(), "certificate"),
        // The right authority, and a certificate of another name.
        ("localhost", format!("sslmode=verify-full{root}"), "certificate"),
        ("127.0.0.1", "sslmode=never-heard-of".to_owned(), "database address"),
    ] {
        let refused = open(&kitchen, host, &mode).await.map(drop).expect_err(&mode);
        let text = chain(&refused);
        assert!(text.contains(said) && !text.contains("s3cret"), "{mode}: {text}");
        assert!(!refused.is_unavailable(), "{mode}: no later try mends it");
    }
}
