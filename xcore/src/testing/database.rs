//! A database of its own for one test, on a server that the environment names.

use sea_orm::DbErr;

/// The address of an empty database. `None` when the environment names no server.
#[cfg(feature = "postgres")]
pub(super) async fn fresh() -> Result<Option<String>, DbErr> {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sea_orm::{ConnectionTrait, Database};

    static NUMBER: AtomicUsize = AtomicUsize::new(0);

    let Ok(server) = std::env::var("XCORE_TEST_DATABASE") else { return Ok(None) };
    let server = server.trim_end_matches('/');
    let admin = Database::connect(format!("{server}/postgres")).await?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("xcore_test_{}_{number}", std::process::id());
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    admin.close().await?;
    Ok(Some(format!("{server}/{name}")))
}

/// The embedded database is the only one that is built in.
#[cfg(not(feature = "postgres"))]
#[expect(clippy::unused_async, reason = "the other one waits")]
pub(super) async fn fresh() -> Result<Option<String>, DbErr> {
    Ok(None)
}
