//! Actions, jobs and hooks that are there on some platforms only, twice under one name, and on one route.

use xcore::prelude::*;

/// What only exists with a feature that is off.
#[cfg(feature = "missing")]
use absent::Absent;

/// Takes orders.
#[xcore::plugin]
#[derive(Debug)]
pub struct Orders;

#[xcore::plugin]
impl Orders {
    /// With the feature.
    #[cfg(feature = "extra")]
    #[action(get = "/")]
    async fn list(&self, _ctx: &OrdersContext) -> &'static str {
        "extra"
    }

    /// Without the feature.
    #[cfg(not(feature = "extra"))]
    #[action(get = "/")]
    async fn list(&self, _ctx: &OrdersContext) -> Absent {
        Absent
    }

    /// Never compiled, so its types need not exist.
    #[cfg(feature = "missing")]
    #[action(post = "/", callers = [Absent])]
    async fn place(&self, _ctx: &OrdersContext, _new: Absent) -> Absent {
        Absent
    }

    /// Never compiled.
    #[cfg(feature = "missing")]
    #[job(every = "1h")]
    async fn tidy(&self, _ctx: &OrdersContext) -> Absent {
        Absent
    }

    /// Compiled.
    #[cfg(feature = "extra")]
    #[job(every = "1h")]
    async fn report(&self, _ctx: &OrdersContext) {}

    #[cfg(feature = "missing")]
    #[on(start)]
    async fn started(&self) -> Absent {
        Absent
    }

    #[cfg(not(feature = "missing"))]
    #[on(start)]
    async fn started(&self) {}

    /// A lint of the user's own, and an attribute that changes nothing.
    #[allow(clippy::needless_pass_by_value)]
    #[cfg_attr(feature = "extra", doc = "With more docs.")]
    #[action]
    async fn cancel(&self, _ctx: &OrdersContext, Json(_reason): Json<String>) {}
}

/// A plugin that is not there at all.
#[cfg(feature = "missing")]
#[xcore::plugin(config = Absent)]
#[derive(Debug)]
pub struct Missing;

#[cfg(feature = "missing")]
#[xcore::plugin]
impl Missing {
    #[action]
    async fn nothing(&self, _ctx: &MissingContext) -> Absent {
        Absent
    }
}

/// The attribute before the condition.
#[xcore::plugin(config = Absent)]
#[cfg(feature = "missing")]
#[derive(Debug)]
pub struct Later;

#[xcore::plugin]
#[cfg(feature = "missing")]
impl Later {
    #[action]
    async fn nothing(&self, _ctx: &LaterContext) -> Absent {
        Absent
    }
}

xcore::app! { Orders }

fn main() -> std::process::ExitCode {
    App::run()
}
