//! Tenants that get another name, and tenants that are made of spare ones.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod cut;
mod life;
mod load;
mod processes;
mod spares;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use xcore::app::TenantError;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::db::DatabaseError;
use xcore::prelude::*;
use xcore::{Instance, TenantId};
#[cfg(feature = "postgres")]
use xcore_tests::PostgresServer;
use xcore_tests::plugins::notes::{NotesContext, NotesJobs, note};
use xcore_tests::{Answer, Program, Rig};

/// How long anything may take that nothing holds up.
const PATIENCE: Duration = Duration::from_secs(60);

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// Where the tenants of an app are.
struct Place {
    what: &'static str,
    url: String,
    role: &'static str,
    _folder: Option<TempDir>,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("data").display());
        Self { what: "SQLite", url, role: "shared", _folder: Some(folder) }
    }

    #[cfg(feature = "postgres")]
    async fn postgres(role: &'static str) -> Self {
        Self { what: "PostgreSQL", url: PostgresServer::get().url().await, role, _folder: None }
    }

    /// One of each kind.
    async fn all() -> Vec<Self> {
        #[cfg(feature = "postgres")]
        return vec![
            Self::sqlite(),
            Self::postgres("shared").await,
            Self::postgres("set_role").await,
            Self::postgres("login").await,
        ];
        #[cfg(not(feature = "postgres"))]
        vec![Self::sqlite()]
    }

    async fn start(&self, keys: &[(&str, &str)]) -> Instance {
        let builder = Rig::builder()
            .set("services.database.url", self.url.as_str())
            .set("services.database.connections", "8")
            .set("tenancy.db_role", self.role);
        let builder = keys.iter().fold(builder, |builder, (key, value)| builder.set(key, *value));
        timeout(PATIENCE, builder.build()).await.expect("the start is held up").unwrap()
    }
}

async fn ask(app: &Instance, tenant: &str) -> Answer {
    Rig::get_from(app, tenant, "/v1/notes").await
}

async fn texts(app: &Instance, tenant: &str) -> Vec<String> {
    let answer = ask(app, tenant).await;
    assert_eq!(answer.status, 200, "{tenant}: {}", answer.text());
    let notes: Vec<note::Model> = serde_json::from_slice(&answer.body).unwrap();
    notes.into_iter().map(|note| note.text).collect()
}

async fn write(app: &Instance, tenant: &str, text: &str) -> u16 {
    let request = Request::post("/v1/notes").header("x-tenant-id", tenant);
    let body = Body::from(json!({ "text": text }).to_string());
    Rig::through(app.router(), request.header("content-type", "application/json").body(body).unwrap())
        .await
        .status
}

async fn context(app: &Instance, tenant: &str) -> NotesContext {
    let request = Request::get("/own/notes-context").header("x-tenant-id", tenant);
    let Ok(mut response) = app.router().oneshot(request.body(Body::empty()).unwrap()).await;
    response.extensions_mut().remove().unwrap()
}

fn new(text: &str) -> note::ActiveModel {
    note::ActiveModel { text: Set(text.to_owned()), ..Default::default() }
}

async fn jobs(context: &NotesContext) -> Vec<String> {
    context.scheduler.list().await.unwrap().into_iter().map(|job| job.id).collect()
}

async fn eventually(claim: &str, holds: impl AsyncFn() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, asking).await.is_ok(), "not after {PATIENCE:?}: {claim}");
}

fn rig() -> Program {
    Program::new(env!("CARGO_BIN_EXE_rig"), concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml"))
}
