//! Pages by number and by cursor.

use futures_util::TryStreamExt;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Statement};

use crate::stage::Handle;
use crate::tables::{author, post, stamp, ticket};
use crate::trace::Trace;

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("pages");
    pages(db, trace).await;
    cursors(db, trace).await;
}

async fn pages<C: Handle>(db: &C, trace: &mut Trace) {
    let paged = || stamp::Entity::find().order_by_id_asc().paginate(db, 2);
    trace.step("num_items", paged().num_items().await);
    trace.step("num_pages", paged().num_pages().await);
    trace.step("num_items_and_pages", paged().num_items_and_pages().await);
    trace.step("fetch", paged().fetch().await);
    trace.step("fetch_page", paged().fetch_page(2).await);
    trace.step("fetch_page beyond", paged().fetch_page(9).await);
    trace.step("num_pages of none", ticket::Entity::find().paginate(db, 2).num_pages().await);
    let mut walk = paged();
    for page in ["first", "second", "third", "fourth"] {
        trace.step(&format!("fetch_and_next, {page}"), walk.fetch_and_next().await);
    }
    walk.set_page(1);
    trace.value("cur_page", walk.cur_page());
    trace.step("set_page", walk.fetch().await);
    trace.step("into_stream", paged().into_stream().try_collect::<Vec<_>>().await);
    let of = author::Entity::find().find_also_related(post::Entity);
    let of = of.order_by_asc(author::Column::Id).order_by_asc(post::Column::Id);
    trace.step("two", of.paginate(db, 3).fetch_page(1).await);
    let backend = sea_orm::ConnectionTrait::get_database_backend(db);
    let raw = Statement::from_string(backend, "SELECT * FROM stamp ORDER BY series, year, number");
    let raw = stamp::Entity::find().from_raw_sql(raw).paginate(db, 3);
    trace.step("raw, num_items", raw.num_items().await);
    trace.step("raw, fetch_page", raw.fetch_page(1).await);
}

async fn cursors<C: Handle>(db: &C, trace: &mut Trace) {
    let posts = || post::Entity::find().cursor_by(post::Column::Id);
    trace.step("first", posts().first(2).all(db).await);
    trace.step("last", posts().last(2).all(db).await);
    trace.step("after", posts().after(1).first(2).all(db).await);
    trace.step("before", posts().before(4).last(2).all(db).await);
    trace.step("after and before", posts().after(1).before(4).first(9).all(db).await);
    trace.step("desc", posts().desc().after(3).first(9).all(db).await);
    trace.step("desc, last", posts().desc().last(1).all(db).await);
    let some = post::Entity::find()
        .filter(post::Column::Views.gt(0))
        .cursor_by(post::Column::Id)
        .first(2)
        .all(db)
        .await;
    trace.step("filtered", some);
    trace.step("cursor into_json", posts().into_json().first(1).all(db).await);

    use stamp::Column::{Number, Series, Year};
    let stamps = || stamp::Entity::find().cursor_by((Series, Year, Number));
    let key = |series: &str, year: i32, number: i64| (series.to_owned(), year, number);
    trace.step("three columns, first", stamps().first(3).all(db).await);
    trace.step("three columns, after", stamps().after(key("a", 1999, 2)).first(3).all(db).await);
    trace.step("three columns, before", stamps().before(key("b", 1999, 1)).last(2).all(db).await);
    trace.step("three columns, desc", stamps().desc().after(key("b", 2001, 7)).first(2).all(db).await);
    trace.step("wrong number of columns", stamps().after(1).first(2).all(db).await);
    let two = stamp::Entity::find().cursor_by((Year, Number)).after((1999, 1_i64)).first(9).all(db).await;
    trace.step("two columns", two);
    let also = || {
        let also = author::Entity::find().find_also_related(post::Entity);
        also.cursor_by(author::Column::Id)
    };
    trace.step("of two", also().after(1).first(3).all(db).await);
    let other = author::Entity::find().find_also_related(post::Entity).cursor_by_other(post::Column::Id);
    let mut other = other;
    trace.step("of the other", other.first(2).all(db).await);
}
