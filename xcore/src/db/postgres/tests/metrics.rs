//! The figures of a pool, as an app's recorder gets them.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use sea_orm::{ConnectionTrait, TransactionTrait};
use sqlx::Executor;

use super::{Kitchen, bake, count, eventually, id};
use crate::db::DatabaseError;

/// What was told, by name and labels. Counters and histograms are summed up.
#[derive(Default)]
pub(super) struct Figures {
    values: BTreeMap<String, f64>,
    /// Names without a unit or description.
    undescribed: Vec<String>,
}

impl Figures {
    /// Takes what was told since the last time.
    pub(super) fn take(&mut self, from: &Snapshotter) {
        for (key, unit, description, value) in from.snapshot().into_vec() {
            let (_, key) = key.into_parts();
            let labels: Vec<_> =
                key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = format!("{} {}", key.name(), labels.join(" "));
            if unit.is_none() || description.is_none() {
                self.undescribed.push(name.clone());
            }
            let known = self.values.entry(name).or_default();
            match value {
                DebugValue::Counter(count) => *known += count as f64,
                DebugValue::Gauge(now) => *known = now.into_inner(),
                DebugValue::Histogram(times) => *known += times.len() as f64,
            }
        }
    }

    pub(super) fn of(&self, name: &str, label: &str) -> f64 {
        let wanted = |key: &str| key.split(' ').next() == Some(name) && key.contains(label);
        self.values.iter().filter(|(key, _)| wanted(key)).map(|(_, value)| value).sum()
    }
}

/// All runs on one thread, so that the recorder is that of this test alone.
#[tokio::test]
async fn what_a_pool_does_is_told_to_the_recorder_of_the_app() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let kitchen = Kitchen::with(|settings| {
        settings.connections = 1;
        settings.acquire_timeout = Duration::from_secs(2);
    })
    .await;
    let [acme, globex] = [kitchen.tenant("acme").await, kitchen.tenant("globex").await];
    for name in ["acme", "globex"] {
        let plain = || async { kitchen.pool().plain.admits(&id(name), 0) };
        eventually("that the schema is known", plain).await;
    }
    // In full, by the path, and what costs a reset.
    bake(&acme, "pie").await;
    assert_eq!(count(&globex).await, 0);
    acme.execute_unprepared("SET xcore.mark TO 'was here'").await.unwrap();

    // One waits and gets it, one waits in vain.
    let held = acme.begin().await.unwrap();
    let (waited, ()) = tokio::join!(count(&globex), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        held.rollback().await.unwrap();
    });
    assert_eq!(waited, 0);
    let held = acme.begin().await.unwrap();
    let late = globex.execute_unprepared("SELECT 1").await.unwrap_err();
    assert!(matches!(DatabaseError::find_in(&late), Some(DatabaseError::NoConnection { .. })), "{late}");
    held.rollback().await.unwrap();

    // The connection dies.
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    kitchen.beside().await.execute(kill).await.unwrap();
    eventually("a new connection", || async { globex.execute_unprepared("SELECT 1").await.is_ok() }).await;

    // The pool tells it by itself.
    let mut told = Figures::default();
    let pool = format!("pool=127.0.0.1:{}/{}", kitchen.server.port, kitchen.name);
    eventually("that it is told", || {
        told.take(&snapshotter);
        let lost = told.of("xcore_db_connections_lost_total", &pool);
        async move { lost >= 1.0 }
    })
    .await;
    for (name, label) in [
        ("xcore_db_statements_total", "way=in_full"),
        ("xcore_db_statements_total", "way=by_path"),
        ("xcore_db_switches_total", &pool),
        ("xcore_db_resets_total", &pool),
        ("xcore_db_acquire_wait_seconds", &pool),
        ("xcore_db_acquire_timeouts_total", &pool),
    ] {
        assert!(told.of(name, label) >= 1.0, "{name} {label}: {:?}", told.values);
    }
    assert!(
        told.of("xcore_db_connect_seconds", &pool) >= 2.0,
        "the first one and the one after: {:?}",
        told.values
    );
    assert_eq!(told.of("xcore_db_statements_total", "way=in_unit"), 0.0, "there is no pooler");
    assert_eq!(told.of("xcore_db_connections_max", &pool), 1.0);
    assert_eq!(told.of("xcore_db_acquire_waiting", &pool), 0.0);
    let open =
        told.of("xcore_db_connections", "state=active") + told.of("xcore_db_connections", "state=idle");
    assert!(open <= 1.0, "{:?}", told.values);
    // No name of a tenant, of which there may be any number.
    assert!(told.values.keys().all(|key| key.contains(&pool)), "{:?}", told.values);
    assert!(told.values.keys().all(|key| !key.contains("acme") && !key.contains("globex")));
    assert_eq!(told.undescribed, Vec::<String>::new());

    // What happened since is told when the service closes.
    bake(&acme, "tart").await;
    kitchen.database.close().await;
    let before = told.of("xcore_db_statements_total", "way=");
    told.take(&snapshotter);
    assert!(told.of("xcore_db_statements_total", "way=") > before);
    assert_eq!(told.of("xcore_db_connections", "state="), 0.0, "{:?}", told.values);
}
