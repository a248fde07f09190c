//! New rows, one and many, with and without conflicts.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, DbErr, EntityTrait, InsertManyResult, InsertResult, IntoActiveModel, NotSet,
    PrimaryKeyTrait, Set, TryInsertResult,
};

use crate::rows;
use crate::stage::Handle;
use crate::tables::{author, post, post_tag, setting, stamp, tag, ticket};
use crate::trace::Trace;

fn label(label: &str) -> tag::ActiveModel {
    tag::ActiveModel { label: Set(label.to_owned()), ..Default::default() }
}

fn value(key: &str, value: &str) -> setting::ActiveModel {
    setting::ActiveModel { key: Set(key.to_owned()), value: Set(value.to_owned()) }
}

fn id<A: ActiveModelTrait>(
    result: InsertResult<A>,
) -> <<A::Entity as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType {
    result.last_insert_id
}

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("insert");
    one(db, trace).await;
    many(db, trace).await;
    conflicts(db, trace).await;
    tried(db, trace).await;
    trace.step("tags", rows::all::<tag::Entity, _>(db).await);
    trace.step("settings", rows::all::<setting::Entity, _>(db).await);
    trace.step("stamps", rows::all::<stamp::Entity, _>(db).await);
    trace.step("tickets", rows::all::<ticket::Entity, _>(db).await);
    trace.step("posts", rows::all::<post::Entity, _>(db).await);
}

async fn one<C: Handle>(db: &C, trace: &mut Trace) {
    trace.step("active model", label("one").insert(db).await);
    let chosen = tag::ActiveModel { id: Set(50), label: Set("fifty".to_owned()) };
    trace.step("active model, key chosen", chosen.insert(db).await);
    trace.step("exec", tag::Entity::insert(label("two")).exec(db).await.map(id));
    trace.step("exec, text key", setting::Entity::insert(value("k", "v")).exec(db).await.map(id));
    let key = stamp::Model { series: "c".to_owned(), year: 1, number: 2, note: None };
    trace.step("exec, three columns", stamp::Entity::insert(key.into_active_model()).exec(db).await.map(id));
    trace.step("exec_with_returning", tag::Entity::insert(label("three")).exec_with_returning(db).await);
    let keys = tag::Entity::insert(label("four")).exec_with_returning_keys(db).await;
    trace.step("exec_with_returning_keys", keys);
    let without = tag::Entity::insert(label("five")).exec_without_returning(db).await;
    trace.step("exec_without_returning", without);
    let default = post::ActiveModel { author_id: Set(2), title: Set("New".to_owned()), ..Default::default() };
    trace.step("default of the database", default.insert(db).await);
    trace.step("nothing but a key", ticket::ActiveModel { id: NotSet }.insert(db).await);
    trace.step(
        "nothing set",
        ticket::Entity::insert(ticket::ActiveModel { id: NotSet }).exec(db).await.map(id),
    );
    trace.step("column missing", tag::ActiveModel { ..Default::default() }.insert(db).await);
    let json = serde_json::json!({ "name": "Eve", "email": "eve@ours", "age": 3 });
    if let Some(eve) = trace.step("from_json", author::ActiveModel::from_json(json)) {
        trace.step("insert from_json", eve.insert(db).await);
    }
}

async fn many<C: Handle>(db: &C, trace: &mut Trace) {
    let last = |result: InsertManyResult<tag::ActiveModel>| result.last_insert_id;
    let labels = |names: [&str; 2]| names.map(label);
    trace.step("insert_many", tag::Entity::insert_many(labels(["m1", "m2"])).exec(db).await.map(last));
    let none = tag::Entity::insert_many(Vec::<tag::ActiveModel>::new());
    trace.step("insert_many of none", none.exec(db).await.map(last));
    let rows = tag::Entity::insert_many(labels(["m3", "m4"])).exec_with_returning(db).await;
    trace.step("insert_many, exec_with_returning", rows);
    let keys = tag::Entity::insert_many(labels(["m5", "m6"])).exec_with_returning_keys(db).await;
    trace.step("insert_many, exec_with_returning_keys", keys);
    let count = tag::Entity::insert_many(labels(["m7", "m8"])).exec_without_returning(db).await;
    trace.step("insert_many, exec_without_returning", count);
    let mixed = [
        post::ActiveModel {
            author_id: Set(1),
            title: Set("set".to_owned()),
            views: Set(7),
            ..Default::default()
        },
        post::ActiveModel { author_id: Set(1), title: Set("unset".to_owned()), ..Default::default() },
    ];
    trace.step("insert_many, columns differ", post::Entity::insert_many(mixed).exec_with_returning(db).await);
    let junction =
        [(2, 1), (2, 3)].map(|(post_id, tag_id)| post_tag::Model { post_id, tag_id }.into_active_model());
    let junction = post_tag::Entity::insert_many(junction).exec(db).await;
    trace.step("insert_many, composite key", junction.map(|result| result.last_insert_id));
    let large = (0..400).map(|n| value(&format!("many {n:03}"), "x"));
    let large = setting::Entity::insert_many(large).exec_without_returning(db).await;
    trace.step("insert_many, many", large);
}

async fn conflicts<C: Handle>(db: &C, trace: &mut Trace) {
    let nothing = || OnConflict::column(setting::Column::Key).do_nothing().to_owned();
    let update = || OnConflict::column(setting::Column::Key).update_column(setting::Column::Value).to_owned();
    let insert = |key: &str, text: &str| setting::Entity::insert(value(key, text));
    trace.step("do nothing, conflict", insert("k", "new").on_conflict(nothing()).exec(db).await.map(id));
    trace.step("do nothing, none", insert("k2", "new").on_conflict(nothing()).exec(db).await.map(id));
    let rows = insert("k", "new").on_conflict(nothing()).exec_without_returning(db).await;
    trace.step("do nothing, rows", rows);
    trace.step("update, conflict", insert("k", "newer").on_conflict(update()).exec(db).await.map(id));
    let row = insert("k", "newest").on_conflict(update()).exec_with_returning(db).await;
    trace.step("update, row", row);
    let both = [value("k", "many"), value("k3", "many")];
    let both = setting::Entity::insert_many(both).on_conflict(update()).exec_with_returning(db).await;
    trace.step("update, many", both);
    let filtered = OnConflict::column(setting::Column::Key)
        .update_column(setting::Column::Value)
        .action_and_where(sea_orm::sea_query::Expr::cust("setting.value <> 'many'"))
        .to_owned();
    let filtered = insert("k", "not this").on_conflict(filtered).exec_without_returning(db).await;
    trace.step("update, filtered", filtered);
    let unhelpful = OnConflict::column(setting::Column::Value).do_nothing().to_owned();
    let unhelpful = insert("k", "x").on_conflict(unhelpful).exec(db).await.map(id);
    trace.step("no such constraint", unhelpful);
}

async fn tried<C: Handle>(db: &C, trace: &mut Trace) {
    let of = |result: TryInsertResult<InsertResult<setting::ActiveModel>>| match result {
        TryInsertResult::Empty => "empty".to_owned(),
        TryInsertResult::Conflicted => "conflicted".to_owned(),
        TryInsertResult::Inserted(result) => result.last_insert_id,
    };
    let insert = |key: &str| setting::Entity::insert(value(key, "tried"));
    trace.step("try, conflict", insert("k").on_conflict_do_nothing().exec(db).await.map(of));
    trace.step("try, none", insert("k9").on_conflict_do_nothing().exec(db).await.map(of));
    let on = insert("k9").on_conflict_do_nothing_on([setting::Column::Key]).exec(db).await;
    trace.step("try, on a column", on.map(of));
    let empty = setting::Entity::insert_many(Vec::<setting::ActiveModel>::new());
    #[expect(deprecated, reason = "users of 1.x have it")]
    let empty = empty.on_empty_do_nothing().exec(db).await;
    let kind = |empty: bool| if empty { "empty" } else { "not empty" };
    trace.step("try, of none", empty.map(|result| kind(matches!(result, TryInsertResult::Empty))));
    let rows = insert("k").on_conflict_do_nothing().exec_without_returning(db).await;
    trace.step("try, rows", rows.map(|result| format!("{result:?}")));
    let row = insert("k").on_conflict_do_nothing().exec_with_returning(db).await;
    trace.step("try, row", row.map(|result| format!("{result:?}")));
    let failing: Result<_, DbErr> = insert("k").try_insert().exec(db).await;
    trace.step("try, without a clause", failing.map(of));
}
