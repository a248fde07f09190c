//! Actions of every scope: what belongs to no tenant, what need not, and who calls what from where.

use serde_json::{Value, json};
use xcore::prelude::*;

use super::desk::notice;
use super::echo::Echo;
use super::notes::NewNote;

/// By names that the macros do not know, so that it is seen what happens when they are served.
type Whose = Tenant;
type WithTenant = BoardContext;

/// The notices of all tenants, without a tenant.
#[xcore::plugin(services(cache, central))]
pub struct Board;

#[xcore::plugin]
impl Board {
    /// All notices.
    #[action(get = "/", scope = "central")]
    async fn list(&self, app: &AppContext<Self>) -> Result<Json<Vec<notice::Model>>> {
        Ok(Json(notice::Entity::find().all(&app.central().db).await?))
    }

    /// Post a notice to all tenants.
    #[action(post = "/notices/{times}", scope = "central", status = 201)]
    async fn post(
        &self,
        app: &AppContext<Self>,
        Path(times): Path<u8>,
        Json(new): Json<NewNote>,
    ) -> Result<Json<Value>> {
        for _ in 0..times {
            let notice = notice::ActiveModel { text: Set(new.text.clone()), ..Default::default() };
            notice.insert(&app.central().db).await?;
        }
        Ok(Json(json!({ "app": app.app_name(), "posted": times })))
    }

    /// For whom it is called.
    #[action(get = "/whose", scope = "any")]
    async fn whose(&self, ctx: &AnyContext<Self>) -> Result<Json<Value>> {
        let tenant = ctx.tenant().map(|ctx| ctx.tenant.to_string());
        if let Some(ctx) = ctx.tenant() {
            ctx.cache.incr("seen", 1).await?;
        }
        Ok(Json(json!({ "tenant": tenant, "app": ctx.app().app_name() })))
    }

    /// How often the tenant has asked `whose`.
    #[action(get = "/seen")]
    async fn seen(&self, ctx: &BoardContext) -> Result<Json<Option<i64>>> {
        Ok(Json(ctx.cache.get("seen").await?))
    }

    /// Asks for a tenant where there is none.
    #[action(get = "/grab", scope = "central")]
    async fn grab(&self, _app: &AppContext<Self>, tenant: Whose) -> String {
        tenant.to_string()
    }

    /// Asks for the context of a tenant where there is none.
    #[action(get = "/grab-context", scope = "central")]
    async fn grab_context(&self, _app: &AppContext<Self>, ctx: WithTenant) -> String {
        ctx.tenant.to_string()
    }

    /// Asks for a tenant where there may be none.
    #[action(get = "/grab-any", scope = "any")]
    async fn grab_any(&self, ctx: &AnyContext<Self>, tenant: Whose) -> String {
        format!("{tenant} {}", ctx.tenant().is_some_and(|ctx| ctx.tenant == tenant))
    }

    /// Panics without a tenant.
    #[action(get = "/panic", scope = "central")]
    async fn panic(&self, _app: &AppContext<Self>) -> String {
        panic!("the board is gone")
    }

    /// Takes its time without a tenant.
    #[action(get = "/slow", scope = "central", timeout = "20ms")]
    async fn slow(&self, _app: &AppContext<Self>) {
        std::future::pending::<()>().await;
    }

    /// Not over HTTP, and for no plugin that is compiled in.
    #[action(internal, callers = [Echo], scope = "central")]
    async fn hidden(&self, _app: &AppContext<Self>) -> Json<Value> {
        Json(json!("hidden"))
    }
}

/// Calls the board, for a tenant and for none.
#[xcore::plugin(requires(Board))]
pub struct Clerk;

#[xcore::plugin]
impl Clerk {
    /// How many notices there are, asked by a tenant.
    #[action(get = "/count")]
    async fn count(&self, ctx: &ClerkContext) -> Result<Json<usize>> {
        Ok(Json(ctx.call::<Board>().list().await?.len()))
    }

    /// For whom the board is called, by a tenant.
    #[action(get = "/whose")]
    async fn whose(&self, ctx: &ClerkContext) -> Result<Json<Value>> {
        ctx.call::<Board>().whose().await
    }

    /// How many notices there are, asked by nobody.
    #[action(get = "/central/count", scope = "central")]
    async fn central_count(&self, app: &AppContext<Self>) -> Result<Json<usize>> {
        Ok(Json(app.call::<Board>().list().await?.len()))
    }

    /// For whom the board is called, by nobody.
    #[action(get = "/central/whose", scope = "central")]
    async fn central_whose(&self, app: &AppContext<Self>) -> Result<Json<Value>> {
        app.call::<Board>().whose().await
    }

    /// For whom the board is called, by whoever calls.
    #[action(get = "/any/whose", scope = "any")]
    async fn any_whose(&self, ctx: &AnyContext<Self>) -> Result<Json<Value>> {
        match ctx.tenant() {
            Some(ctx) => ctx.call::<Board>().whose().await,
            None => ctx.app().call::<Board>().whose().await,
        }
    }
}
