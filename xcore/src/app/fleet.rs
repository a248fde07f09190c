//! Migrations of many tenants.
//!
//! Which of them have something to do is one query of the directory, however many there are. Each that was migrated is noted
//! there, so a run that was cut off is gone on with by the next one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{self, Stream, StreamExt};

use super::{TenantError, Tenants};
use crate::db::{DatabaseError, Drift, Servers};
use crate::tenancy::{TenantId, TenantRecord};

/// How many tenants are migrated at once when nothing else is said.
pub(super) const MIGRATIONS_AT_ONCE: usize = 8;

/// What was done for a tenant, or would be: the migrations as `plugin: name`.
pub(super) type Outcome = (TenantId, Result<Vec<String>, TenantError>);

impl Tenants {
    /// How many tenants are migrated at once when so many are wanted. Each takes a connection of its server's pool, and a
    /// session beside it, so there cannot be more than `services.database.connections` on a server.
    pub(super) fn allow_at_once(&self, wanted: usize) -> usize {
        self.databases().map_or(wanted, |databases: &Servers| databases.allow_operators(wanted))
    }

    /// Migrates tenants, a few at once, each as by [`Tenants::migrate`]. One that fails does not stop the others. Those for which
    /// the server had not enough of something that is shared, such as locks, are tried again at the end, one at a time.
    pub(super) fn migrate_all(&self, ids: Vec<TenantId>, at_once: usize) -> impl Stream<Item = Outcome> + '_ {
        let short: std::sync::Arc<Mutex<Vec<TenantId>>> = std::sync::Arc::default();
        let later = std::sync::Arc::clone(&short);
        let together =
            stream::iter(ids).map(async |id| (id, self.migrate(&id).await)).buffer_unordered(at_once);
        let together = together.filter_map(move |(id, outcome)| {
            let is_short = matches!(&outcome, Err(TenantError::Data { source, .. }) if source.is_shortage());
            if is_short && at_once > 1 {
                short.lock().unwrap_or_else(PoisonError::into_inner).push(id);
                return std::future::ready(None);
            }
            std::future::ready(Some((id, outcome)))
        });
        let alone = stream::once(async move {
            std::mem::take(&mut *later.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let alone = alone.flat_map(stream::iter).then(async |id| (id, self.migrate(&id).await));
        together.chain(alone)
    }

    /// What [`Tenants::migrate_all`] would apply, in the order given. Changes nothing.
    pub(super) fn pending_all(&self, ids: Vec<TenantId>, at_once: usize) -> impl Stream<Item = Outcome> + '_ {
        stream::iter(ids).map(async |id| (id, self.pending(&id).await)).buffered(at_once)
    }

    /// What the data of tenants has otherwise than all migrations of this program make it, server by server. Those that are
    /// not up to date differ anyway, so they are not to be asked about.
    pub(super) async fn drift(&self, records: &[TenantRecord]) -> Vec<Result<Vec<Drift>, DatabaseError>> {
        let mut servers: BTreeMap<Option<&str>, Vec<&TenantRecord>> = BTreeMap::new();
        if !self.migrations.is_empty() {
            for record in records {
                servers.entry(record.server.as_deref()).or_default().push(record);
            }
        }
        let mut found = Vec::new();
        for records in servers.into_values() {
            let ids: Vec<TenantId> = records.iter().map(|record| record.id).collect();
            found.push(match records.first().map(|record| self.database_of(record)) {
                Some(Ok(Some(database))) => database.drift(&ids, &self.migrations).await,
                Some(Err(problem)) => Err(problem),
                Some(Ok(None)) | None => Ok(Vec::new()),
            });
        }
        found
    }
}
