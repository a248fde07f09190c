//! The template: what all migrations of this program make, under a name that no tenant has. Tenants are compared with it.

use std::hash::{Hash, Hasher};
use std::time::UNIX_EPOCH;

use super::{DatabaseError, Migrations};

/// What a template is made by: the migrations, and the program that has them. While an app is written, a migration is changed and
/// keeps its name.
pub(super) fn version(migrations: &[Migrations]) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    for plugin in migrations {
        plugin.plugin().hash(&mut hasher);
        for migration in plugin.all() {
            migration.name().hash(&mut hasher);
        }
    }
    program().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The program, as its file tells. One that cannot be told from another makes its template anew.
fn program() -> (u64, u128) {
    let file = std::env::current_exe()
        .and_then(std::fs::metadata)
        .and_then(|file| Ok((file.len(), file.modified()?)));
    match file {
        Ok((bytes, made)) => (bytes, made.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()),
        Err(_) => (0, u128::from(std::process::id())),
    }
}

/// What runs without a transaction may be left half-way, and nobody would see what it does elsewhere.
pub(super) fn check(migrations: &[Migrations]) -> Result<(), DatabaseError> {
    let alone = migrations
        .iter()
        .flat_map(|plugin| plugin.all())
        .find(|migration| migration.use_transaction() == Some(false));
    match alone {
        Some(migration) => Err(DatabaseError::NoTemplate {
            migration: migration.name().to_owned(),
            why: "runs without a transaction",
        }),
        None => Ok(()),
    }
}
