//! Counts visits, for each tenant on its own.
//!
//! ```text
//! cargo run -p quickstart
//! curl -H 'X-Tenant-ID: acme' http://127.0.0.1:8081/visits
//! ```

use xcore::prelude::*;

/// Counts visits.
#[xcore::plugin(services(cache))]
struct Visits;

#[xcore::plugin]
impl Visits {
    /// Count a visit.
    #[action(get = "/")]
    async fn visit(&self, ctx: &VisitsContext) -> Result<String> {
        let visits = ctx.cache.incr("visits", 1).await?; // the key `acme:visits`
        Ok(format!("{} was visited {visits} times\n", ctx.tenant))
    }
}

xcore::app! { Visits }

fn main() -> std::process::ExitCode {
    App::run()
}
