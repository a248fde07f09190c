//! Requests of tenants whose plan limits them: refused with 429, or served and told how the tenant stands.
//!
//! The fields are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what there is, `RateLimit` what is left of it.

use std::fmt::Write;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::error::Error;
use crate::tenancy::{Limit, OverLimit, Plan, Standing, Tenant};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What has become of a request when its tenant was admitted.
pub(super) enum Entered<Fut> {
    /// It is to be served: nothing limits it.
    Free(Fut),
    /// It was served within its limits, or refused.
    Answered(Response),
}

/// Serves a request of a tenant within the limits of its plan.
pub(super) async fn within_limits<Fut: Future<Output = Response>>(
    tenant: &Tenant,
    serve: impl FnOnce() -> Fut,
) -> Entered<Fut> {
    let Some(plan) = tenant.request_limits() else { return Entered::Free(serve()) };
    Entered::Answered(match tenant.take_place(plan) {
        Ok(place) => {
            let mut response = serve().await;
            tell(&mut response, &place.plan, place.standing, place.in_service);
            response
        }
        Err(over) => refuse(&over),
    })
}

#[cold]
fn refuse(over: &OverLimit) -> Response {
    let (policy, detail) = match over.limit {
        Limit::RequestsPerSecond(limit) => {
            ("requests", format!("the tenant may send {limit} requests a second, and has sent more"))
        }
        Limit::ConcurrentRequests(limit) => (
            "concurrent",
            format!("{limit} requests of the tenant are being served, and no more are at once"),
        ),
    };
    let answer = Error::own(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", Some(detail));
    let mut response = answer.with("violated-policies", vec![policy]).retry_after(over.after).into_response();
    tell(&mut response, &over.plan, over.standing, over.in_service);
    response
}

/// Says how the tenant stands.
fn tell(response: &mut Response, plan: &Plan, standing: Option<Standing>, in_service: u32) {
    let (mut policy, mut limit) = (String::with_capacity(64), String::with_capacity(48));
    if let (Some(rate), Some(standing)) = (plan.rate, standing) {
        // After this window the whole burst is there again.
        let window = rate.burst.div_ceil(rate.per_second);
        let rested = seconds(standing.rested_in);
        // Writing to a text cannot fail.
        let _ = write!(policy, "\"requests\";q={};w={window}", rate.burst);
        let _ = write!(limit, "\"requests\";r={};t={rested}", standing.remaining);
    }
    if let Some(concurrent) = plan.concurrent_requests {
        let comma = if policy.is_empty() { "" } else { ", " };
        let _ = write!(policy, "{comma}\"concurrent\";q={concurrent};qu=\"concurrent-requests\"");
        let _ = write!(limit, "{comma}\"concurrent\";r={}", concurrent.saturating_sub(in_service));
    }
    for (name, value) in [(POLICY, policy), (RATE_LIMIT, limit)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// In full seconds, and never too few.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
