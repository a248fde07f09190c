//! An action as a route of axum.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on_service};
use tower::{Service, service_fn};

use super::serve::{Serving, serve};
use super::{ActionSpec, Mounted, Plugin, Verb};

/// The route of an action. `action` extracts the arguments, calls the method and makes a response of the result.
pub fn route<P, F, Fut>(mounted: Arc<Mounted<P>>, spec: &'static ActionSpec, action: F) -> MethodRouter
where
    P: Plugin,
    F: FnOnce(Arc<P::Context>, Request) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    on_service(filter(spec.verb), ActionService { mounted, spec, action })
}

/// A route whose requests are served by a function.
pub(super) fn method_router<S, Fut>(spec: &ActionSpec, serve: S) -> MethodRouter
where
    S: FnMut(Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    on_service(filter(spec.verb), service_fn(serve))
}

fn filter(verb: Verb) -> MethodFilter {
    match verb {
        Verb::Get => MethodFilter::GET,
        Verb::Post => MethodFilter::POST,
        Verb::Put => MethodFilter::PUT,
        Verb::Patch => MethodFilter::PATCH,
        Verb::Delete => MethodFilter::DELETE,
        Verb::Head => MethodFilter::HEAD,
        Verb::Options => MethodFilter::OPTIONS,
    }
}

/// A service and no [`Handler`](axum::handler::Handler): axum boxes the future of a service once, that of a handler is boxed
/// before.
struct ActionService<P: Plugin, F> {
    mounted: Arc<Mounted<P>>,
    spec: &'static ActionSpec,
    action: F,
}

impl<P: Plugin, F: Copy> Clone for ActionService<P, F> {
    fn clone(&self) -> Self {
        Self { mounted: Arc::clone(&self.mounted), spec: self.spec, action: self.action }
    }
}

impl<P, F, Fut> Service<Request> for ActionService<P, F>
where
    P: Plugin,
    F: FnOnce(Arc<P::Context>, Request) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Serving<Fut>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request) -> Serving<Fut> {
        serve(&self.mounted, self.spec, request, self.action)
    }
}
