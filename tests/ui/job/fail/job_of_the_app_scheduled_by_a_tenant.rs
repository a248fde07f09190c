#![allow(unused)]

use xcore::prelude::*;

#[xcore::plugin(services(scheduler))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[job(every = "1h", per = "app")]
    async fn sweep(&self, ctx: &AppContext<Self>) {}

    #[action]
    async fn ask(&self, ctx: &OrdersContext) -> Result<()> {
        Ok(ctx.scheduler.cron("mine", "@daily", OrdersJobs::sweep()).await?)
    }
}

fn main() {}
