//! Jobs with every option, and with none.

use xcore::prelude::*;

/// What a job is given.
#[derive(xcore::serde::Serialize, xcore::serde::Deserialize)]
#[serde(crate = "xcore::serde")]
struct Mail {
    text: String,
}

/// Works by itself.
#[xcore::plugin(services(scheduler))]
#[derive(Debug)]
pub struct Worker;

#[xcore::plugin]
impl Worker {
    /// Six fields.
    ///
    /// And a longer story.
    #[job(cron = "0 0 6 * * MON-FRI", timezone = "Europe/Berlin", overlap = "skip", timeout = "5m")]
    async fn six(&self, _ctx: &WorkerContext) -> Result<()> {
        Ok(())
    }

    /// Five fields.
    #[job(cron = "*/5 * * * *", overlap = "queue")]
    async fn five(&self, _ctx: &WorkerContext) {}

    /// A nickname, and what happens when it fails or is late.
    #[job(cron = "@daily", overlap = "allow", retries = 3, backoff = "1m", jitter = "10m", misfire = "all(7)")]
    async fn nick(&self, _ctx: &WorkerContext) {}

    /// Again and again.
    #[job(every = "30s", retries = 1, misfire = "skip")]
    async fn often(&self, _ctx: &WorkerContext) {}

    /// Once, for all.
    #[job(cron = "@daily", per = "app", retries = 2)]
    async fn sweep(&self, ctx: &AppContext<Self>) -> Result<()> {
        assert_eq!(ctx.app_name(), "app");
        Ok(())
    }

    /// When it is asked to, with an error of its own.
    #[job]
    async fn asked(&self, _ctx: &WorkerContext) -> std::result::Result<(), std::fmt::Error> {
        Ok(())
    }

    /// With what it is given.
    #[job(retries = 2)]
    async fn send(&self, _ctx: &WorkerContext, (to, copy): (String, Option<String>), Mail { text }: Mail) {
        println!("{to} {copy:?} {text}");
    }

    /// Ask it to.
    #[action]
    async fn ask(&self, ctx: &WorkerContext) -> Result<()> {
        let mail = Mail { text: "hello".to_owned() };
        ctx.enqueue(WorkerJobs::send(("ada".to_owned(), None), mail)).await?;
        ctx.scheduler.cron("asked", "0 6 * * *", WorkerJobs::asked()).await?;
        Ok(())
    }
}

xcore::app! { Worker }

fn main() -> std::process::ExitCode {
    App::run()
}
