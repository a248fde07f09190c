//! What is counted of jobs.

use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use super::*;

#[test]
fn runs_are_counted_by_job_and_outcome_and_never_by_tenant() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let bench = Bench::new(SchedulerSettings::default());
            let rules = Rules { retries: Retries::new(1, seconds(10)), ..Rules::default() };
            bench.scheduler.register(StaticJob { plugin: "orders", job: "fails", schedule: None, rules });
            bench.start().await;
            for tenant in ["acme", "globex"] {
                for job in ["ok", "fails", "hangs"] {
                    bench.tenant(tenant).cron(job, "0 * * * * *", call(job)).await.unwrap();
                }
            }
            bench.until("2030-01-01T00:02:30Z").await;
        });
    });
    let mut counts = BTreeMap::new();
    for (key, _, _, value) in snapshots.snapshot().into_vec() {
        let labels: Vec<_> =
            key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let labels = labels.join(",");
        assert!(!labels.contains("acme") && !labels.contains("globex"), "{labels}");
        let value = match value {
            DebugValue::Counter(count) => count as usize,
            DebugValue::Histogram(values) => values.len(),
            DebugValue::Gauge(_) => continue,
        };
        counts.insert(format!("{}{{{labels}}}", key.key().name()), value);
    }
    let of = |name: &str| counts.get(name).copied().unwrap_or_default();
    assert_eq!(of("xcore_job_runs_total{job=orders.ok,outcome=done}"), 4, "{counts:?}");
    assert_eq!(of("xcore_job_runs_total{job=orders.fails,outcome=failed}"), 8, "each attempt");
    assert_eq!(of("xcore_job_retries_total{job=orders.fails}"), 4);
    assert_eq!(of("xcore_job_ticks_left_out_total{job=orders.hangs}"), 2);
    assert_eq!(of("xcore_job_run_seconds{job=orders.ok}"), 4);
    assert_eq!(of("xcore_job_lateness_seconds{job=orders.hangs}"), 2);
}
