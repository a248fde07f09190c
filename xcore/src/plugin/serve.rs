//! One request and one action: the tenant, its context, the glue, the answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::VARY;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use pin_project_lite::pin_project;

use super::chain;
use super::limited::{Entered, within_limits};
use super::supervisor::{Call, Supervised, X_REQUEST_ID, supervise};
use super::{ActionSpec, Mounted, Plugin, PluginContext, Runtime};
use crate::error::{Cause, Error};
use crate::tenancy::Tenant;

/// axum's own limit, which needs no entry in the request.
const AXUM_BODY_LIMIT: usize = 2 * 1024 * 1024;

/// Serves one request with one action: admits the tenant, makes its context, runs the glue under the supervisor.
///
/// A tenant that the directory remembers is admitted here and now; only for another one is there something to wait for. What is
/// given is boxed by the caller, so everything in it is moved once: that is most of what an action costs above a bare handler.
#[inline(always)] // or each argument is copied once more on its way into the box
pub(super) fn serve<P, F, Fut>(
    mounted: &Arc<Mounted<P>>,
    spec: &'static ActionSpec,
    mut request: Request,
    action: F,
) -> Serving<Fut>
where
    P: Plugin,
    F: FnOnce(Arc<P::Context>, Request) -> Fut + Send + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let call = Call::of_request(spec, request.headers());
    let runtime = mounted.runtime();
    limit_body(runtime, &mut request);
    let admission = &runtime.admission;
    let remembered =
        admission.quick_name(request.headers(), request.uri(), request.extensions()).and_then(|name| {
            let new = |tenant: &Tenant| P::Context::new(mounted, tenant.clone());
            let context = admission.directory.context(name, mounted.slot(), new)?;
            call.tenant_named(name);
            Some(context)
        });
    if let Some(context) = remembered {
        let limit = spec.timeout.unwrap_or(runtime.request_timeout);
        let work = Work::Running { running: action(context, request) };
        return Serving { work: supervise(call, Some(limit), work), vary: runtime.vary.clone(), spec };
    }
    serve_unknown(mounted, call, spec, request, action)
}

/// The same for a tenant that is not remembered, or that only the chain of sources can tell. Apart, or the compiler makes room for it on the way
/// of all others.
#[cold]
#[inline(never)]
fn serve_unknown<P, F, Fut>(
    mounted: &Arc<Mounted<P>>,
    call: Call,
    spec: &'static ActionSpec,
    request: Request,
    action: F,
) -> Serving<Fut>
where
    P: Plugin,
    F: FnOnce(Arc<P::Context>, Request) -> Fut + Send + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let runtime = mounted.runtime();
    let admission = &runtime.admission;
    // Calls by name are no requests: nobody sends too many of them by mistake.
    let is_counted = !admission.is_call(request.extensions());
    if admission.must_wait() {
        let (mounted, span) = (Arc::clone(mounted), call.span().clone());
        let admitting = async move {
            let (parts, body) = request.into_parts();
            let runtime = mounted.runtime();
            let admitted = runtime.admission.admit(&parts).await;
            let tenant = admitted.map_err(|refused| runtime.refusal(refused, &parts.headers))?;
            Call::tell_tenant(&span, &tenant);
            let request = Request::from_parts(parts, body);
            Ok(enter(&mounted, tenant, is_counted, request, action).await)
        };
        return Serving::new(call, runtime, spec, Work::Admitting { admitting: Box::pin(admitting) });
    }
    let work = match admission.admit_now(request.headers(), request.uri(), request.extensions()) {
        Ok(Ok(tenant)) => {
            call.tenant(&tenant);
            if is_counted && tenant.is_limited() {
                let mounted = Arc::clone(mounted);
                let admitting = async move { Ok(enter(&mounted, tenant, is_counted, request, action).await) };
                Work::Admitting { admitting: Box::pin(admitting) }
            } else {
                let context = Arc::new(P::Context::new(mounted, tenant));
                Work::Running { running: action(context, request) }
            }
        }
        Ok(Err(id)) => {
            let (mounted, span) = (Arc::clone(mounted), call.span().clone());
            let admitting = async move {
                let runtime = mounted.runtime();
                let admitted = runtime.admission.directory.admit(&id).await;
                let tenant = admitted.map_err(|refused| runtime.refusal(refused, request.headers()))?;
                Call::tell_tenant(&span, &tenant);
                Ok(enter(&mounted, tenant, is_counted, request, action).await)
            };
            Work::Admitting { admitting: Box::pin(admitting) }
        }
        Err(refused) => Work::Refused { answer: Some(Error::from(refused).into_response()) },
    };
    Serving::new(call, runtime, spec, work)
}

/// Begins to serve a request of a tenant that was admitted, within its limits if it is counted.
async fn enter<P, F, Fut>(
    mounted: &Arc<Mounted<P>>,
    tenant: Tenant,
    is_counted: bool,
    request: Request,
    action: F,
) -> Entered<Fut>
where
    P: Plugin,
    F: FnOnce(Arc<P::Context>, Request) -> Fut,
    Fut: Future<Output = Response>,
{
    let new = |tenant: &Tenant| P::Context::new(mounted, tenant.clone());
    let remembered = mounted.runtime().admission.directory.context_of(&tenant, mounted.slot(), new);
    let context = remembered.unwrap_or_else(|| Arc::new(new(&tenant)));
    if is_counted {
        within_limits(&tenant, || action(context, request)).await
    } else {
        Entered::Free(action(context, request))
    }
}

#[inline]
pub(super) fn limit_body(runtime: &Runtime, request: &mut Request) {
    if runtime.body_limit != AXUM_BODY_LIMIT && !http_body::Body::is_end_stream(request.body()) {
        DefaultBodyLimit::max(runtime.body_limit).apply(request);
    }
}

pin_project! {
    /// What is done with a request.
    #[project = Step]
    pub(super) enum Work<Fut> {
        Running { #[pin] running: Fut },
        Admitting { admitting: BoxFuture<'static, Result<Entered<Fut>, Error>> },
        Refused { answer: Option<Response> },
    }
}

impl<Fut: Future<Output = Response>> Future for Work<Fut> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        loop {
            match self.as_mut().project() {
                Step::Running { running } => return running.poll(context),
                Step::Admitting { admitting } => match ready!(admitting.as_mut().poll(context)) {
                    Ok(Entered::Free(running)) => self.set(Self::Running { running }),
                    Ok(Entered::Answered(answer)) => return Poll::Ready(answer),
                    Err(refused) => return Poll::Ready(refused.into_response()),
                },
                // Ready at the first poll, and there is no second one.
                Step::Refused { answer } => {
                    return answer.take().map_or(Poll::Pending, Poll::Ready);
                }
            }
        }
    }
}

pin_project! {
    /// What [`serve`] gives: a request on its way to its answer.
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct Serving<Fut> {
        #[pin]
        work: Supervised<Work<Fut>>,
        // Cloned once, here or at the end; a counted reference to the plugin would be one more.
        vary: Option<HeaderValue>,
        spec: &'static ActionSpec,
    }
}

impl<Fut: Future<Output = Response>> Serving<Fut> {
    pub(super) fn new(call: Call, runtime: &Runtime, spec: &'static ActionSpec, work: Work<Fut>) -> Self {
        let limit = spec.timeout.unwrap_or(runtime.request_timeout);
        Self { work: supervise(call, Some(limit), work), vary: runtime.vary.clone(), spec }
    }
}

impl<Fut: Future<Output = Response>> Future for Serving<Fut> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = match ready!(this.work.as_mut().poll(context)) {
            Ok(response) => response,
            Err(stopped) => stopped.answer().into_response(),
        };
        if let Some(status) = this.spec.status
            && response.status() == StatusCode::OK
            && let Ok(status) = StatusCode::from_u16(status)
        {
            *response.status_mut() = status;
        }
        if let Some(vary) = this.vary.take() {
            response.headers_mut().append(VARY, vary);
        }
        finish(this.work.as_ref().get_ref().call(), &mut response);
        Poll::Ready(Ok(response))
    }
}

/// Logs what the client must not see, and names the request.
fn finish(call: &Call, response: &mut Response) {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if (failed || call.id.is_given())
        && let Some(id) = call.id.to_header()
    {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    if failed && let Some(Cause(cause)) = response.extensions_mut().remove::<Cause>() {
        let status = response.status().as_u16();
        let chain = chain(cause.as_ref());
        call.span().in_scope(|| {
            if status >= 500 {
                tracing::error!(status, request_id = %call.id, error = %chain, "the action failed");
            } else {
                tracing::debug!(status, request_id = %call.id, error = %chain, "the action was refused");
            }
        });
    }
}
