//! The app in process.

use std::collections::BTreeSet;

use serde_json::Value;
use tower::ServiceExt;
use xcore::axum::Router;
use xcore::axum::body::{Body, Bytes, to_bytes};
use xcore::axum::extract::Request;
use xcore::axum::http::{HeaderMap, Method};
use xcore::axum::response::{IntoResponse, Response};
use xcore::axum::routing::get;
use xcore::testing::TestApp;
use xcore::{AppBuilder, AppState, Instance};

use crate::App;
use crate::plugins::desk::DeskContext;
use crate::plugins::notes::NotesContext;

/// A started app in a folder of its own.
#[derive(Debug)]
pub struct Rig {
    app: TestApp,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `type` of a problem document without its common part.
    ///
    /// # Panics
    /// When the answer is no problem document as RFC 9457 has it.
    #[must_use]
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], self.status, "{document}");
        assert!(document["title"].is_string(), "{document}");
        let kind = document["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:xcore:problem:").unwrap_or(kind).to_owned()
    }
}

impl Rig {
    /// The app as `xcore.yaml` has it.
    pub async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    /// The app with something set over `xcore.yaml`.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn with(adjust: impl FnOnce(AppBuilder) -> AppBuilder) -> Self {
        Self { app: TestApp::start(adjust(Self::builder())).await.unwrap() }
    }

    /// The app before it starts, for tests that start it more than once on one folder.
    pub fn builder() -> AppBuilder {
        App::builder().config_file(concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml")).routes(own_routes())
    }

    /// The app with some keys set over `xcore.yaml`.
    pub async fn set(keys: &[(&str, &str)]) -> Self {
        Self::with(|builder| keys.iter().fold(builder, |builder, (key, value)| builder.set(key, *value)))
            .await
    }

    /// The app itself.
    #[must_use]
    pub fn app(&self) -> &TestApp {
        &self.app
    }

    /// Creates those of the tenants that do not exist.
    ///
    /// # Panics
    /// When one cannot be created.
    pub async fn ensure(&self, tenants: &[&str]) {
        let records = self.app.instance().tenants().list().await.unwrap();
        let known: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
        for tenant in tenants.iter().filter(|tenant| !known.contains(*tenant)) {
            self.app.tenant(tenant).await.unwrap();
        }
    }

    /// The routes of the app.
    pub fn router(&self) -> Router {
        self.app.instance().router()
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, request: Request) -> Answer {
        read(self.app.send(request).await).await
    }

    /// A GET for a tenant.
    pub async fn get(&self, tenant: &str, path: &str) -> Answer {
        self.request(Method::GET, tenant, path, None).await
    }

    /// A POST with a JSON body for a tenant.
    pub async fn post(&self, tenant: &str, path: &str, body: Value) -> Answer {
        self.request(Method::POST, tenant, path, Some(body)).await
    }

    /// A request for a tenant.
    ///
    /// # Panics
    /// When the path is none.
    pub async fn request(&self, method: Method, tenant: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(request_of(method, tenant, path, body)).await
    }

    /// The context that an action of the notes gets for a tenant.
    pub async fn notes(&self, tenant: &str) -> NotesContext {
        self.context(tenant, "/own/notes-context").await
    }

    /// The context that an action of the desk gets for a tenant.
    pub async fn desk(&self, tenant: &str) -> DeskContext {
        self.context(tenant, "/own/desk-context").await
    }

    async fn context<C: Clone + Send + Sync + 'static>(&self, tenant: &str, path: &str) -> C {
        let request = Request::builder().uri(path).header("x-tenant-id", tenant).body(Body::empty()).unwrap();
        let mut response = self.app.send(request).await;
        response.extensions_mut().remove::<C>().unwrap()
    }
}

fn request_of(method: Method, tenant: &str, path: &str, body: Option<Value>) -> Request {
    let request = Request::builder().method(method).uri(path).header("x-tenant-id", tenant);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    request.unwrap()
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// Routes beside those of the plugins: their handlers take contexts, as any extractor.
fn own_routes() -> Router<AppState> {
    Router::new()
        .route("/own/tenant", get(|tenant: xcore::Tenant| async move { tenant.to_string() }))
        .route("/own/notes-context", get(hand_out::<NotesContext>))
        .route("/own/desk-context", get(hand_out::<DeskContext>))
}

async fn hand_out<C: Clone + Send + Sync + 'static>(context: C) -> Response {
    let mut response = ().into_response();
    response.extensions_mut().insert(context);
    response
}

/// A router that answers, for requests that are made by hand.
impl Rig {
    /// Sends a request to a clone of the router.
    pub async fn through(router: Router, request: Request) -> Answer {
        let Ok(response) = router.oneshot(request).await;
        read(response).await
    }

    /// The context that an action of the notes gets for a tenant of an app that is no [`TestApp`].
    ///
    /// # Panics
    /// When the tenant is not served.
    pub async fn notes_of(app: &Instance, tenant: &str) -> NotesContext {
        let request = request_of(Method::GET, tenant, "/own/notes-context", None);
        let Ok(mut response) = app.router().oneshot(request).await;
        response.extensions_mut().remove().unwrap()
    }

    /// A GET for a tenant, sent to an app that is no [`TestApp`].
    pub async fn get_from(app: &Instance, tenant: &str, path: &str) -> Answer {
        Self::through(app.router(), request_of(Method::GET, tenant, path, None)).await
    }
}
