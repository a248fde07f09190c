//! Behind a pooler in transaction mode: every unit of work is one transaction.
//!
//! Such a pooler hands each transaction to any of its sessions with the server, and what one leaves in a session the next one
//! finds there, whoever that is. So nothing here rests on what a session remembers (ADR 12):
//!
//! | invariant | kept in |
//! |---|---|
//! | I1, I4 a statement runs behind a `BEGIN` whose answer said that the path is set for this transaction alone; [`Unit`] is the only way to a connection | `unit.rs` |
//! | I2 what was cut short is rolled back, or its connection is closed | `unit.rs` |
//! | I3 each unit makes the session as good as new before its first statement, and a unit that may have changed it does so again behind its end | `texts.rs` |
//! | I5 the same message asks whether the schema exists | `texts.rs` |
//!
//! Work on schemas and claims need sessions that stay, so they go to the server itself.

mod backend;
mod probe;
mod session;
mod texts;
mod unit;

use std::sync::Arc;

use sea_orm::TransactionOptions;

pub(in crate::db) use backend::Pooled;
use texts::Texts;
pub(super) use unit::Unit;

use super::pool::{Evacuated, Pool};
use super::target::Target;
use crate::db::DatabaseError;
use crate::tenancy::{Tenant, TenantId};

/// The connections to the pooler. They are reached through a [`Unit`] only, whose type says that a transaction is open and its
/// path set.
#[derive(Debug)]
pub(super) struct Units {
    pool: Arc<Pool>,
    texts: Texts,
}

impl Units {
    fn new(pool: Arc<Pool>, texts: Texts) -> Self {
        Self { pool, texts }
    }

    /// Begins a unit of work on the target.
    async fn begin(
        &self,
        whose: Option<&Tenant>,
        target: Target,
        options: &TransactionOptions,
    ) -> Result<Unit, DatabaseError> {
        Unit::begin(&self.pool, &self.texts, whose, target, options).await
    }

    /// Keeps new users from a tenant's schema and waits until those there are have left.
    async fn evacuate(&self, id: TenantId) -> Result<Evacuated, DatabaseError> {
        self.pool.evacuate(id).await
    }

    /// For tests, which count in it and break its rules.
    #[cfg(test)]
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
