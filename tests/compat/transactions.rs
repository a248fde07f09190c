//! Transactions and savepoints.

use sea_orm::{
    AccessMode, ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExecResult, IsolationLevel,
    PaginatorTrait, Set, SqliteTransactionMode, Statement, TransactionOptions, TransactionSession,
    TransactionTrait,
};

use crate::rows;
use crate::stage::Handle;
use crate::tables::{tag, ticket};
use crate::trace::Trace;

/// Puts a tag in.
async fn put<C: ConnectionTrait>(db: &C, label: &str) -> Result<tag::Model, DbErr> {
    tag::ActiveModel { label: Set(label.to_owned()), ..Default::default() }.insert(db).await
}

async fn labels<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    Ok(rows::all::<tag::Entity, _>(db).await?.into_iter().map(|tag| tag.label).collect())
}

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("transactions");
    by_hand(db, trace).await;
    savepoints(db, trace).await;
    closures(db, trace).await;
    options(db, trace).await;
    failures(db, trace).await;
    trace.step("tags", rows::all::<tag::Entity, _>(db).await);
}

async fn by_hand<C: Handle>(db: &C, trace: &mut Trace) {
    let Ok(transaction) = db.begin().await else { return trace.value("begin", "failed") };
    trace.step("insert", put(&transaction, "committed").await);
    trace.step("read inside", labels(&transaction).await);
    trace.step("read outside", labels(db).await);
    trace.value("backend", transaction.get_database_backend());
    trace.value("support_returning", transaction.support_returning());
    trace.step("commit", transaction.commit().await);
    trace.step("read after commit", labels(db).await);
    let Ok(transaction) = db.begin().await else { return trace.value("begin, second", "failed") };
    trace.step("insert, second", put(&transaction, "rolled back").await);
    trace.step("count", tag::Entity::find().count(&transaction).await);
    trace.step("rollback", transaction.rollback().await);
    trace.step("read after rollback", labels(db).await);
    if let Ok(transaction) = db.begin().await {
        trace.step("insert, dropped", put(&transaction, "dropped").await);
        drop(transaction);
    }
    trace.step("read after drop", labels(db).await);
}

async fn savepoints<C: Handle>(db: &C, trace: &mut Trace) {
    let Ok(outer) = db.begin().await else { return trace.value("outer", "failed") };
    trace.step("outer insert", put(&outer, "outer").await);
    if let Ok(inner) = outer.begin().await {
        trace.step("inner insert", put(&inner, "inner, rolled back").await);
        if let Ok(deep) = inner.begin().await {
            trace.step("deep insert", put(&deep, "deep").await);
            trace.step("deep commit", deep.commit().await);
        }
        trace.step("inner read", labels(&inner).await);
        trace.step("inner rollback", inner.rollback().await);
    }
    if let Ok(inner) = outer.begin().await {
        trace.step("second insert", put(&inner, "inner, kept").await);
        if let Ok(deep) = inner.begin().await {
            trace.step("second deep insert", put(&deep, "deep, rolled back").await);
            trace.step("second deep rollback", deep.rollback().await);
        }
        trace.step("second commit", inner.commit().await);
    }
    if let Ok(inner) = outer.begin().await {
        trace.step("failing statement", put(&inner, "outer").await);
        trace.step("after a failure", inner.rollback().await);
    }
    if let Ok(inner) = outer.begin().await {
        trace.step("dropped insert", put(&inner, "inner, dropped").await);
        drop(inner);
    }
    trace.step("outer read", labels(&outer).await);
    trace.step("outer commit", outer.commit().await);
    trace.step("savepoints", labels(db).await);
}

async fn closures<C: Handle>(db: &C, trace: &mut Trace) {
    let kept = db
        .transaction::<_, _, DbErr>(|transaction| {
            Box::pin(async move {
                put(transaction, "closure").await?;
                labels(transaction).await
            })
        })
        .await;
    trace.step("closure", kept);
    let refused = db
        .transaction::<_, (), DbErr>(|transaction| {
            Box::pin(async move {
                put(transaction, "closure, refused").await?;
                Err(DbErr::Custom("no".to_owned()))
            })
        })
        .await;
    trace.step("closure, err", refused);
    let failed = db
        .transaction::<_, tag::Model, DbErr>(|transaction| {
            Box::pin(async move {
                put(transaction, "closure, failed").await?;
                put(transaction, "closure").await
            })
        })
        .await;
    trace.step("closure, failing statement", failed);
    let nested = db
        .transaction::<_, Vec<String>, DbErr>(|transaction| {
            Box::pin(async move {
                put(transaction, "closure outside").await?;
                let inner = transaction.transaction::<_, (), DbErr>(|inner| {
                    Box::pin(async move {
                        put(inner, "closure inside").await?;
                        Err(DbErr::Custom("only inside".to_owned()))
                    })
                });
                let inner = inner.await.is_err();
                let mut labels = labels(transaction).await?;
                labels.push(format!("inside failed: {inner}"));
                Ok(labels)
            })
        })
        .await;
    trace.step("closures, nested", nested);
    trace.step("closures", labels(db).await);
}

async fn options<C: Handle>(db: &C, trace: &mut Trace) {
    let levels = [
        ("read uncommitted", IsolationLevel::ReadUncommitted),
        ("read committed", IsolationLevel::ReadCommitted),
        ("repeatable read", IsolationLevel::RepeatableRead),
        ("serializable", IsolationLevel::Serializable),
    ];
    for (name, level) in levels {
        let Ok(transaction) = db.begin_with_config(Some(level), None).await else {
            trace.value(name, "failed");
            continue;
        };
        trace.step(name, shown(&transaction, "transaction_isolation").await);
        trace.step(&format!("{name}, insert"), put(&transaction, name).await);
        trace.step(&format!("{name}, commit"), transaction.commit().await);
    }
    trace.step("isolation afterwards", shown(db, "transaction_isolation").await);
    let write = AccessMode::ReadWrite;
    let closure = db
        .transaction_with_config::<_, String, DbErr>(
            |transaction| Box::pin(async move { shown(transaction, "transaction_isolation").await }),
            Some(IsolationLevel::Serializable),
            Some(write),
        )
        .await;
    trace.step("transaction_with_config", closure);
    if let Ok(transaction) = db.begin_with_config(None, Some(AccessMode::ReadOnly)).await {
        trace.step("read only", labels(&transaction).await);
        trace.step("read only, shown", shown(&transaction, "transaction_read_only").await);
        trace.step("read only, insert", put(&transaction, "never").await);
        trace.step("read only, rollback", transaction.rollback().await);
    }
    trace.step("read only afterwards", shown(db, "transaction_read_only").await);
    let modes =
        [SqliteTransactionMode::Deferred, SqliteTransactionMode::Immediate, SqliteTransactionMode::Exclusive];
    for mode in modes {
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: Some(mode),
        };
        let name = format!("{mode:?}");
        match db.begin_with_options(options).await {
            Ok(transaction) => {
                trace.step(&format!("{name}, insert"), put(&transaction, &name).await);
                trace.step(&format!("{name}, commit"), transaction.commit().await);
            }
            Err(error) => trace.value(&name, error.to_string()),
        }
    }
}

/// A setting of the session, on PostgreSQL.
async fn shown<C: ConnectionTrait>(db: &C, setting: &str) -> Result<String, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok("no such setting".to_owned());
    }
    let sql = format!("SHOW {setting}");
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    row.map_or(Ok("none".to_owned()), |row| row.try_get_by_index(0))
}

async fn failures<C: Handle>(db: &C, trace: &mut Trace) {
    let Ok(transaction) = db.begin().await else { return trace.value("failures", "failed") };
    trace.step(
        "good",
        ticket::Entity::insert(ticket::ActiveModel { id: Set(5) }).exec_without_returning(&transaction).await,
    );
    trace.step(
        "bad",
        ticket::Entity::insert(ticket::ActiveModel { id: Set(5) }).exec_without_returning(&transaction).await,
    );
    trace.step("after the bad one", labels(&transaction).await);
    trace.step("commit after the bad one", transaction.commit().await);
    trace.step("what is left", rows::all::<ticket::Entity, _>(db).await);
    let count = |done: Result<ExecResult, DbErr>| done.map(|done| done.rows_affected());
    let deferred = "CREATE TABLE later (id integer REFERENCES ticket (id) DEFERRABLE INITIALLY DEFERRED)";
    trace.step("deferred, table", db.execute_unprepared(deferred).await.map(|_| "done"));
    if let Ok(transaction) = db.begin().await {
        let orphan = transaction.execute_unprepared("INSERT INTO later VALUES (77)").await;
        trace.step("deferred, insert", count(orphan));
        trace.step("deferred, commit", transaction.commit().await);
    }
    let closure = db
        .transaction::<_, u64, DbErr>(|transaction| {
            Box::pin(async move {
                let orphan = transaction.execute_unprepared("INSERT INTO later VALUES (78)").await;
                orphan.map(|done| done.rows_affected())
            })
        })
        .await;
    trace.step("deferred, closure", closure);
    let alone = db.execute_unprepared("INSERT INTO later VALUES (79)").await;
    trace.step("deferred, without a transaction", count(alone));
    trace.step("deferred, gone", db.execute_unprepared("DROP TABLE later").await.map(|_| "done"));
}
