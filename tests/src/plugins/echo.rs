//! Tells what reached it, and fails in every way that an action can.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::DbErr;
use serde_json::{Value, json};
use xcore::axum::Extension;
use xcore::axum::body::Bytes;
use xcore::axum::extract::Form;
use xcore::prelude::*;

use super::desk::DeskContext;

/// Needs no service: a tenant and nothing else.
#[xcore::plugin]
#[derive(Debug, Default)]
pub struct Echo {
    waiting: AtomicUsize,
}

/// Part of a query.
#[derive(Deserialize)]
pub struct Page {
    /// How many.
    pub limit: u8,
}

/// A body.
#[derive(Debug, Deserialize, Serialize)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: u32,
}

/// What no client may see.
pub const SECRET: &str = "/var/lib/secret/globex.db";

#[xcore::plugin]
impl Echo {
    /// Whose request it is.
    #[action(get = "/")]
    async fn whose(&self, ctx: &EchoContext) -> Json<Value> {
        Json(json!({ "tenant": ctx.tenant.id().as_str() }))
    }

    /// Whose request it is, for whatever path.
    #[action(get = "/any/{*rest}")]
    async fn any(&self, ctx: &EchoContext, Path(rest): Path<String>) -> Json<Value> {
        Json(json!({ "tenant": ctx.tenant.id().as_str(), "rest": rest }))
    }

    /// A path of its own below that of [`Echo::any`].
    #[action(get = "/any/wipe")]
    async fn wipe(&self, ctx: &EchoContext) -> Json<Value> {
        Json(json!({ "tenant": ctx.tenant.id().as_str(), "wiped": true }))
    }

    /// Wants what no layer puts into the request.
    #[action(get = "/lacking")]
    async fn lacking(&self, _ctx: &EchoContext, Extension(echo): Extension<Arc<Echo>>) -> String {
        format!("{echo:?}")
    }

    /// Wants the context of a plugin that was granted more.
    #[action(get = "/grab")]
    async fn grab(&self, _ctx: &EchoContext, desk: DeskContext) -> Result<String> {
        desk.central.db.execute_unprepared("CREATE TABLE grabbed (text TEXT)").await?;
        Ok("grabbed".to_owned())
    }

    /// Path and query.
    #[action(get = "/item/{id}")]
    async fn item(&self, ctx: &EchoContext, Path(id): Path<i32>, Query(page): Query<Page>) -> Json<Value> {
        Json(json!({ "tenant": ctx.tenant.id().as_str(), "id": id, "limit": page.limit }))
    }

    /// Path and body.
    #[action(put = "/item/{id}")]
    async fn replace(&self, _ctx: &EchoContext, Path(id): Path<i32>, Json(item): Json<Item>) -> Json<Value> {
        Json(json!({ "id": id, "name": item.name, "size": item.size }))
    }

    /// A status of its own.
    #[action(post = "/item", status = 201)]
    async fn create(&self, _ctx: &EchoContext, Json(item): Json<Item>) -> Result<Json<Item>> {
        if item.size == 0 {
            return Err(Error::unprocessable("an item has a size"));
        }
        Ok(Json(item))
    }

    /// No body.
    #[action(delete = "/item/{id}")]
    async fn remove(&self, _ctx: &EchoContext, Path(_id): Path<i32>) -> StatusCode {
        StatusCode::NO_CONTENT
    }

    /// How many bytes came.
    #[action]
    async fn upload(&self, _ctx: &EchoContext, body: Bytes) -> String {
        body.len().to_string()
    }

    /// A form.
    #[action]
    async fn form(&self, _ctx: &EchoContext, Form(item): Form<Item>) -> Json<Item> {
        Json(item)
    }

    /// Panics.
    #[action(get = "/panic")]
    async fn panic(&self, _ctx: &EchoContext) -> String {
        panic!("{SECRET} is broken")
    }

    /// Never ends.
    #[action(get = "/forever", timeout = "100ms")]
    async fn forever(&self, _ctx: &EchoContext) -> String {
        std::future::pending().await
    }

    /// Ends after so many milliseconds.
    #[action(get = "/wait/{millis}")]
    async fn wait(&self, _ctx: &EchoContext, Path(millis): Path<u64>) -> String {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        "waited".to_owned()
    }

    /// How many requests have begun to wait.
    #[action(get = "/waiting")]
    async fn waiting(&self, _ctx: &EchoContext) -> Json<usize> {
        Json(self.waiting.load(Ordering::SeqCst))
    }

    /// Fails.
    #[action(get = "/fail/{how}")]
    async fn fail(&self, _ctx: &EchoContext, Path(how): Path<String>) -> Result<String> {
        match how.as_str() {
            "io" => Err(std::io::Error::other(SECRET))?,
            "sql" => Err(DbErr::Custom(format!("SELECT * FROM users -- {SECRET}")))?,
            "absent" => Err(DbErr::RecordNotFound(SECRET.to_owned()))?,
            "conflict" => {
                Err(Error::conflict("it is paid already").with_type("urn:rig:paid").with("order", 7))
            }
            "busy" => Err(Error::unavailable("later", Duration::from_millis(1_500))),
            "internal" => Err(Error::internal(std::io::Error::other(SECRET))),
            _ => Err(Error::bad_request("no such failure")),
        }
    }

    /// Not over HTTP.
    #[action(internal)]
    async fn hidden(&self, ctx: &EchoContext, Json(item): Json<Item>) -> Json<Value> {
        Json(json!({ "tenant": ctx.tenant.id().as_str(), "name": item.name }))
    }

    /// Whose task it is, once the task has been handed from thread to thread.
    #[action(get = "/spawned")]
    async fn spawned(&self, ctx: &EchoContext) -> Result<Json<Value>> {
        let ctx = ctx.clone();
        let task = tokio::spawn(async move {
            tokio::task::yield_now().await;
            ctx.tenant.id().as_str().to_owned()
        });
        Ok(Json(json!({ "tenant": task.await? })))
    }
}
