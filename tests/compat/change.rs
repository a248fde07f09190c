//! Rows changed and deleted.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, ModelTrait, QueryFilter, Set, Unchanged,
};

use crate::rows;
use crate::stage::Handle;
use crate::tables::{author, comment, post, post_tag, setting, stamp, tag};
use crate::trace::Trace;

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("update");
    update(db, trace).await;
    update_many(db, trace).await;
    trace.step("posts", rows::all::<post::Entity, _>(db).await);
    trace.step("stamps", rows::all::<stamp::Entity, _>(db).await);
    trace.step("authors", rows::all::<author::Entity, _>(db).await);
    trace.group("delete");
    delete(db, trace).await;
    trace.step("comments left", rows::all::<comment::Entity, _>(db).await);
    trace.step("stamps left", rows::all::<stamp::Entity, _>(db).await);
    trace.step("tags left", rows::all::<tag::Entity, _>(db).await);
}

async fn update<C: Handle>(db: &C, trace: &mut Trace) {
    let titled = |id: i32, title: &str| post::ActiveModel {
        id: Unchanged(id),
        title: Set(title.to_owned()),
        ..Default::default()
    };
    trace.step("active model", titled(1, "Changed").update(db).await);
    trace.step("active model, no such row", titled(99, "Changed").update(db).await);
    let same = post::ActiveModel { id: Unchanged(1), ..Default::default() };
    trace.step("active model, nothing set", same.update(db).await);
    let keyless = post::ActiveModel { title: Set("x".to_owned()), ..Default::default() };
    trace.step("active model, no key", keyless.update(db).await);
    trace.step("exec", post::Entity::update(titled(2, "Again")).exec(db).await);
    let guarded = post::Entity::update(titled(2, "Guarded")).validate();
    if let Ok(guarded) = guarded {
        trace.step("exec, filtered out", guarded.filter(post::Column::Views.gt(1000)).exec(db).await);
    }
    let without = titled(2, "Without").update_without_returning(db).await;
    trace.step("update_without_returning", without);
    let without = titled(98, "Without").update_without_returning(db).await;
    trace.step("update_without_returning, no such row", without);
    let stamp = stamp::Model { series: "a".to_owned(), year: 1999, number: 1, note: None };
    let mut stamp = stamp.into_active_model();
    stamp.note = Set(Some("noted".to_owned()));
    trace.step("three columns", stamp.update(db).await);
    let found = author::Entity::find_by_id(2).one(db).await.ok().flatten();
    if let Some(mut bob) = found.map(IntoActiveModel::into_active_model) {
        bob.age = Set(Some(7));
        trace.step("of a model", bob.clone().update(db).await);
        bob.age = Set(None);
        trace.step("to null", bob.update(db).await);
    }
    let mut all = post::Model { id: 3, author_id: 2, title: "Rust".into(), views: 10 }.into_active_model();
    all = all.reset_all();
    trace.step("reset_all", all.update(db).await);
    let mut json = post::ActiveModel { id: Unchanged(3), ..Default::default() };
    let set = json.set_from_json(serde_json::json!({ "id": 4, "title": "By JSON" }));
    trace.step("set_from_json", set);
    trace.step("of JSON", json.update(db).await);
}

async fn update_many<C: Handle>(db: &C, trace: &mut Trace) {
    use post::Column::{AuthorId, Id, Title, Views};
    let many = post::Entity::update_many;
    let more = many().col_expr(Views, Expr::col(Views).add(1)).filter(AuthorId.eq(1)).exec(db).await;
    trace.step("col_expr", more);
    let none = many().col_expr(Views, Expr::value(0)).filter(Id.eq(99)).exec(db).await;
    trace.step("col_expr, no such row", none);
    let set = post::ActiveModel { views: Set(3), ..Default::default() };
    trace.step("set", many().set(set).filter(Id.is_in([2, 3])).exec(db).await);
    let rows =
        many().col_expr(Title, Expr::cust("UPPER(\"title\")")).filter(Id.eq(4)).exec_with_returning(db).await;
    trace.step("exec_with_returning", rows);
    let rows = many().col_expr(Views, Expr::value(1)).filter(Id.eq(99)).exec_with_returning(db).await;
    trace.step("exec_with_returning, no such row", rows);
    trace.step("nothing to set", many().filter(Id.eq(1)).exec(db).await);
    let all = stamp::Entity::update_many().col_expr(stamp::Column::Note, Expr::cust("NULL")).exec(db).await;
    trace.step("every row", all);
}

async fn delete<C: Handle>(db: &C, trace: &mut Trace) {
    use comment::Column::{Id, PostId};
    if let Some(Some(first)) = trace.step("model", comment::Entity::find_by_id(1).one(db).await) {
        trace.step("of a model", first.delete(db).await);
    }
    let second = comment::ActiveModel { id: Set(2), ..Default::default() };
    trace.step("of an active model", second.clone().delete(db).await);
    trace.step("of an active model, again", second.delete(db).await);
    trace.step("of an active model, no key", comment::ActiveModel { ..Default::default() }.delete(db).await);
    trace.step("delete_by_id", comment::Entity::delete_by_id(3).exec(db).await);
    trace.step("delete_by_id, no such row", comment::Entity::delete_by_id(3).exec(db).await);
    trace.step("delete_by_id, returning", comment::Entity::delete_by_id(4).exec_with_returning(db).await);
    trace
        .step("delete_by_id, returning none", comment::Entity::delete_by_id(4).exec_with_returning(db).await);
    trace.step("delete_by_id, composite key", post_tag::Entity::delete_by_id((2, 2)).exec(db).await);
    trace.step("delete_by_id, text", setting::Entity::delete_by_id("owner").exec(db).await);
    let many = comment::Entity::delete_many().filter(Id.gt(5)).exec(db).await;
    trace.step("delete_many", many);
    let many = comment::Entity::delete_many().filter(Id.gt(500)).exec(db).await;
    trace.step("delete_many, none", many);
    let rows = comment::Entity::delete_many().filter(PostId.eq(3)).exec_with_returning(db).await;
    trace.step("delete_many, returning", rows);
    let ids = [("a".to_owned(), 1999, 1_i64), ("b".to_owned(), 2001, 7_i64)];
    trace.step("filter_by_ids", stamp::Entity::delete_many().filter_by_ids(ids).exec(db).await);
    let joined = stamp::Entity::delete_many().filter(stamp::Column::Series.eq("b")).exec(db).await;
    trace.step("delete_many, by part of a key", joined);
    trace.step("unused tag", tag::Entity::delete_by_id(4).exec(db).await);
    let by = tag::Entity::delete_by_label("unused").exec(db).await;
    trace.step("delete_by unique, gone", by);
    let all = comment::Entity::delete_many().exec(db).await;
    trace.step("every row", all);
}
