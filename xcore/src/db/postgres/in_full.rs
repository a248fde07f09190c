//! The fast path: a statement that names the tenant's tables in full needs no switch of the session.

use std::hash::BuildHasher;
use std::sync::Arc;

use futures_util::StreamExt;
use sea_orm::{DbErr, ExecResult, QueryResult};

use super::alone::{alone, stream_alone, stream_rows};
use super::lease::Lease;
use super::plain::Plain;
use super::pool::Way;
use super::qualify::{Analysis, Template, Templates};
use super::run;
use super::service::{Postgres, check_life};
use super::target::Target;
use super::text::{Verdict, judge};
use crate::db::backend::{Origin, Rows, Scope, Sql};
use crate::db::rows::RowStream;
use crate::tenancy::TenantId;

/// The texts that were read.
#[derive(Debug, Default)]
pub(super) struct Texts {
    templates: Templates,
    hasher: foldhash::fast::RandomState,
}

impl Texts {
    /// Whether the text writes; `None` when it was not understood.
    pub(super) fn is_known_to_write(&self, sql: &Sql) -> Option<bool> {
        if sql.origin == Origin::Script {
            return None;
        }
        match &*self.templates.get(&sql.text) {
            Analysis::Qualified(template) => Some(template.writes()),
            Analysis::Switched(_) => None,
        }
    }
}

/// A statement that may be sent in full, if the tenant's schema is plain.
pub(super) struct InFull {
    id: TenantId,
    analysis: Arc<Analysis>,
    hash: u64,
}

impl Texts {
    /// A statement in an open transaction as it is sent in full, if nothing speaks against it. A name that is not found would break the
    /// transaction, so that all of its tables must be known.
    pub(super) fn fill(&self, plain: &Plain, id: &TenantId, sql: &Sql) -> Option<(Sql, Verdict)> {
        if sql.origin == Origin::Script {
            return None;
        }
        let analysis = self.templates.get(&sql.text);
        let Analysis::Qualified(template) = &*analysis else { return None };
        let hash = self.hasher.hash_one(&sql.text);
        plain.holds(id, hash, template.tables()).then(|| filled(template, id, sql))
    }
}

/// The statement as it is sent.
fn filled(template: &Template, id: &TenantId, sql: &Sql) -> (Sql, Verdict) {
    let mut text = template.fill(id.as_str());
    if text.len() == sql.text.len() {
        // Without a table in it the driver would keep one statement for all tenants.
        text.insert_str(0, &format!("/*{id}*/ "));
    }
    let filled = Sql { text, values: sql.values.clone(), origin: sql.origin };
    (filled, Verdict { writes: template.writes(), in_full: true, ..Verdict::default() })
}

impl Postgres {
    /// What is to be tried with a statement, if anything.
    pub(super) fn in_full(&self, scope: &Scope, sql: &Sql) -> Option<InFull> {
        if sql.origin == Origin::Script {
            return None;
        }
        let Target::Tenant(id) = self.target(scope) else { return None };
        let analysis = self.texts.templates.get(&sql.text);
        if let Analysis::Switched(_) = *analysis {
            return None;
        }
        let hash = self.texts.hasher.hash_one(&sql.text);
        self.pool.plain.admits(&id, hash).then_some(InFull { id, analysis, hash })
    }
}

impl InFull {
    /// A session for it, and whether it still may be sent in full: something may have been defined while a session was waited for.
    async fn lease(&self, service: &Postgres, scope: &Scope) -> Result<(Lease, bool), DbErr> {
        check_life(scope)?;
        let lease = service.pool.lend_for(scope.tenant(), Target::Tenant(self.id), Way::InFull).await?;
        check_life(scope)?;
        Ok((lease, service.pool.plain.admits(&self.id, self.hash)))
    }

    /// The statement as it is sent.
    fn filled(&self, sql: &Sql) -> (Sql, Verdict) {
        match &*self.analysis {
            Analysis::Qualified(template) => filled(template, &self.id, sql),
            // Others are not made.
            Analysis::Switched(_) => (sql.clone(), judge(&sql.text)),
        }
    }
}

/// Runs a statement in full, with `run::$run`; by the tenant's path when a name was not found, which may be one of the shared
/// schema. Nothing of it was done then.
macro_rules! run_in_full {
    ($name:ident, $result:ty) => {
        pub(super) async fn $name(
            self,
            service: &Postgres,
            scope: &Scope,
            sql: Sql,
        ) -> Result<$result, DbErr> {
            let mut again = true;
            let (mut lease, admitted) = loop {
                let (mut lease, admitted) = self.lease(service, scope).await?;
                if !admitted {
                    break (lease, admitted);
                }
                let (filled, verdict) = self.filled(&sql);
                let mut result = run::$name(lease.start(verdict).await?, &filled, Target::Nobody).await;
                lease.finish(result.as_ref().err());
                if result.as_ref().is_err_and(run::is_stale_plan) {
                    lease.forget_plans().await?;
                    result = run::$name(lease.start(verdict).await?, &filled, Target::Nobody).await;
                    lease.finish(result.as_ref().err());
                }
                // No switch has found out that the session died in the pool. What only reads can be run once more.
                if again && !verdict.writes && result.as_ref().is_err_and(run::is_broken_by) {
                    again = false;
                    continue;
                }
                if !result.as_ref().is_err_and(run::is_unknown_name) {
                    return result;
                }
                break (lease, admitted);
            };
            lease.stand_anew().await?;
            let verdict = judge(&sql.text);
            let result = alone!(lease, sql, verdict, $name);
            if admitted && result.is_ok() {
                service.pool.plain.refuse(&self.id, self.hash);
            }
            result
        }
    };
}

impl InFull {
    run_in_full!(execute, ExecResult);
    run_in_full!(query_one, Option<QueryResult>);
    run_in_full!(query_all, Vec<QueryResult>);

    /// The same for rows one by one.
    pub(super) async fn stream(
        self,
        service: &Postgres,
        scope: &Scope,
        sql: Sql,
    ) -> Result<Rows<'static>, DbErr> {
        let (mut lease, admitted) = self.lease(service, scope).await?;
        let plain = Arc::clone(&service.pool.plain);
        let rows = RowStream::produce(move |table| async move {
            if admitted {
                let (filled, verdict) = self.filled(&sql);
                match stream_rows(&mut lease, &filled, verdict, Target::Nobody, &table).await {
                    Err(error) if run::is_unknown_name(&error) => {}
                    Err(error) => return table.put(Err(error)).await,
                    Ok(()) => return,
                }
                plain.refuse(&self.id, self.hash);
            }
            let verdict = judge(&sql.text);
            match lease.stand_anew().await {
                Ok(()) => stream_alone(&mut lease, sql, verdict, table).await,
                Err(error) => table.put(Err(error.into())).await,
            }
        });
        Ok(rows.boxed())
    }
}
