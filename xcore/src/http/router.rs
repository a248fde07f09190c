//! The axum router of an app.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use crate::error::Error;
use crate::plugin::{ActionSpec, AnyMounted, X_REQUEST_ID};

/// The routes of all plugins below `prefix`, and others. Whatever is not there is answered by the fallback of the others, or by a
/// problem document when they have none.
///
/// `app!` has proved that no two of them clash, so axum cannot panic here.
pub(crate) fn router(
    prefix: &str,
    plugins: &[(&'static str, Arc<dyn AnyMounted>)],
    others: Option<Router>,
) -> Router {
    let mut routes: BTreeMap<String, MethodRouter> = BTreeMap::new();
    for (path, plugin) in plugins {
        for (spec, methods) in plugin.routes().into_iter().filter(|(spec, _)| !spec.internal) {
            let route = routes.entry(full_path(prefix, path, spec)).or_default();
            *route = std::mem::take(route).merge(methods);
        }
    }
    // A layer and no fallback: it stands before axum's own answer, which gives way to a fallback of the others. Two fallbacks
    // cannot be merged. The routes that come after it do not pass it.
    let nothing = Router::new().layer(middleware::from_fn(no_such_route));
    let router = routes.into_iter().fold(nothing, |router, (path, methods)| router.route(&path, methods));
    // In this order: of two answers of axum's own the later is kept.
    let router = others.unwrap_or_default().merge(router);
    // Turns handlers into services now, once, instead of at every request.
    router.method_not_allowed_fallback(no_such_method).with_state(())
}

/// A router for each action, internal ones too, that holds nothing else.
pub(crate) fn routers_by_name(
    prefix: &str,
    plugins: &[(&'static str, Arc<dyn AnyMounted>)],
) -> HashMap<(&'static str, &'static str), Router> {
    let mut routers = HashMap::new();
    for (path, plugin) in plugins {
        for (spec, methods) in plugin.routes() {
            let router = Router::new().route(&full_path(prefix, path, spec), methods);
            routers.insert((spec.plugin, spec.name), router);
        }
    }
    routers
}

/// `{app.prefix}{plugin path}{action path}`, without a slash at the end unless it is all there is.
pub(crate) fn full_path(prefix: &str, plugin_path: &str, spec: &ActionSpec) -> String {
    let plugin_path = plugin_path.trim_end_matches('/');
    let own = if spec.path == "/" { "" } else { spec.path };
    let path = format!("{prefix}{plugin_path}{own}");
    if path.is_empty() { "/".to_owned() } else { path }
}

async fn no_such_route(headers: HeaderMap, _: Request, _: Next) -> Response {
    let detail = Some("no action has this path".to_owned());
    named(&headers, Error::own(StatusCode::NOT_FOUND, "no-such-route", detail).into_response())
}

/// With the id of the request, when the client sent one.
fn named(headers: &HeaderMap, mut response: Response) -> Response {
    if let Some(id) = headers.get(X_REQUEST_ID) {
        response.headers_mut().insert(X_REQUEST_ID, id.clone());
    }
    response
}

async fn no_such_method(headers: HeaderMap) -> Response {
    let answer = Error::own(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        Some("no action with this path has this method; see the Allow header".to_owned()),
    );
    named(&headers, answer.into_response())
}
