//! Rows one by one.

use futures_util::{StreamExt, TryStreamExt};
use sea_orm::{
    ConnectionTrait, DbErr, DerivePartialModel, EntityTrait, FromQueryResult, JsonValue, QueryOrder,
    QueryResult, QuerySelect, QueryTrait, Statement, StreamTrait, TransactionSession,
};

use crate::stage::Handle;
use crate::tables::{author, post, tag};
use crate::trace::Trace;

#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "post::Entity")]
#[expect(dead_code, reason = "read by Debug")]
struct Title {
    title: String,
}

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("streams");
    whole(db, trace).await;
    partial(db, trace).await;
    inside(db, trace).await;
}

fn json(row: QueryResult) -> Result<JsonValue, DbErr> {
    JsonValue::from_query_result(&row, "")
}

async fn gather<T, S>(stream: Result<S, DbErr>) -> Result<Vec<T>, DbErr>
where
    S: futures_util::Stream<Item = Result<T, DbErr>>,
{
    stream?.try_collect().await
}

async fn whole<C: Handle>(db: &C, trace: &mut Trace) {
    let posts = || post::Entity::find().order_by_id_asc();
    trace.step("models", gather(posts().stream(db).await).await);
    trace.step("json", gather(posts().into_json().stream(db).await).await);
    let titles = posts().stream_partial_model::<_, Title>(db).await;
    trace.step("partial models", gather(titles).await);
    let tuples = posts().select_only().column(post::Column::Id).into_tuple::<i32>();
    trace.step("tuples", gather(tuples.stream(db).await).await);
    let two = post::Entity::find().find_also_related(author::Entity).order_by_asc(post::Column::Id);
    trace.step("two", gather(two.stream(db).await).await);
    let built = StreamTrait::stream(db, &posts().into_query()).await;
    trace.step("built", gather(built.map(|rows| rows.map(|row| row.and_then(json)))).await);
    let raw = Statement::from_sql_and_values(
        db.backend(),
        "SELECT id, label FROM tag WHERE id > $1 ORDER BY id",
        [1.into()],
    );
    let raw = db.stream_raw(raw).await;
    trace.step("raw", gather(raw.map(|rows| rows.map(|row| row.and_then(json)))).await);
    let raw = Statement::from_string(db.backend(), "SELECT * FROM tag ORDER BY id");
    let models = tag::Entity::find().from_raw_sql(raw).stream(db).await;
    trace.step("from_raw_sql", gather(models).await);
    let bad = Statement::from_string(db.backend(), "SELECT * FROM no_such_table");
    let bad = db.stream_raw(bad).await;
    trace.step("error", gather(bad.map(|rows| rows.map(|row| row.and_then(json)))).await);
    trace.value("backend", StreamTrait::get_database_backend(db));
}

async fn partial<C: Handle>(db: &C, trace: &mut Trace) {
    let posts = || post::Entity::find().order_by_id_asc();
    match posts().stream(db).await {
        Ok(mut rows) => {
            trace.value("first row", rows.next().await);
            trace.step("a query meanwhile", tag::Entity::find_by_id(2).one(db).await);
            trace.value("second row", rows.next().await);
            drop(rows);
        }
        Err(error) => trace.value("first row", error.to_string()),
    }
    trace.step("a query afterwards", tag::Entity::find_by_id(3).one(db).await);
    drop(posts().stream(db).await);
    trace.step("after a stream that nobody read", tag::Entity::find_by_id(1).one(db).await);
    let many =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n";
    let many = db.stream_raw(Statement::from_string(db.backend(), many)).await;
    let sum = gather(many.map(|rows| rows.map(|row| row?.try_get_by_index::<i32>(0)))).await;
    trace.step("many rows", sum.map(|rows| (rows.len(), rows.iter().sum::<i32>())));
}

async fn inside<C: Handle>(db: &C, trace: &mut Trace) {
    let Ok(transaction) = db.begin().await else { return trace.value("transaction", "failed") };
    let sql = "INSERT INTO tag (label) VALUES ('streamed')";
    trace.step("insert", transaction.execute_unprepared(sql).await.map(|done| done.rows_affected()));
    let tags = tag::Entity::find().order_by_id_asc();
    trace.step("in a transaction", gather(tags.clone().stream(&transaction).await).await);
    if let Ok(mut rows) = tags.stream(&transaction).await {
        trace.value("in a transaction, first row", rows.next().await);
    }
    trace.step("in a transaction, afterwards", tag::Entity::find_by_id(4).one(&transaction).await);
    trace.step("rollback", transaction.rollback().await);
}
