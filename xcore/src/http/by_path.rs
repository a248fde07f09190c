//! Routes below the name of a tenant.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::routing::future::RouteFuture;
use futures_util::future::{Either, Ready, ready};
use tower::Service;

use crate::error::Error;
use crate::tenancy::{nameless, split};

/// All routes of the app once more below `{path}/{tenant}`: `/t/acme/v1/orders` is `/v1/orders` of `acme`.
///
/// What is requested without the prefix takes the same way as in an app that has none.
pub(crate) fn below_tenants(path: &str, router: Router) -> Router {
    let nobody = || async { nameless().map_err(Error::from) };
    // Axum takes two slashes behind a nested path for one, and a tenant has one path.
    router
        .clone()
        .route(&format!("{path}//{{*rest}}"), any(nobody))
        .nest_service(path, BelowTenant { router })
}

/// Takes the segment that names the tenant off the path, and leaves it for the source to read.
#[derive(Clone)]
struct BelowTenant {
    router: Router,
}

impl Service<Request> for BelowTenant {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<RouteFuture<Infallible>, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let Some((tenant, rest)) = split(request.uri()) else {
            let answer = Error::bad_request("the path cannot be read").into_response();
            return Either::Right(ready(Ok(answer)));
        };
        *request.uri_mut() = rest;
        request.extensions_mut().insert(tenant);
        Either::Left(self.router.call(request))
    }
}
