//! The figures of the connections to a pooler are apart from those to the server.

use metrics_util::debugging::DebuggingRecorder;

use super::super::metrics::Figures;
use super::super::{bake, count};
use super::Behind;

#[tokio::test]
async fn the_pool_of_connections_to_a_pooler_is_told_by_itself() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let behind = Behind::new(2).await;
    let acme = behind.kitchen.tenant("acme").await;
    bake(&acme, "pie").await;
    assert_eq!(count(&acme).await, 1);
    behind.kitchen.database.close().await;
    let mut told = Figures::default();
    told.take(&snapshotter);
    let [pooler, server] = [behind.pooler.port, behind.kitchen.server.port]
        .map(|port| format!("pool=127.0.0.1:{port}/{}", behind.kitchen.name));
    let units = format!("{pooler} way=in_unit");
    assert!(told.of("xcore_db_statements_total", &units) >= 3.0);
    assert!(told.of("xcore_db_switches_total", &pooler) >= 3.0);
    assert_eq!(told.of("xcore_db_statements_total", &format!("{server} way=in_unit")), 0.0);
    assert!(told.of("xcore_db_connect_seconds", &server) >= 1.0);
}
