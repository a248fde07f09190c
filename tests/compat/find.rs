//! Selecting rows of one table.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, NullOrdering, Query};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, IntoIdentity, Order, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, SelectExt,
};

use crate::stage::Handle;
use crate::tables::{author, post, setting, stamp, ticket};
use crate::trace::Trace;

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("find");
    rows(db, trace).await;
    filters(db, trace).await;
    shape(db, trace).await;
    counts(db, trace).await;
}

async fn rows<C: Handle>(db: &C, trace: &mut Trace) {
    trace.step("all", author::Entity::find().order_by_id_asc().all(db).await);
    trace.step("all of none", ticket::Entity::find().all(db).await);
    trace.step("one", author::Entity::find().order_by_id_asc().one(db).await);
    trace.step("one of none", ticket::Entity::find().one(db).await);
    trace.step("require_one", author::Entity::find().order_by_id_desc().require_one(db).await);
    trace.step("require_one of none", ticket::Entity::find().require_one(db).await);
    trace.step("find_by_id", author::Entity::find_by_id(2).one(db).await);
    trace.step("find_by_id of none", author::Entity::find_by_id(99).one(db).await);
    trace.step("find_by_id, text", setting::Entity::find_by_id("owner").one(db).await);
    let key = ("a".to_owned(), 1999, 2_i64);
    trace.step("find_by_id, three columns", stamp::Entity::find_by_id(key).one(db).await);
    trace.step("find_by unique", author::Entity::find_by_email("bob@ours").one(db).await);
}

async fn filters<C: Handle>(db: &C, trace: &mut Trace) {
    let authors = author::Entity::find;
    let of = |condition: Condition| authors().filter(condition).order_by_id_asc().all(db);
    trace.step("eq", of(author::Column::Age.eq(41).into_condition()).await);
    trace.step("ne", of(author::Column::Age.ne(41).into_condition()).await);
    trace.step("null", of(author::Column::Age.is_null().into_condition()).await);
    trace.step("between", of(author::Column::Age.between(20, 30).into_condition()).await);
    trace.step("like", of(author::Column::Name.like("%o%").into_condition()).await);
    trace.step("starts_with", of(author::Column::Name.starts_with("An").into_condition()).await);
    trace.step("contains", of(author::Column::Name.contains("ra").into_condition()).await);
    trace.step("is_in", of(author::Column::Id.is_in([1, 3, 9]).into_condition()).await);
    trace.step("is_in of none", of(author::Column::Id.is_in(Vec::<i32>::new()).into_condition()).await);
    trace.step("is_not_in", of(author::Column::Id.is_not_in([1, 3]).into_condition()).await);
    let any = Condition::any().add(author::Column::Id.eq(1)).add(author::Column::Id.gt(3));
    trace.step("any", of(any.clone()).await);
    trace.step("not all", of(Condition::all().not().add(any)).await);
    let custom = Expr::cust_with_values("\"id\" % 2 = $1", [1]);
    trace.step("custom expression", of(custom.into_condition()).await);
    let lower = Expr::expr(Func::lower(Expr::col(author::Column::Name))).eq("ann of ours");
    trace.step("function", of(lower.into_condition()).await);

    let writers = post::Entity::find().select_only().column(post::Column::AuthorId).into_query();
    trace.step("in a sub-select", of(author::Column::Id.in_subquery(writers.clone()).into_condition()).await);
    trace.step("not in a sub-select", of(author::Column::Id.not_in_subquery(writers).into_condition()).await);
    let exists = Query::select()
        .expr(Expr::val(1))
        .from(post::Entity)
        .and_where(
            Expr::col((post::Entity, post::Column::AuthorId)).equals((author::Entity, author::Column::Id)),
        )
        .take();
    trace.step("exists, correlated", of(Expr::exists(exists).into_condition()).await);
    let none: Option<i32> = None;
    let maybe = authors().apply_if(none, |select, id| select.filter(author::Column::Id.eq(id)));
    trace.step("apply_if", maybe.order_by_id_asc().all(db).await);
}

trait IntoCondition {
    fn into_condition(self) -> Condition;
}

impl IntoCondition for Expr {
    fn into_condition(self) -> Condition {
        Condition::all().add(self)
    }
}

async fn shape<C: Handle>(db: &C, trace: &mut Trace) {
    let posts = post::Entity::find;
    let order = posts().order_by_desc(post::Column::Views).order_by_asc(post::Column::Title);
    trace.step("order_by", order.all(db).await);
    let nulls = author::Entity::find()
        .order_by_with_nulls(author::Column::Age, Order::Asc, NullOrdering::First)
        .order_by_id_desc();
    trace.step("order_by_with_nulls", nulls.all(db).await);
    let by_length = posts().order_by(Expr::cust("LENGTH(\"title\")"), Order::Desc).order_by_id_asc();
    trace.step("order_by an expression", by_length.all(db).await);
    trace.step("limit", posts().order_by_id_asc().limit(2).all(db).await);
    trace.step("offset", posts().order_by_id_asc().limit(2).offset(1).all(db).await);
    trace.step("limit 0", posts().order_by_id_asc().limit(0).all(db).await);
    let distinct = posts().select_only().column(post::Column::Views).distinct();
    let distinct = distinct.order_by_asc(post::Column::Views).into_tuple::<i32>();
    trace.step("distinct", distinct.all(db).await);
    if db.backend() == DbBackend::Postgres {
        let on = posts().distinct_on([post::Column::AuthorId]);
        let on = on.order_by_asc(post::Column::AuthorId).order_by_desc(post::Column::Views);
        trace.step("distinct_on", on.all(db).await);
    }

    let groups = || {
        let groups = posts().select_only().column(post::Column::AuthorId);
        let groups =
            groups.column_as(post::Column::Views.sum(), "sum").column_as(post::Column::Id.count(), "n");
        groups.group_by(post::Column::AuthorId).order_by_asc(post::Column::AuthorId)
    };
    trace.step("group_by", groups().into_json().all(db).await);
    let having = groups().having(post::Column::Id.count().gt(1));
    trace.step("having", having.into_tuple::<(i32, i64, i64)>().all(db).await);
    let extremes = posts().select_only().column_as(post::Column::Views.max(), "most");
    let extremes = extremes.column_as(post::Column::Views.min(), "least").into_tuple::<(i32, i32)>();
    trace.step("max and min", extremes.one(db).await);

    let expr = posts().expr_as(Expr::col(post::Column::Views).mul(2), "twice").order_by_id_asc();
    trace.step("expr_as", expr.into_json().all(db).await);
    let case = Expr::case(Expr::col(post::Column::Views).gt(0), "read").finally("unread");
    let case = posts().select_only().column(post::Column::Id).expr_as(case, "state").order_by_id_asc();
    trace.step("case", case.into_tuple::<(i32, String)>().all(db).await);
    let total = Query::select().expr(Func::count(Expr::col(post::Column::Id))).from(post::Entity).take();
    let scalar = author::Entity::find().select_only().column(author::Column::Id);
    let scalar = scalar.expr_as(Expr::SubQuery(None, Box::new(total.into())), "posts").order_by_id_asc();
    trace.step("scalar sub-select", scalar.into_tuple::<(i32, i64)>().all(db).await);
    let window = "ROW_NUMBER() OVER (PARTITION BY \"author_id\" ORDER BY \"id\")";
    let window = posts().select_only().column(post::Column::Id).expr_as(Expr::cust(window), "place");
    trace.step("window", window.order_by_id_asc().into_tuple::<(i32, i64)>().all(db).await);
    trace.step(
        "select_except",
        posts().select_except([post::Column::Title]).order_by_id_asc().into_json().all(db).await,
    );

    let from = Query::select().column(Alias::new("id")).from_subquery(posts().into_query(), "p").take();
    let rows =
        db.query_all(Query::select().expr(Func::count(Expr::col("id"))).from_subquery(from, "q")).await;
    let counted = rows.and_then(|rows| {
        rows.iter().map(|row| row.try_get_by_index::<i64>(0)).collect::<Result<Vec<_>, _>>()
    });
    trace.step("from a sub-select", counted);
    let either = posts()
        .filter(post::Column::Id.eq(1))
        .into_query()
        .union(sea_orm::sea_query::UnionType::All, posts().filter(post::Column::Id.eq(4)).into_query())
        .take();
    trace.step("union", db.query_all(&either).await.map(|rows| rows.len()));
    trace.value("key of three columns", stamp::Entity::primary_key_identity().arity());
    trace.value("identity", post::Column::Id.into_identity());
}

async fn counts<C: Handle>(db: &C, trace: &mut Trace) {
    trace.step("count", post::Entity::find().count(db).await);
    trace.step("count of none", ticket::Entity::find().count(db).await);
    trace.step("count, filtered", post::Entity::find().filter(post::Column::Views.gt(4)).count(db).await);
    trace.step("exists", post::Entity::find().filter(post::Column::Views.gt(4)).exists(db).await);
    trace.step("exists, none", post::Entity::find().filter(post::Column::Views.gt(400)).exists(db).await);
    if db.backend() == DbBackend::Postgres
        && let Ok(transaction) = db.begin().await
    {
        let posts = || post::Entity::find().order_by_id_asc();
        trace.step("lock_exclusive", posts().lock_exclusive().all(&transaction).await);
        trace.step("lock_shared", posts().lock_shared().all(&transaction).await);
    }
}
