//! Every extractor of axum, and several ways to answer.

use std::collections::HashMap;

use xcore::axum::body::{Body, Bytes};
use xcore::axum::extract::{
    FromRequestParts, MatchedPath, Multipart, OriginalUri, RawForm, RawPathParams, RawQuery, Request, State,
};
use xcore::axum::http::request::Parts;
use xcore::axum::http::{Extensions, HeaderMap, Method, Uri, Version};
use xcore::axum::response::{Html, Redirect, Response};
use xcore::axum::{Extension, Form};
use xcore::prelude::*;

/// Takes all of them.
#[xcore::plugin]
#[derive(Debug)]
pub struct All;

/// What is read.
#[derive(Serialize, Deserialize)]
#[derive(Debug)]
pub struct Thing {
    /// Its name.
    pub name: String,
}

/// An extractor of its own.
#[derive(Debug)]
pub struct Agent(
    /// The text of the header.
    pub String,
);

impl<S: Send + Sync> FromRequestParts<S> for Agent {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, StatusCode> {
        let agent = parts.headers.get("user-agent").ok_or(StatusCode::BAD_REQUEST)?;
        Ok(Self(agent.to_str().unwrap_or_default().to_owned()))
    }
}

#[xcore::plugin]
impl All {
    /// The head.
    #[action(get = "/head/{a}/{b}")]
    #[allow(clippy::too_many_arguments)]
    async fn head(
        &self,
        _ctx: &AllContext,
        Path((a, b)): Path<(u32, String)>,
        Query(query): Query<HashMap<String, String>>,
        RawQuery(raw): RawQuery,
        params: RawPathParams,
        method: Method,
        uri: Uri,
        version: Version,
        headers: HeaderMap,
        OriginalUri(original): OriginalUri,
        path: MatchedPath,
        State(state): State<xcore::AppState>,
        Extension(extra): Extension<u8>,
        extensions: Extensions,
        Agent(agent): Agent,
    ) -> String {
        let _ = (params, headers, extensions, query, raw);
        format!("{a} {b} {method} {uri} {version:?} {original} {path:?} {} {extra} {agent}", state.app_name())
    }

    /// JSON.
    #[action]
    async fn json(&self, _ctx: &AllContext, Json(thing): Json<Thing>) -> Result<Json<Thing>> {
        Ok(Json(thing))
    }

    /// A form.
    #[action]
    async fn form(&self, _ctx: &AllContext, Form(thing): Form<Thing>) -> (StatusCode, Json<Thing>) {
        (StatusCode::CREATED, Json(thing))
    }

    /// A form, raw.
    #[action]
    async fn raw_form(&self, _ctx: &AllContext, RawForm(bytes): RawForm) -> Bytes {
        bytes
    }

    /// Parts.
    #[action]
    async fn multipart(&self, _ctx: &AllContext, mut parts: Multipart) -> Result<StatusCode> {
        while parts.next_field().await?.is_some() {}
        Ok(StatusCode::OK)
    }

    /// Bytes.
    #[action]
    async fn bytes(&self, _ctx: &AllContext, body: Bytes) -> Vec<u8> {
        body.to_vec()
    }

    /// Text.
    #[action]
    async fn text(&self, _ctx: &AllContext, body: String) -> Html<String> {
        Html(body)
    }

    /// The body as it is.
    #[action]
    async fn body(&self, _ctx: &AllContext, body: Body) -> Response {
        Response::new(body)
    }

    /// The request as it is.
    #[action]
    async fn whole(&self, _ctx: &AllContext, request: Request) -> Redirect {
        Redirect::to(request.uri().path())
    }

    /// What may be there or not.
    #[action(put = "/maybe")]
    async fn maybe(
        &self,
        _ctx: &AllContext,
        query: std::result::Result<Query<Thing>, xcore::axum::extract::rejection::QueryRejection>,
        json: std::result::Result<Json<Thing>, xcore::axum::extract::rejection::JsonRejection>,
    ) -> std::result::Result<String, (StatusCode, &'static str)> {
        let _ = json.map_err(|_| (StatusCode::BAD_REQUEST, "no thing"))?;
        Ok(query.map(|Query(thing)| thing.name).unwrap_or_default())
    }

    /// A response without a name.
    #[action(get = "/opaque")]
    async fn opaque(&self, _ctx: &AllContext) -> impl IntoResponse {
        [("x-answer", "42")]
    }

    /// A result of one.
    #[action(get = "/opaque-result")]
    async fn opaque_result(&self, _ctx: &AllContext) -> Result<impl IntoResponse> {
        Ok([("x-answer", "42")])
    }

    /// The tenant twice: from the context, and as an extractor.
    #[action(get = "/tenant")]
    async fn tenant(&self, ctx: &AllContext, tenant: Tenant, again: AllContext) -> String {
        format!("{} {tenant} {}", ctx.tenant, again.tenant)
    }

    /// Nothing at all.
    #[action(head = "/nothing")]
    async fn nothing(&self, _: &AllContext) {}
}

xcore::app! { All }

fn main() -> std::process::ExitCode {
    App::run()
}
