//! `ctx.enqueue(..)`.

use std::fmt;
use std::future::IntoFuture;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Queued;
use crate::db::Transaction;
use crate::scheduler::runs::Planned;
use crate::scheduler::{JobCall, SchedulerError, TenantScheduler};

/// One run that is to be put in line; see [`TenantScheduler::enqueue`]. Nothing happens before it is awaited.
#[must_use = "nothing is put in line before this is awaited"]
pub struct Enqueue<'a> {
    scheduler: &'a TenantScheduler,
    call: JobCall,
    transaction: Option<&'a Transaction>,
}

impl TenantScheduler {
    /// Puts one run of a job in line, to begin soon, in a context of this tenant, and does not wait for it.
    ///
    /// ```
    /// use xcore::prelude::*;
    /// # #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
    /// # pub struct Receipt { pub to: String }
    /// #[xcore::plugin(services(db, scheduler))]
    /// struct Orders;
    ///
    /// #[xcore::plugin]
    /// impl Orders {
    ///     /// Runs when it is asked to.
    ///     #[job]
    ///     async fn send_receipt(&self, _ctx: &OrdersContext, receipt: Receipt) -> Result<()> {
    ///         println!("to {}", receipt.to);
    ///         Ok(())
    ///     }
    ///
    ///     #[action]
    ///     async fn place(&self, ctx: &OrdersContext) -> Result<()> {
    ///         let order = ctx.db.begin().await?;
    ///         // .. insert the order ..
    ///         let receipt = Receipt { to: "ada@example.com".to_owned() };
    ///         // There is a receipt if and only if there is an order.
    ///         ctx.enqueue(OrdersJobs::send_receipt(receipt)).within(&order).await?;
    ///         order.commit().await?;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// With [`within`](Enqueue::within) it is part of a transaction: it runs if that commits, also when the process is killed right
    /// after the commit, and it does not when the transaction or the savepoint is rolled back. Without it, it is stored when the call
    /// comes back.
    ///
    /// It runs **at least once**: a run that was begun is begun again when its process dies, as that of every job. A failure, a panic or a
    /// time-out is tried again as `#[job(retries, backoff)]` of the method says; after that the run is a
    /// [dead letter](TenantScheduler::dead_letters). Runs begin roughly in the order in which they were put in line, and side by side:
    /// `overlap` of the method is not looked at. Tenants take turns, however long the line of one of them is.
    ///
    /// The arguments are stored as JSON, of at most 64 KiB. What was put in line by one version of a program may be run by the next one, so a
    /// type of an argument changes like one that is stored: a field that is new has a default.
    ///
    /// With `services.scheduler.backend: memory` what waits is lost with the process, also after a commit.
    ///
    /// # Errors
    /// When no plugin has the method, the arguments cannot be stored, the tenant was deleted, the transaction is not one of this
    /// tenant's database, or the store is unavailable. A transaction in which this failed is to be rolled back, as after any statement.
    ///
    /// # Cancellation
    /// Without a transaction a dropped future has put the run in line or not. Within one, the transaction refuses to go on when its
    /// statement was interrupted.
    pub fn enqueue(&self, job: JobCall) -> Enqueue<'_> {
        Enqueue { scheduler: self, call: job, transaction: None }
    }
}

impl<'a> Enqueue<'a> {
    /// Makes it part of a transaction of `ctx.db`, or of a savepoint in one: it is in line if and only if that is committed.
    pub fn within(self, transaction: &'a Transaction) -> Self {
        Self { transaction: Some(transaction), ..self }
    }

    async fn put(self) -> Result<(), SchedulerError> {
        let Self { scheduler, call, transaction } = self;
        let core = &scheduler.core;
        let engine = &core.engine;
        let rules = core.declared_of_tenants(&call)?.rules;
        call.arguments.check(&call)?;
        let life = scheduler.tenant.as_ref().map(crate::tenancy::Tenant::life);
        let run = Queued::new(scheduler.owner()?, life, call, engine.clock.now())?;
        let Some(transaction) = transaction else {
            let Some(queue) = engine.backend.queue() else {
                return engine.runs.offer_queued(Planned::queued(run, rules));
            };
            // A key that is new is not there yet, so it is the owner that is not.
            if queue.push(vec![run]).await? == 0
                && let Some(tenant) = &scheduler.tenant
            {
                return Err(SchedulerError::TenantDeleted { tenant: *tenant.id() });
            }
            engine.wake();
            return Ok(());
        };
        let of = transaction.tenant().ok_or(SchedulerError::OtherTransaction)?;
        if scheduler.tenant.as_ref().is_some_and(|own| own.id() != of.id() || own.life() != of.life()) {
            return Err(SchedulerError::OtherTransaction);
        }
        if engine.backend.queue().is_some() {
            let outbox = core.outbox.get().ok_or(SchedulerError::NoOutbox)?;
            return outbox.put(transaction, of, &run).await;
        }
        let runs = std::sync::Arc::clone(&engine.runs);
        transaction.when_ended(move |is_committed| {
            if is_committed && let Err(problem) = runs.offer_queued(Planned::queued(run, rules)) {
                tracing::warn!(
                    error = &problem as &dyn std::error::Error,
                    "what a transaction has put in line is lost"
                );
            }
        });
        Ok(())
    }
}

impl<'a> IntoFuture for Enqueue<'a> {
    type Output = Result<(), SchedulerError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.put().boxed()
    }
}

impl fmt::Debug for Enqueue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enqueue").field("call", &self.call).finish_non_exhaustive()
    }
}
