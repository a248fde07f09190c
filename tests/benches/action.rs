//! What an action costs above a bare axum handler: the tenant of the request, its context with a database, a cache and
//! a scheduler, the time limit, the panic barrier and the span.
//!
//! `cargo bench -p xcore-tests --bench action`; with `--features allocations` it counts them instead, and the times, of which
//! the counting takes a part, do not count. The rounds interleave the two, so that a machine that gets slower or
//! faster does so for both.
#![allow(clippy::unwrap_used, reason = "a bench without its app has nothing to measure")]

use std::sync::LazyLock;

use divan::Bencher;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use xcore::__private::PluginActions;
use xcore::Plugin;
use xcore::axum::Router;
use xcore::axum::body::Body;
use xcore::axum::extract::Request;
use xcore::axum::routing::get;
use xcore_tests::Rig;
use xcore_tests::plugins::board::{Board, Clerk};
use xcore_tests::plugins::desk::Desk;
use xcore_tests::plugins::echo::Echo;
use xcore_tests::plugins::notes::Notes;
use xcore_tests::plugins::probe::Probe;

#[cfg(feature = "allocations")]
#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

/// The tenant comes from the header.
static RIG: LazyLock<Rig> = LazyLock::new(|| RUNTIME.block_on(Rig::set(&[("tenancy.subdomain", "false")])));

/// The host is asked too, and has to agree.
static RIG_WITH_HOST: LazyLock<Rig> = LazyLock::new(|| RUNTIME.block_on(Rig::start()));

/// As many routes as the app has, at the same paths, without the app.
static BARE: LazyLock<Router> = LazyLock::new(|| {
    let mut paths: Vec<String> = Vec::new();
    for (plugin, actions) in [
        (Echo::PATH, Echo::ACTIONS),
        (Notes::PATH, Notes::ACTIONS),
        (Desk::PATH, Desk::ACTIONS),
        (Board::PATH, Board::ACTIONS),
        (Clerk::PATH, Clerk::ACTIONS),
        (Probe::PATH, Probe::ACTIONS),
    ] {
        let public = actions.iter().filter(|action| !action.internal);
        paths.extend(public.map(|action| format!("/v1{plugin}{}", action.path.trim_end_matches('/'))));
    }
    paths.sort_unstable();
    paths.dedup();
    paths
        .into_iter()
        .fold(Router::new(), |router, path| router.route(&path, get(async || "pong")))
        .with_state(())
});

static XCORE: LazyLock<Router> = LazyLock::new(|| RIG.router());

static XCORE_WITH_HOST: LazyLock<Router> = LazyLock::new(|| RIG_WITH_HOST.router());

fn measure(bencher: Bencher<'_, '_>, router: &Router, path: &str) {
    let request = || {
        Request::get(path)
            .header("x-tenant-id", "acme")
            .header("host", "acme.rig.localhost")
            .body(Body::empty())
            .unwrap()
    };
    let answer = RUNTIME.block_on(router.clone().oneshot(request())).unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    bencher
        .with_inputs(|| (router.clone(), request()))
        .bench_local_values(|(router, request)| RUNTIME.block_on(router.oneshot(request)));
}

/// The same work as of a directory hit, without a directory: a counted reference to a tenant that is at hand.
fn at_hand(bencher: Bencher<'_, '_>) {
    let tenant = admitted();
    bencher.bench_local(|| std::hint::black_box(&tenant).clone());
}

/// A tenant that the directory remembers.
fn directory_hit(bencher: Bencher<'_, '_>) {
    let tenant = admitted();
    let app = RIG.app();
    bencher.bench_local(|| app.remembered(std::hint::black_box(tenant.id())).unwrap());
}

fn admitted() -> xcore::Tenant {
    let request = Request::get("/v1/notes/ping").header("x-tenant-id", "acme").body(Body::empty()).unwrap();
    RUNTIME.block_on(RIG.send(request));
    RIG.app().remembered(&"acme".parse().unwrap()).unwrap()
}

macro_rules! rounds {
    ($($round:ident)*) => { $(
        mod $round {
            use super::*;

            #[divan::bench(sample_count = 200, sample_size = 500)]
            fn a_bare_handler(bencher: Bencher<'_, '_>) {
                measure(bencher, &BARE, "/v1/notes/ping");
            }

            #[divan::bench(sample_count = 200, sample_size = 500)]
            fn b_xcore_action(bencher: Bencher<'_, '_>) {
                measure(bencher, &XCORE, "/v1/notes/ping");
            }

            #[divan::bench(sample_count = 200, sample_size = 500)]
            fn c_xcore_action_with_host(bencher: Bencher<'_, '_>) {
                measure(bencher, &XCORE_WITH_HOST, "/v1/notes/ping");
            }

            #[divan::bench(sample_count = 200, sample_size = 20_000)]
            fn d_tenant_at_hand(bencher: Bencher<'_, '_>) {
                at_hand(bencher);
            }

            #[divan::bench(sample_count = 200, sample_size = 20_000)]
            fn e_directory_hit(bencher: Bencher<'_, '_>) {
                directory_hit(bencher);
            }
        }
    )* };
}

rounds! { round_1 round_2 round_3 round_4 round_5 }
