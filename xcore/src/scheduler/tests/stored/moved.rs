//! Jobs that a tenant takes along: to another name, or from an archive.

use super::*;

fn program(store: Stored<SharedDb>) -> Scheduler {
    let scheduler = Scheduler::stored(Arc::new(store), SchedulerSettings::default()).unwrap();
    for job in ["ok", "fails"] {
        let rules = Rules { retries: Retries::new(3, seconds(1)), ..Rules::default() };
        scheduler.register(StaticJob { plugin: "orders", job, schedule: None, rules });
    }
    scheduler
}

fn handle(scheduler: &Scheduler, tenant: &str) -> TenantScheduler {
    scheduler.tenant(&Tenant::admit(id(tenant), 1))
}

async fn listed(handle: &TenantScheduler) -> Vec<(String, Schedule, bool)> {
    let jobs = handle.list().await.unwrap();
    jobs.into_iter().map(|job| (job.id, job.schedule, job.paused)).collect()
}

async fn with_three_jobs(scheduler: &Scheduler) -> TenantScheduler {
    scheduler.tenant_activated(&id("acme"), 1).await.unwrap();
    let acme = handle(scheduler, "acme");
    acme.cron("cron", "0 30 6 * * MON", call("ok")).await.unwrap();
    acme.every("every", seconds(90), call("fails")).await.unwrap();
    acme.at("at", time("2130-01-01T00:00:00.125Z"), call("ok")).await.unwrap();
    acme.pause("every").await.unwrap();
    acme
}

#[tokio::test]
async fn jobs_from_an_archive_are_those_that_went_into_it() {
    for base in Base::all().await {
        let (database, store) = base.store().await;
        let scheduler = program(store);
        let acme = with_three_jobs(&scheduler).await;
        let text = serde_json::to_string(&scheduler.jobs_to_move(&id("acme")).await.unwrap()).unwrap();
        let moved: Vec<crate::scheduler::MovedJob> = serde_json::from_str(&text).unwrap();
        scheduler.check_moved(&moved).unwrap();
        scheduler.take_moved(&id("copy"), 1, &moved).await.unwrap();
        let copy = handle(&scheduler, "copy");
        assert_eq!(listed(&copy).await, listed(&acme).await);
        // They rest until the tenant is active, and then all but the paused one come due.
        let due = async || {
            let text = "SELECT count(*) AS n FROM xcore_jobs WHERE owner = 'copy' AND due IS NOT NULL";
            let directory = database.directory();
            let statement = sea_orm::Statement::from_string(directory.get_database_backend(), text);
            directory.query_one_raw(statement).await.unwrap().unwrap().try_get::<i64>("", "n").unwrap()
        };
        assert_eq!(due().await, 0);
        scheduler.tenant_activated(&id("copy"), 1).await.unwrap();
        assert_eq!(due().await, 2);
        assert!(copy.get("every").await.unwrap().unwrap().paused);
        assert_eq!(copy.get("every").await.unwrap().unwrap().retries.most(), 3, "as the program says here");
    }
}

#[tokio::test]
async fn a_tenant_with_another_name_has_its_jobs_once() {
    for base in Base::all().await {
        let (_database, store) = base.store().await;
        let scheduler = program(store);
        let acme = with_three_jobs(&scheduler).await;
        let jobs = scheduler.added_jobs(&id("acme")).await.unwrap();
        let before = listed(&acme).await;
        scheduler.tenant_removed(&id("acme"), 1).await.unwrap();
        for _ in 0..2 {
            scheduler.take_over(&jobs, &id("apex"), 1).await.unwrap();
        }
        scheduler.tenant_activated(&id("apex"), 1).await.unwrap();
        assert_eq!(listed(&handle(&scheduler, "apex")).await.len(), before.len());
        let schedules =
            |jobs: &[(String, Schedule, bool)]| jobs.iter().map(|job| job.1.clone()).collect::<Vec<_>>();
        assert_eq!(schedules(&listed(&handle(&scheduler, "apex")).await), schedules(&before));
        assert!(handle(&scheduler, "apex").get("every").await.unwrap().unwrap().paused, "a pause moves, too");
    }
}
