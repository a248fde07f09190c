//! Work that is put in line within a transaction of the tenant's database.

use std::sync::atomic::Ordering;

use sea_orm::TransactionTrait;

use super::*;
use crate::db::{ServerSettings, Servers, TenantDb};
use crate::scheduler::{Admit, Admitted, Outbox, Rounds};

/// A process: a scheduler with an outbox, and the tenants that it admits.
struct Process {
    servers: Servers,
    outbox: Arc<Outbox>,
    scheduler: Scheduler,
    seen: Arc<Recorder>,
    rounds: tokio::sync::Mutex<Rounds>,
    tenants: Mutex<BTreeMap<TenantId, Tenant>>,
}

impl Admit for Process {
    fn admit(&self, id: TenantId) -> BoxFuture<'_, Admitted> {
        let admitted = self.tenants.lock().unwrap().get(&id).cloned();
        std::future::ready(admitted.map_or(Admitted::Gone, Admitted::Active)).boxed()
    }
}

impl Process {
    async fn new(base: &Base) -> Self {
        let settings = DatabaseSettings::new(&base.url, base.folder.path()).unwrap();
        let servers = Servers::open(vec![ServerSettings { name: None, settings }]).await.unwrap();
        servers.migrate_directory(&[Migrations::of::<Tables>("xcore")]).await.unwrap();
        let store = Arc::new(Stored::new(servers.directory(), Keep::default()));
        let outbox = Outbox::new(servers.clone(), Arc::clone(&store) as _, true, true);
        let settings = SchedulerSettings { lease: seconds(3), ..SchedulerSettings::default() };
        let scheduler = Scheduler::stored(store, settings).unwrap();
        scheduler.set_outbox(Arc::clone(&outbox));
        for job in ["ok", "fails"] {
            scheduler.register(StaticJob { plugin: "orders", job, schedule: None, rules: Rules::default() });
        }
        outbox.prepare().await.unwrap();
        let (rounds, tenants) = Default::default();
        Self { servers, outbox, scheduler, seen: Arc::default(), rounds, tenants }
    }

    async fn tenant_in(&self, name: &str, life: i64) -> (TenantDb, TenantScheduler) {
        self.servers.at(&id(name), None).unwrap().provision(&id(name)).await.unwrap();
        self.scheduler.tenant_activated(&id(name), life).await.unwrap();
        let tenant = Tenant::admit(id(name), life);
        self.tenants.lock().unwrap().insert(id(name), tenant.clone());
        (self.servers.tenant(&tenant), self.scheduler.tenant(&tenant))
    }

    async fn tenant(&self, name: &str) -> (TenantDb, TenantScheduler) {
        self.tenant_in(name, 1).await
    }

    async fn start(&self) {
        self.scheduler.start(Arc::new(Runner(Arc::clone(&self.seen)))).await.unwrap();
    }

    async fn round(&self) {
        self.outbox.round(&mut *self.rounds.lock().await, self).await;
        self.scheduler.wake();
    }

    fn ran(&self, name: &str) -> usize {
        self.seen.begun().iter().filter(|run| run.tenant == name).count()
    }

    /// Waits until nothing can come any more.
    async fn calm(&self) {
        self.round().await;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }

    /// As `kill -9` would end it: nothing is brought any more. What SQLite has committed stays.
    async fn die(self) {
        self.scheduler.shutdown(Duration::ZERO).await;
        self.servers.close().await;
    }
}

#[tokio::test]
async fn work_runs_if_and_only_if_its_transaction_and_its_savepoint_are_committed() {
    for base in Base::all().await {
        let process = Process::new(&base).await;
        let (db, acme) = process.tenant("acme").await;
        process.start().await;
        let ok = || call("ok");

        let kept = db.begin().await.unwrap();
        acme.enqueue(ok()).within(&kept).await.unwrap();
        let undone = kept.begin().await.unwrap();
        acme.enqueue(ok()).within(&undone).await.unwrap();
        undone.rollback().await.unwrap();
        let dropped = kept.begin().await.unwrap();
        acme.enqueue(ok()).within(&dropped).await.unwrap();
        drop(dropped);
        let inner = kept.begin().await.unwrap();
        acme.enqueue(ok()).within(&inner).await.unwrap();
        inner.commit().await.unwrap();
        process.calm().await;
        assert_eq!(process.ran("acme"), 0, "nothing is committed yet");
        kept.commit().await.unwrap();

        let undone = db.begin().await.unwrap();
        acme.enqueue(ok()).within(&undone).await.unwrap();
        undone.rollback().await.unwrap();
        let dropped = db.begin().await.unwrap();
        acme.enqueue(ok()).within(&dropped).await.unwrap();
        drop(dropped);
        process.round().await;
        eventually("what was kept runs", async || process.ran("acme") == 2).await;
        process.calm().await;
        assert_eq!(process.ran("acme"), 2);
        process.die().await;
    }
}

#[tokio::test]
async fn only_a_transaction_of_the_tenants_own_database_is_taken() {
    for base in Base::all().await {
        let process = Process::new(&base).await;
        let (_db, acme) = process.tenant("acme").await;
        let (other, _) = process.tenant("globex").await;
        let of_other = other.begin().await.unwrap();
        let refused = acme.enqueue(call("ok")).within(&of_other).await;
        assert!(matches!(refused, Err(SchedulerError::OtherTransaction)), "{refused:?}");
        let of_all = process.servers.shared().begin().await.unwrap();
        let refused = acme.enqueue(call("ok")).within(&of_all).await;
        assert!(matches!(refused, Err(SchedulerError::OtherTransaction)), "{refused:?}");
        let earlier = process.servers.tenant(&Tenant::admit(id("acme"), 0)).begin().await.unwrap();
        let refused = acme.enqueue(call("ok")).within(&earlier).await;
        assert!(matches!(refused, Err(SchedulerError::OtherTransaction)), "{refused:?}");
        drop((of_other, of_all, earlier));
        process.die().await;
    }
}

/// A row that was brought is taken out afterwards; a process that dies in between has not.
#[tokio::test]
async fn what_is_brought_twice_runs_once() {
    for base in Base::all().await {
        for forgets in [false, true] {
            let process = Process::new(&base).await;
            let name = if forgets { "globex" } else { "acme" };
            let (db, tenant) = process.tenant(name).await;
            process.outbox.mutants.dies_between.store(true, Ordering::Relaxed);
            process.outbox.mutants.forgets_keys.store(forgets, Ordering::Relaxed);
            process.start().await;
            let begun = db.begin().await.unwrap();
            tenant.enqueue(call("ok")).within(&begun).await.unwrap();
            begun.commit().await.unwrap();
            process.round().await;
            eventually("it ran", async || process.ran(name) > 0).await;
            assert!(forgets || process.ran(name) == 1);
            process.die().await;

            let process = Process::new(&base).await;
            process.tenant(name).await;
            process.outbox.mutants.forgets_keys.store(forgets, Ordering::Relaxed);
            process.start().await;
            process.calm().await;
            assert_eq!(process.ran(name) > 0, forgets, "with a key of its own each time it runs again");
            process.die().await;
        }
    }
}

#[tokio::test]
async fn what_was_committed_runs_after_a_restart() {
    for base in Base::all().await {
        let process = Process::new(&base).await;
        let (db, acme) = process.tenant("acme").await;
        let begun = db.begin().await.unwrap();
        acme.enqueue(call("ok").with_arguments(&(1,))).within(&begun).await.unwrap();
        begun.commit().await.unwrap();
        drop((db, acme));
        process.die().await;

        let process = Process::new(&base).await;
        process.tenant("acme").await;
        process.start().await;
        process.round().await;
        eventually("it runs", async || process.ran("acme") == 1).await;
        process.die().await;
    }
}

async fn marks(process: &Process) -> Vec<String> {
    let directory = process.servers.directory();
    let text = "SELECT tenant FROM xcore_outbox_marks ORDER BY tenant";
    let statement = sea_orm::Statement::from_string(directory.get_database_backend(), text);
    let rows = directory.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "tenant").unwrap()).collect()
}

/// The files of thousands of tenants are not opened at a start: those that are marked are.
#[tokio::test]
async fn a_mark_stands_before_the_row_and_goes_when_there_is_none() {
    let base = Base::sqlite();
    let process = Process::new(&base).await;
    let (db, acme) = process.tenant("acme").await;
    process.tenant("globex").await;
    process.start().await;
    let begun = db.begin().await.unwrap();
    acme.enqueue(call("ok")).within(&begun).await.unwrap();
    assert_eq!(marks(&process).await, ["acme"]);
    process.round().await;
    assert_eq!(marks(&process).await, ["acme"], "a transaction is open");
    begun.commit().await.unwrap();
    process.round().await;
    assert_eq!(marks(&process).await, ["acme"], "it is looked at again later");
    *process.rounds.lock().await = Rounds::default();
    process.round().await;
    assert!(marks(&process).await.is_empty(), "its file holds nothing");

    let begun = db.begin().await.unwrap();
    acme.enqueue(call("ok")).within(&begun).await.unwrap();
    assert_eq!(marks(&process).await, ["acme"], "it is made again");
    begun.rollback().await.unwrap();
    process.tenants.lock().unwrap().clear();
    *process.rounds.lock().await = Rounds::default();
    process.round().await;
    assert!(marks(&process).await.is_empty(), "there is no such tenant");
    process.die().await;
}

#[tokio::test]
async fn without_the_mark_nobody_would_look() {
    let base = Base::sqlite();
    let process = Process::new(&base).await;
    let (db, acme) = process.tenant("acme").await;
    process.outbox.mutants.forgets_marks.store(true, Ordering::Relaxed);
    let begun = db.begin().await.unwrap();
    acme.enqueue(call("ok")).within(&begun).await.unwrap();
    begun.commit().await.unwrap();
    drop((db, acme));
    process.die().await;
    let process = Process::new(&base).await;
    process.tenant("acme").await;
    process.start().await;
    process.calm().await;
    assert_eq!(process.ran("acme"), 0);
    process.die().await;
}

/// In a file a row says whose it is, and nobody listens.
#[tokio::test]
async fn a_row_in_a_tenants_file_is_that_tenants_whatever_it_says() {
    let base = Base::sqlite();
    let process = Process::new(&base).await;
    let (db, acme) = process.tenant("acme").await;
    process.tenant("globex").await;
    let begun = db.begin().await.unwrap();
    acme.enqueue(call("ok")).within(&begun).await.unwrap();
    begun.execute_unprepared("UPDATE xcore_outbox SET tenant = 'globex', life = 1").await.unwrap();
    begun.commit().await.unwrap();
    process.start().await;
    process.round().await;
    eventually("it runs", async || process.ran("acme") == 1).await;
    assert_eq!(process.ran("globex"), 0);
    process.die().await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn the_next_tenant_of_a_name_gets_nothing_of_the_former_and_a_new_name_all() {
    let base = Base::postgres().await;
    let process = Process::new(&base).await;
    let (db, acme) = process.tenant("acme").await;
    let enqueue = async || {
        let begun = db.begin().await.unwrap();
        acme.enqueue(call("ok")).within(&begun).await.unwrap();
        begun.commit().await.unwrap();
    };
    enqueue().await;
    process.scheduler.tenant_removed(&id("acme"), 1).await.unwrap();
    let (_, next) = process.tenant_in("acme", 2).await;
    process.start().await;
    process.calm().await;
    assert_eq!(process.ran("acme"), 0, "it was the former's");
    assert!(next.dead_letters().list().await.unwrap().is_empty());

    process.tenant_in("initech", 3).await;
    enqueue().await;
    process.scheduler.take_over_queued((&id("acme"), 1), (&id("initech"), 3), None).await.unwrap();
    process.round().await;
    eventually("it runs", async || process.ran("initech") == 1).await;
    assert_eq!(process.ran("acme"), 0);
    process.die().await;
}
