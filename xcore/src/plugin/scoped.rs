//! Requests for actions that belong to no tenant, or need not. Those of a tenant are in `serve`.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use super::limited::{Entered, within_limits};
use super::route::method_router;
use super::serve::{Serving, Work, limit_body};
use super::supervisor::Call;
use super::{ActionSpec, AnyContext, AppContext, Mounted, Plugin, PluginContext};
use crate::error::Error;

/// The route of an action with `scope = "central"`.
pub fn route_central<P, F, Fut>(
    mounted: Arc<Mounted<P>>,
    spec: &'static ActionSpec,
    action: F,
) -> MethodRouter
where
    P: Plugin,
    F: FnOnce(AppContext<P>, Request) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    method_router(spec, move |request| serve_central(&mounted, spec, request, action))
}

/// The route of an action with `scope = "any"`.
pub fn route_any<P, F, Fut>(mounted: Arc<Mounted<P>>, spec: &'static ActionSpec, action: F) -> MethodRouter
where
    P: Plugin,
    F: FnOnce(AnyContext<P>, Request) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    method_router(spec, move |request| serve_any(&mounted, spec, request, action))
}

/// Refuses a request that names a tenant: who names one expects an answer that is that tenant's.
fn serve_central<P, F, Fut>(
    mounted: &Arc<Mounted<P>>,
    spec: &'static ActionSpec,
    mut request: Request,
    action: F,
) -> Serving<Fut>
where
    P: Plugin,
    F: FnOnce(AppContext<P>, Request) -> Fut + Send + 'static,
    Fut: Future<Output = Response>,
{
    let call = Call::of_request(spec, request.headers());
    let runtime = mounted.runtime();
    limit_body(runtime, &mut request);
    if runtime.admission.must_wait() {
        let owned = Arc::clone(mounted);
        let admitting = async move {
            let (parts, body) = request.into_parts();
            owned.runtime().admission.nobody(&parts).await?;
            Ok(Entered::Free(action(AppContext::new(&owned), Request::from_parts(parts, body))))
        };
        return Serving::new(call, runtime, spec, Work::Admitting { admitting: Box::pin(admitting) });
    }
    let named = runtime.admission.nobody_now(request.headers(), request.uri(), request.extensions());
    let work = match named {
        Ok(()) => Work::Running { running: action(AppContext::new(mounted), request) },
        Err(refused) => Work::Refused { answer: Some(Error::from(refused).into_response()) },
    };
    Serving::new(call, runtime, spec, work)
}

/// Admits the tenant when the request names one.
fn serve_any<P, F, Fut>(
    mounted: &Arc<Mounted<P>>,
    spec: &'static ActionSpec,
    mut request: Request,
    action: F,
) -> Serving<Fut>
where
    P: Plugin,
    F: FnOnce(AnyContext<P>, Request) -> Fut + Send + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let call = Call::of_request(spec, request.headers());
    limit_body(mounted.runtime(), &mut request);
    let (owned, span) = (Arc::clone(mounted), call.span().clone());
    let admitting = async move {
        let (parts, body) = request.into_parts();
        let runtime = owned.runtime();
        let named = runtime.admission.admit_named(&parts).await;
        let tenant = named.map_err(|refused| runtime.refusal(refused, &parts.headers))?;
        let is_counted = !runtime.admission.is_call(&parts.extensions);
        let context = tenant.as_ref().map(|tenant| {
            Call::tell_tenant(&span, tenant);
            Arc::new(P::Context::new(&owned, tenant.clone()))
        });
        let serve = || action(AnyContext::new(&owned, context), Request::from_parts(parts, body));
        Ok(match tenant.filter(|_| is_counted) {
            Some(tenant) => within_limits(&tenant, serve).await,
            None => Entered::Free(serve()),
        })
    };
    Serving::new(call, mounted.runtime(), spec, Work::Admitting { admitting: Box::pin(admitting) })
}
