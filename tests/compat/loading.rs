//! Eager loading: for rows that were read, and by the loader of an entity.

use sea_orm::{ColumnTrait, EntityLoaderTrait, EntityTrait, LoaderTrait, QueryFilter};

use crate::stage::Handle;
use crate::tables::{author, comment, follow, post, post_tag, profile, staff, tag};
use crate::trace::Trace;

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("loading");
    of_rows(db, trace).await;
    of_entities(db, trace).await;
    of_itself(db, trace).await;
}

async fn of_rows<C: Handle>(db: &C, trace: &mut Trace) {
    let found = author::Entity::find().order_by_id_asc().all(db).await;
    let authors = trace.step("authors", found).unwrap_or_default();
    trace.step("load_one", authors.load_one(profile::Entity, db).await);
    trace.step("load_many", authors.load_many(post::Entity::find().order_by_id_desc(), db).await);
    let some = post::Entity::find().filter(post::Column::Views.gt(0)).order_by_id_asc();
    trace.step("load_many, filtered", authors.load_many(some, db).await);
    let found = post::Entity::find().order_by_id_asc().all(db).await;
    let posts = trace.step("posts", found).unwrap_or_default();
    trace.step("load_one, of many", posts.load_one(author::Entity, db).await);
    let tags = || tag::Entity::find().order_by_id_asc();
    trace.step("load_many, over a junction", posts.load_many(tags(), db).await);
    trace.step("load_many_to_many", posts.load_many_to_many(tags(), post_tag::Entity, db).await);
    trace.step("load_many, for no rows", Vec::<post::Model>::new().load_many(comment::Entity, db).await);

    let found = staff::Entity::find().order_by_id_asc().all(db).await;
    let staff = trace.step("staff", found).unwrap_or_default();
    trace.step("load_self", staff.load_self(staff::Entity, staff::Relation::Manager, db).await);
    let below = staff::Entity::find().order_by_id_asc();
    trace.step("load_self_many", staff.load_self_many(below, staff::Relation::Reports, db).await);
    trace.step("load_self_via", authors.load_self_via(follow::Entity, db).await.map(sorted));
    trace.step("load_self_via_rev", authors.load_self_via_rev(follow::Entity, db).await.map(sorted));
}

/// What the loader asks for without an order.
fn sorted(mut lists: Vec<Vec<author::Model>>) -> Vec<Vec<author::Model>> {
    for list in &mut lists {
        list.sort_by_key(|author| author.id);
    }
    lists
}

async fn of_entities<C: Handle>(db: &C, trace: &mut Trace) {
    let authors = || author::Entity::load().order_by_id_asc();
    trace.step("load", authors().all(db).await);
    trace.step("load, with one", authors().with(profile::Entity).all(db).await);
    trace.step("load, with many", authors().with(post::Entity).all(db).await);
    trace.step("load, with both", authors().with(profile::Entity).with(post::Entity).all(db).await);
    trace.step("load, nested", authors().with((post::Entity, comment::Entity)).all(db).await);
    let nested = authors().with(profile::Entity).with((post::Entity, tag::Entity));
    trace.step("load, nested over a junction", nested.all(db).await);
    let posts = post::Entity::load().with(author::Entity).with(comment::Entity).with(tag::Entity);
    trace.step("load, belongs to", posts.order_by_id_desc().all(db).await);
    let one = author::Entity::load().filter_by_id(3).with(post::Entity).with(profile::Entity);
    trace.step("load, filter_by_id", one.one(db).await);
    let none = author::Entity::load().filter_by_id(33).with(post::Entity);
    trace.step("load, none", none.one(db).await);
    let filtered = author::Entity::load().filter(author::Column::Age.gt(30)).order_by_id_asc();
    trace.step("load, filtered", filtered.with(post::Entity).all(db).await);
    let comments = comment::Entity::load().with((post::Entity, author::Entity)).order_by_id_asc();
    trace.step("load, up two levels", comments.all(db).await);

    let mut pages = authors().with(post::Entity).paginate(db, 3);
    trace.step("load, pages", pages.num_items_and_pages().await);
    trace.step("load, first page", pages.fetch_and_next().await);
    trace.step("load, second page", pages.fetch_and_next().await);
    trace.step("load, beyond", pages.fetch_and_next().await);
}

async fn of_itself<C: Handle>(db: &C, trace: &mut Trace) {
    let staff = || staff::Entity::load().order_by_id_asc();
    trace.step("load, manager", staff().with(staff::Relation::Manager).all(db).await);
    trace.step("load, reports", staff().with(staff::Relation::Reports).all(db).await);
    let both = staff().with(staff::Relation::Manager).with(staff::Relation::Reports);
    trace.step("load, both ways", both.all(db).await);
    let followed = author::Entity::load().filter_by_id(2).with(follow::Entity);
    trace.step("load, followers", followed.one(db).await);
    let following = author::Entity::load().filter_by_id(3).with(follow::EntityReverse);
    trace.step("load, following", following.one(db).await);
}
