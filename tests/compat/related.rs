//! Joins, and rows with what they are related to.

use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, ModelTrait, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
};

use crate::stage::Handle;
use crate::tables::{author, comment, post, post_tag, profile, staff, tag};
use crate::trace::Trace;

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("related");
    joins(db, trace).await;
    related(db, trace).await;
    linked(db, trace).await;
    many(db, trace).await;
}

async fn joins<C: Handle>(db: &C, trace: &mut Trace) {
    let titles =
        || post::Entity::find().select_only().column(post::Column::Title).column(author::Column::Name);
    let inner = titles().inner_join(author::Entity).order_by_asc(post::Column::Id);
    trace.step("inner_join", inner.into_tuple::<(String, String)>().all(db).await);
    let left = author::Entity::find().select_only().column(author::Column::Id).column(post::Column::Title);
    let left = left.left_join(post::Entity);
    let left = left.order_by_asc(author::Column::Id).order_by_asc(post::Column::Id);
    trace.step("left_join", left.into_tuple::<(i32, Option<String>)>().all(db).await);
    let right = profile::Entity::find().select_only().column(profile::Column::Picture);
    let right = right.column(author::Column::Id).right_join(author::Entity).order_by_asc(author::Column::Id);
    trace.step("right_join", right.into_tuple::<(Option<String>, i32)>().all(db).await);
    let reverse = author::Entity::find().reverse_join(post::Entity).order_by_asc(post::Column::Id);
    trace.step("reverse_join", reverse.all(db).await);
    let join = post::Entity::find().join(JoinType::InnerJoin, post::Relation::Comment.def());
    trace.step("join", join.order_by_asc(comment::Column::Id).all(db).await);
    let rev = post::Entity::find().join_rev(JoinType::InnerJoin, comment::Relation::Post.def());
    trace.step("join_rev", rev.order_by_asc(comment::Column::Id).all(db).await);
    let alias = staff::Entity::find()
        .join_as(JoinType::InnerJoin, staff::Relation::Manager.def(), "boss")
        .column_as(sea_orm::sea_query::Expr::col(("boss", staff::Column::Name)), "boss_name")
        .order_by_id_asc();
    trace.step("join_as", alias.into_json().all(db).await);
    let via = post::Entity::find().inner_join(tag::Entity).filter(tag::Column::Label.eq("water"));
    trace.step("join over a junction", via.order_by_asc(post::Column::Id).all(db).await);
    let on = post::Entity::find().join(
        JoinType::LeftJoin,
        post::Relation::Comment.def().on_condition(|_, right| {
            use sea_orm::sea_query::{Expr, ExprTrait};
            Expr::col((right, comment::Column::Text)).eq("no").into()
        }),
    );
    let on = on
        .select_only()
        .column(post::Column::Id)
        .column(comment::Column::Text)
        .order_by_asc(post::Column::Id);
    trace.step("on_condition", on.into_tuple::<(i32, Option<String>)>().all(db).await);
}

async fn related<C: Handle>(db: &C, trace: &mut Trace) {
    let Some(Some(ann)) = trace.step("model", author::Entity::find_by_id(1).one(db).await) else { return };
    trace.step("find_related, many", ann.find_related(post::Entity).order_by_id_asc().all(db).await);
    trace.step("find_related, one", ann.find_related(profile::Entity).one(db).await);
    let first = post::Model { id: 1, author_id: 1, title: String::new(), views: 0 };
    trace.step(
        "find_related, over a junction",
        first.find_related(tag::Entity).order_by_id_asc().all(db).await,
    );
    let also = post::Entity::find().find_also_related(author::Entity).order_by_asc(post::Column::Id);
    trace.step("find_also_related", also.clone().all(db).await);
    trace.step("find_also_related, one", also.one(db).await);
    let also = author::Entity::find().find_also_related(profile::Entity).order_by_asc(author::Column::Id);
    trace.step("find_also_related, none there", also.all(db).await);
    let both = author::Entity::find().find_both_related(profile::Entity).order_by_asc(author::Column::Id);
    trace.step("find_both_related", both.all(db).await);
    let with = author::Entity::find().find_with_related(post::Entity);
    let with = with.order_by_asc(author::Column::Id).order_by_desc(post::Column::Id);
    trace.step("find_with_related", with.all(db).await);
    let with = post::Entity::find().find_with_related(tag::Entity);
    let with = with.order_by_asc(post::Column::Id).order_by_asc(tag::Column::Id);
    trace.step("find_with_related, over a junction", with.all(db).await);
    trace.step(
        "find_related_rev",
        author::Entity::find_related_rev::<post::Entity>().all(db).await.map(|rows| rows.len()),
    );
    let key = post_tag::Entity::find_by_id((1, 2)).find_also_related(tag::Entity);
    trace.step("composite key with related", key.one(db).await);
}

async fn linked<C: Handle>(db: &C, trace: &mut Trace) {
    let hand = staff::Model { id: 4, name: "Hand".to_owned(), manager_id: Some(2) };
    trace.step("find_linked", hand.find_linked(staff::ToManager).all(db).await);
    trace.step("find_linked_recursive", hand.find_linked_recursive(staff::ToManager).all(db).await);
    let also = staff::Entity::find().find_also_linked(staff::ToManager).order_by_asc(staff::Column::Id);
    trace.step("find_also_linked", also.all(db).await);
    let with = staff::Entity::find().find_with_linked(staff::ToManager).order_by_asc(staff::Column::Id);
    trace.step("find_with_linked", with.all(db).await);
    let tags = author::Entity::find().find_with_linked(author::ToTags).order_by_asc(author::Column::Id);
    let tags = tags.order_by_asc(sea_orm::sea_query::Expr::col(("r2", tag::Column::Id)));
    trace.step("find_with_linked, three joins", tags.all(db).await);
    let joined = author::Entity::find().left_join_linked(author::ToTags).order_by_asc(author::Column::Id);
    let joined = joined.order_by_asc(sea_orm::sea_query::Expr::col(("r2", tag::Column::Id)));
    trace.step("left_join_linked", joined.into_json().all(db).await);
}

async fn many<C: Handle>(db: &C, trace: &mut Trace) {
    let three = || {
        let three = post::Entity::find().find_also_related(author::Entity);
        three.find_also(post::Entity, comment::Entity)
    };
    let ordered = || three().order_by_asc(post::Column::Id).order_by_asc(comment::Column::Id);
    trace.step("three", ordered().all(db).await);
    trace.step("three, one", ordered().one(db).await);
    trace.step("three, consolidated", ordered().consolidate().all(db).await);
    let chain = comment::Entity::find().find_also_related(post::Entity).and_also_related(author::Entity);
    trace.step("three in a chain", chain.order_by_asc(comment::Column::Id).all(db).await);
    let four = ordered().find_also(post::Entity, tag::Entity);
    trace.step("four", four.order_by_asc(tag::Column::Id).all(db).await);
}
