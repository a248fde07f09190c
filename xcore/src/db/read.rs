//! Reads that a replica may answer.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, ready};
use sea_orm::{
    AccessMode, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, RuntimeErr, TransactionOptions,
};

use super::DatabaseError;
use super::backend::{Answer, Backend, Replica, Rows, Scope, Session, Sql};
use super::reading::Reading;
use super::rows::RowStream;

/// How many replicas are tried before the primary answers.
const REPLICAS: usize = 3;

/// What a [`ReadDb`](super::ReadDb) stands on: as a [`Backend`], for reads.
#[derive(Clone)]
pub(super) struct Reader(Arc<dyn Backend>);

/// What a replica made of a read.
enum Asked<T> {
    /// This is the result.
    Answered(Result<T, DbErr>),
    /// Somebody else must answer.
    Passed(Answer),
}

/// Asks one replica, for as long as it is up.
async fn ask<T>(
    replica: &dyn Replica,
    scope: &Scope,
    answer: impl Future<Output = Result<T, DbErr>>,
) -> Asked<T> {
    let result = tokio::select! {
        biased;
        result = answer => result,
        () = replica.went_down() => return Asked::Passed(Answer::Down),
    };
    match &result {
        Ok(_) => Asked::Answered(result),
        Err(error) => match replica.judge(error, scope) {
            Answer::Final => Asked::Answered(result),
            passed => Asked::Passed(passed),
        },
    }
}

/// Runs `$method` on a replica. What it gives is returned; when nobody gives anything, the primary is left.
macro_rules! try_replicas {
    ($self:ident, $scope:ident, $method:ident, $argument:expr) => {
        for _ in 0..REPLICAS {
            let Some(replica) = $self.0.replica($scope).await else { break };
            match ask(&*replica, $scope, replica.backend().$method($scope, $argument)).await {
                Asked::Answered(result) => return result.map_err(of_read),
                Asked::Passed(Answer::Down) => {}
                Asked::Passed(_) => break,
            }
        }
    };
}

/// A query that gives all of its answer at once.
macro_rules! query {
    ($method:ident, $answer:ty) => {
        pub(super) fn $method<'a>(
            &'a self,
            scope: &'a Scope,
            sql: Sql,
        ) -> BoxFuture<'a, Result<$answer, DbErr>> {
            async move {
                try_replicas!(self, scope, $method, sql.clone());
                if self.0.only_reads(&sql) {
                    return self.0.$method(scope, sql).await;
                }
                let mut session = self.0.begin(scope, read_only(None)).await?;
                let result = session.$method(sql).await;
                session.rollback(1).await?;
                result.map_err(of_read)
            }
            .boxed()
        }
    };
}

impl Reader {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Self {
        Self(backend)
    }

    pub(super) fn dialect(&self) -> DbBackend {
        self.0.dialect()
    }

    /// Refused: what gives no rows has no use but to change something.
    pub(super) fn execute<'a>(&'a self, _: &'a Scope, _: Sql) -> BoxFuture<'a, Result<ExecResult, DbErr>> {
        ready(Err(DatabaseError::ReadOnly.into())).boxed()
    }

    query!(query_one, Option<QueryResult>);
    query!(query_all, Vec<QueryResult>);

    pub(super) fn stream<'a>(
        &'a self,
        scope: &'a Scope,
        sql: Sql,
    ) -> BoxFuture<'a, Result<Rows<'static>, DbErr>> {
        async move {
            for _ in 0..REPLICAS {
                let Some(replica) = self.0.replica(scope).await else { break };
                let first = async {
                    let mut rows = replica.backend().stream(scope, sql.clone()).await?;
                    // Only now is it known whether the replica can answer.
                    let first = rows.next().await.transpose()?;
                    Ok((first, rows))
                };
                match ask(&*replica, scope, first).await {
                    Asked::Answered(Ok((first, rows))) => {
                        let first = futures_util::stream::iter(first.map(Ok));
                        return Ok(first.chain(rows).boxed());
                    }
                    Asked::Answered(Err(error)) => return Err(of_read(error)),
                    Asked::Passed(Answer::Down) => {}
                    Asked::Passed(_) => break,
                }
            }
            if self.0.only_reads(&sql) {
                return self.0.stream(scope, sql).await;
            }
            let mut session = self.0.begin(scope, read_only(None)).await?;
            let rows = RowStream::produce(move |table| async move {
                // Dropping the session rolls back.
                match session.stream(sql) {
                    Ok(mut rows) => {
                        while let Some(row) = rows.next().await {
                            table.put(row.map_err(of_read)).await;
                        }
                    }
                    Err(error) => table.put(Err(error)).await,
                }
            });
            Ok(rows.boxed())
        }
        .boxed()
    }

    pub(super) fn begin<'a>(
        &'a self,
        scope: &'a Scope,
        options: TransactionOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, DbErr>> {
        async move {
            let session = self.open(scope, options).await?;
            let session: Box<dyn Session> = Box::new(Reading::new(session, scope.clone()));
            Ok(session)
        }
        .boxed()
    }

    fn open<'a>(
        &'a self,
        scope: &'a Scope,
        options: TransactionOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, DbErr>> {
        async move {
            let level = options.isolation_level;
            // A standby server has no serializable transactions (PostgreSQL, chapter 27.4.1).
            if level != Some(IsolationLevel::Serializable) {
                try_replicas!(self, scope, begin, read_only(level));
            }
            self.0.begin(scope, read_only(level)).await
        }
        .boxed()
    }
}

fn read_only(isolation_level: Option<IsolationLevel>) -> TransactionOptions {
    TransactionOptions {
        isolation_level,
        access_mode: Some(AccessMode::ReadOnly),
        sqlite_transaction_mode: None,
    }
}

/// The database's words for a write in a read-only transaction, as ours.
pub(super) fn of_read(error: DbErr) -> DbErr {
    let refused = match &error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            // PostgreSQL's `read_only_sql_transaction` and SQLite's `SQLITE_READONLY`.
            error
                .as_database_error()
                .and_then(|error| error.code())
                .is_some_and(|code| code == "25006" || code == "8")
        }
        _ => false,
    };
    if refused { DatabaseError::ReadOnly.into() } else { error }
}
