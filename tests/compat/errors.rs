//! What a refusal looks like: the variant, what `sql_err` makes of it, and the words.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, Set, SqlErr};

use crate::stage::Handle;
use crate::tables::{author, post, profile, stamp, tag};
use crate::trace::Trace;

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("errors");
    let double = || author::ActiveModel {
        name: Set("Second Ann".to_owned()),
        email: Set("ann@ours".to_owned()),
        ..Default::default()
    };
    let result = double().insert(db).await;
    let unique = result.as_ref().err().and_then(DbErr::sql_err);
    assert!(matches!(unique, Some(SqlErr::UniqueConstraintViolation(_))), "{result:?}");
    trace.step("unique", result);
    trace.step("unique, by exec", author::Entity::insert(double()).exec_without_returning(db).await);
    let two = [double(), double()];
    trace.step("unique, many", author::Entity::insert_many(two).exec_without_returning(db).await);
    let key = stamp::Model { series: "a".to_owned(), year: 1999, number: 1, note: None };
    trace.step("primary key", key.into_active_model().insert(db).await);
    let mut other = author::ActiveModel { id: sea_orm::Unchanged(2), ..Default::default() };
    other.email = Set("ann@ours".to_owned());
    trace.step("unique, by an update", other.update(db).await);

    let orphan =
        profile::ActiveModel { picture: Set("x".to_owned()), author_id: Set(99), ..Default::default() };
    let result = orphan.insert(db).await;
    let foreign = result.as_ref().err().and_then(DbErr::sql_err);
    assert!(matches!(foreign, Some(SqlErr::ForeignKeyConstraintViolation(_))), "{result:?}");
    trace.step("foreign key", result);
    trace.step("foreign key, by a delete", author::Entity::delete_by_id(4).exec(db).await);
    trace.step("foreign key, cascade", post::Entity::delete_many().exec(db).await);

    trace.step("not null", tag::ActiveModel { ..Default::default() }.insert(db).await);
    trace.step(
        "not null, by SQL",
        db.execute_unprepared("INSERT INTO tag (id, label) VALUES (77, NULL)")
            .await
            .map(|done| done.rows_affected()),
    );
    let count = |rows: Vec<sea_orm::QueryResult>| rows.len();
    let backend = ConnectionTrait::get_database_backend(db);
    let sql = |sql: &str| sea_orm::Statement::from_string(backend, sql);
    trace.step("no such table", db.query_all_raw(sql("SELECT * FROM no_such_table")).await.map(count));
    trace.step("no such column", db.query_all_raw(sql("SELECT no_such_column FROM tag")).await.map(count));
    trace.step("syntax", db.query_all_raw(sql("SELEC 1")).await.map(count));
    trace.step("no such function", db.query_all_raw(sql("SELECT no_such_function(1)")).await.map(count));
    trace
        .step("division", db.query_all_raw(sql("SELECT 1 / (id - 1) FROM tag ORDER BY id")).await.map(count));
    trace.step("too few values", db.query_all_raw(sql("SELECT * FROM tag WHERE id = $1")).await.map(count));
    let row = db.query_one_raw(sql("SELECT id, label FROM tag ORDER BY id")).await;
    if let Some(Some(row)) = trace.step("row", row.map(|row| row.map(Row))) {
        trace.step("try_get", row.0.try_get::<i32>("", "id"));
        trace.step("try_get, no such column", row.0.try_get::<i32>("", "nothing"));
        trace.step("try_get, wrong type", row.0.try_get::<i32>("", "label"));
        trace.step("try_get_by_index", row.0.try_get_by_index::<String>(1));
        trace.step("try_get_by_index, beyond", row.0.try_get_by_index::<String>(7));
        trace.step(
            "try_get_many",
            <(i32, String) as sea_orm::TryGetableMany>::try_get_many(
                &row.0,
                "",
                &["id".to_owned(), "label".to_owned()],
            )
            .map_err(DbErr::from),
        );
        trace.value("column_names", row.0.column_names());
    }
    trace.step("still usable", tag::Entity::find_by_id(1).one(db).await);
}

struct Row(sea_orm::QueryResult);

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a row")
    }
}
