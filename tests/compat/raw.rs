//! Statements that SeaORM did not build, and those that were built by hand.

use sea_orm::sea_query::{Alias, ColumnDef, Expr, ExprTrait, Index, Query, Table};
use sea_orm::{
    DbBackend, DbErr, EntityTrait, ExecResult, FromQueryResult, JsonValue, QueryResult, SelectExt, Statement,
    raw_sql,
};

use crate::stage::Handle;
use crate::tables::{post, tag};
use crate::trace::Trace;

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("raw");
    queries(db, trace).await;
    executed(db, trace).await;
    models(db, trace).await;
    macros(db, trace).await;
    definitions(db, trace).await;
}

fn rows(result: Result<Vec<QueryResult>, DbErr>) -> Result<Vec<JsonValue>, DbErr> {
    result?.iter().map(|row| JsonValue::from_query_result(row, "")).collect()
}

fn row(result: Result<Option<QueryResult>, DbErr>) -> Result<Option<JsonValue>, DbErr> {
    result?.as_ref().map(|row| JsonValue::from_query_result(row, "")).transpose()
}

/// The rows that a statement touched, and where there is such a thing, the last id.
fn done<C: Handle>(db: &C, result: Result<ExecResult, DbErr>) -> Result<(u64, Option<u64>), DbErr> {
    let sqlite = db.backend() == DbBackend::Sqlite;
    result.map(|done| (done.rows_affected(), sqlite.then(|| done.last_insert_id())))
}

async fn queries<C: Handle>(db: &C, trace: &mut Trace) {
    let sql = |sql: &str| Statement::from_string(db.backend(), sql);
    let with = |sql: &str, id: i32| Statement::from_sql_and_values(db.backend(), sql, [id.into()]);
    trace.step("query_all_raw", rows(db.query_all_raw(sql("SELECT * FROM tag ORDER BY id")).await));
    trace.step("query_all_raw, none", rows(db.query_all_raw(sql("SELECT * FROM tag WHERE id < 0")).await));
    let above = "SELECT label FROM tag WHERE id > $1 ORDER BY id";
    trace.step("query_all_raw, values", rows(db.query_all_raw(with(above, 2)).await));
    trace.step("query_one_raw", row(db.query_one_raw(with(above, 1)).await));
    trace.step("query_one_raw, none", row(db.query_one_raw(with(above, 100)).await));
    trace.step("query_one_raw, of nothing", row(db.query_one_raw(sql("DELETE FROM tag WHERE id < 0")).await));
    let cte = "WITH t AS (SELECT * FROM tag WHERE id < 3) SELECT t.label FROM t ORDER BY t.id";
    trace.step("with", rows(db.query_all_raw(sql(cte)).await));
    let written = "INSERT INTO tag (label) VALUES ('raw returning') RETURNING id, label";
    trace.step("insert returning", rows(db.query_all_raw(sql(written)).await));
    let changed = "UPDATE tag SET label = 'raw changed' WHERE label = 'raw returning' RETURNING label";
    trace.step("update returning", row(db.query_one_raw(sql(changed)).await));
    trace.step(
        "comment and semicolon",
        rows(db.query_all_raw(sql("/* all */ SELECT 1 AS one; -- end")).await),
    );
    trace.step("quotes", rows(db.query_all_raw(sql("SELECT 'it''s; \"x\" -- no' AS text")).await));
    let select = Query::select().column("label").from("tag").and_where(Expr::col("id").eq(2)).take();
    trace.step("query_all", rows(db.query_all(&select).await));
    trace.step("query_one", row(db.query_one(&select).await));
}

async fn executed<C: Handle>(db: &C, trace: &mut Trace) {
    let sql = |sql: &str| Statement::from_string(db.backend(), sql);
    let insert = "INSERT INTO tag (label) VALUES ('raw 1'), ('raw 2')";
    trace.step("execute_unprepared", done(db, db.execute_unprepared(insert).await));
    let change = "UPDATE tag SET label = label || '!' WHERE label LIKE 'raw%'";
    trace.step("execute_raw", done(db, db.execute_raw(sql(change)).await));
    let one = "INSERT INTO tag (label) VALUES ($1)";
    let one = Statement::from_sql_and_values(db.backend(), one, ["raw 3".into()]);
    trace.step("execute_raw, values", done(db, db.execute_raw(one).await));
    let script = "INSERT INTO tag (label) VALUES ('s1'); INSERT INTO tag (label) VALUES ('s2'), ('s3'); \
                  DELETE FROM tag WHERE label = 's1'";
    let script = db.execute_unprepared(script).await.map(|_| "done");
    trace.step("script", script);
    let half = "INSERT INTO tag (label) VALUES ('h1'); INSERT INTO no_such_table VALUES (1)";
    let half = db.execute_unprepared(half).await.map(|_| "done");
    trace.step("script that fails", half);
    trace.step("empty", done(db, db.execute_unprepared("").await).map(|(rows, _)| rows));
    let delete = Query::delete().from_table("tag").and_where(Expr::col("label").like("raw%")).take();
    trace.step("execute", db.execute(&delete).await.map(|done| done.rows_affected()));
    let update =
        Query::update().table("tag").value("label", "by hand").and_where(Expr::col("id").eq(4)).take();
    trace.step("execute, update", db.execute(&update).await.map(|done| done.rows_affected()));
    trace.step("what is left", crate::rows::all::<tag::Entity, _>(db).await);
}

#[derive(Debug, FromQueryResult)]
#[expect(dead_code, reason = "read by Debug")]
struct Count {
    title: String,
    n: i64,
}

async fn models<C: Handle>(db: &C, trace: &mut Trace) {
    let sql = |sql: &str| Statement::from_string(db.backend(), sql);
    let all = || post::Entity::find().from_raw_sql(sql("SELECT * FROM post ORDER BY id"));
    trace.step("from_raw_sql", all().all(db).await);
    trace.step("from_raw_sql, one", all().one(db).await);
    trace.step("from_raw_sql, into_json", all().into_json().all(db).await);
    trace.step("from_raw_sql, exists", all().exists(db).await);
    let counted = "SELECT p.title, COUNT(c.id) AS n FROM post p LEFT JOIN comment c ON c.post_id = p.id \
                   GROUP BY p.id, p.title ORDER BY p.id";
    trace.step("find_by_statement", Count::find_by_statement(sql(counted)).all(db).await);
    trace.step("find_by_statement, one", Count::find_by_statement(sql(counted)).one(db).await);
    trace.step("json by statement", JsonValue::find_by_statement(sql(counted)).all(db).await);
}

async fn macros<C: Handle>(db: &C, trace: &mut Trace) {
    let (views, ids) = (4, [1, 2, 3]);
    let statement = match db.backend() {
        DbBackend::Postgres => raw_sql!(
            Postgres,
            r#"SELECT * FROM "post" WHERE "views" > {views} AND "id" IN ({..ids}) ORDER BY "id""#
        ),
        _ => raw_sql!(
            Sqlite,
            r#"SELECT * FROM "post" WHERE "views" > {views} AND "id" IN ({..ids}) ORDER BY "id""#
        ),
    };
    trace.step("raw_sql", post::Entity::find().from_raw_sql(statement).all(db).await);
}

async fn definitions<C: Handle>(db: &C, trace: &mut Trace) {
    let none = |done: Result<ExecResult, DbErr>| done.map(|_| "done");
    // Each time with words of its own: SQLx ends a connection whose cached statement has got more columns.
    let read = async |sql: &str| rows(db.query_all_raw(Statement::from_string(db.backend(), sql)).await);
    let table = || Alias::new("made");
    let create = Table::create()
        .table(table())
        .col(ColumnDef::new("id").integer().not_null().primary_key())
        .col(ColumnDef::new("name").string().not_null().default("-"))
        .take();
    trace.step("create table", none(db.execute(&create).await));
    trace.step("create table, again", none(db.execute(&create).await));
    let index = Index::create().name("made_name").table(table()).col("name").unique().take();
    trace.step("create index", none(db.execute(&index).await));
    trace.step("insert", none(db.execute_unprepared("INSERT INTO made (id, name) VALUES (1, 'a')").await));
    trace.step("read", read("SELECT * FROM made /* 1 */").await);
    let add = Table::alter().table(table()).add_column(ColumnDef::new("more").integer().default(3)).take();
    trace.step("add column", none(db.execute(&add).await));
    trace.step("read, one column more", read("SELECT * FROM made /* 2 */").await);
    let rename = Table::alter().table(table()).rename_column("more", "less").take();
    trace.step("rename column", none(db.execute(&rename).await));
    trace.step("read, renamed", read("SELECT * FROM made /* 3 */").await);
    let view = "CREATE VIEW seen AS SELECT id FROM made WHERE less = 3";
    trace.step("create view", none(db.execute_unprepared(view).await));
    trace.step("read a view", read("SELECT * FROM seen").await);
    trace.step("drop view", none(db.execute_unprepared("DROP VIEW seen").await));
    let rename = Table::rename().table(table(), Alias::new("made_again")).take();
    trace.step("rename table", none(db.execute(&rename).await));
    trace.step("read, by the old name", read("SELECT * FROM made /* 4 */").await);
    trace.step("drop table", none(db.execute(&Table::drop().table("made_again").take()).await));
    trace.step("read, dropped", read("SELECT * FROM made_again").await);
}
