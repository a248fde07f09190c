//! What the server's backends hold.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// Private memory of the backends that serve `side`, in MiB for each.
pub(crate) async fn of_backends(db: &DatabaseConnection, side: &str) -> f64 {
    let text = format!("SELECT pid FROM pg_stat_activity WHERE application_name = '{side}'");
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await.unwrap();
    let held: Vec<f64> = rows
        .iter()
        .filter_map(|row| {
            let pid: i32 = row.try_get("", "pid").unwrap();
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
            let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kib / 1024.0)
        })
        .collect();
    held.iter().sum::<f64>() / held.len().max(1) as f64
}
