//! The alarm on tokio-cron-scheduler, in real time.

use super::super::alarm::CronAlarm;
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_alarm_rings_after_its_time_and_can_be_set_again() {
    let alarm = CronAlarm::default();
    for _ in 0..2 {
        // Far away, then replaced by a near one, which must be the one that rings.
        alarm.arm(Utc::now() + TimeDelta::days(1)).await.unwrap();
        let at = DateTime::from_timestamp(Utc::now().timestamp() + 2, 0).unwrap();
        alarm.arm(at).await.unwrap();
        tokio::time::timeout(seconds(20), alarm.rung()).await.expect("it rings");
        assert!(Utc::now() >= at, "it rang early");
        println!("the alarm rang {} ms late", (Utc::now() - at).num_milliseconds());
    }
    alarm.arm(DateTime::UNIX_EPOCH - TimeDelta::days(1)).await.unwrap();
    tokio::time::timeout(seconds(20), alarm.rung()).await.expect("a time that has passed rings at once");
    alarm.stop().await;
    alarm.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_run_on_the_real_clock() {
    let seen = Arc::new(Recorder::default());
    let scheduler = Scheduler::memory(SchedulerSettings::default()).unwrap();
    scheduler.register(StaticJob { plugin: "orders", job: "ok", schedule: None, rules: Rules::default() });
    scheduler.start(Arc::new(Runner(Arc::clone(&seen)))).await.unwrap();
    let acme = scheduler.tenant(&Tenant::admit(id("acme"), 0));
    let begin = Utc::now();
    acme.every("often", seconds(1), call("ok")).await.unwrap();
    acme.after("once", Duration::from_millis(4_200), call("ok")).await.unwrap();
    eventually("the jobs run", || async {
        seen.counts().get("acme:once") == Some(&1)
            && seen.counts().get("acme:often").is_some_and(|count| *count >= 4)
    })
    .await;
    for run in seen.begun() {
        assert!(run.tick > begin && run.tick <= Utc::now());
    }
    scheduler.shutdown(seconds(10)).await;
}
