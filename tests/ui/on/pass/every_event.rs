//! Every hook.

use xcore::prelude::*;

/// Looks after tenants.
#[xcore::plugin(services(cache))]
#[derive(Debug)]
pub struct Host;

#[xcore::plugin]
impl Host {
    #[on(start)]
    async fn started(&self, app: &AppContext<Self>) -> Result<()> {
        if app.app_name().is_empty() {
            return Err(Error::bad_request("no name"));
        }
        Ok(())
    }

    #[on(stop)]
    async fn stopped(&self) {}

    #[on(tenant_created)]
    async fn welcome(&self, ctx: &HostContext) -> Result<()> {
        ctx.cache.set("welcome", &true).await?;
        Ok(())
    }

    #[on(tenant_deleted)]
    async fn goodbye(&self, _ctx: &HostContext) {}
}

xcore::app! { Host }

fn main() -> std::process::ExitCode {
    App::run()
}
