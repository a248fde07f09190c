//! Rows as something else than the model of their table.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, DerivePartialModel, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder,
    QuerySelect, RelationTrait,
};

use crate::stage::Handle;
use crate::tables::{author, post, profile};
use crate::trace::Trace;

#[derive(Debug, FromQueryResult)]
#[expect(dead_code, reason = "read by Debug")]
struct Titled {
    title: String,
    double: i32,
}

#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "author::Entity")]
#[expect(dead_code, reason = "read by Debug")]
struct Named {
    id: i32,
    #[sea_orm(from_col = "name")]
    called: String,
    #[sea_orm(from_expr = "author::Column::Age.is_null()")]
    ageless: bool,
}

#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "post::Entity")]
#[expect(dead_code, reason = "read by Debug")]
struct Written {
    title: String,
    #[sea_orm(nested)]
    author: Option<Named>,
}

#[derive(Debug, FromQueryResult)]
#[expect(dead_code, reason = "read by Debug")]
struct Wrong {
    nothing: String,
}

#[derive(Debug, FromQueryResult)]
#[expect(dead_code, reason = "read by Debug")]
struct Mistyped {
    title: i32,
}

#[derive(Copy, Clone, Debug, sea_orm::EnumIter, sea_orm::DeriveColumn)]
enum Chosen {
    Title,
    Views,
}

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("models");
    let posts = || post::Entity::find().order_by_id_asc();
    trace.step("into_json", posts().into_json().all(db).await);
    trace.step("into_json, one", posts().into_json().one(db).await);
    let chosen = || posts().select_only().column(post::Column::Title);
    let doubled = || chosen().column_as(Expr::col(post::Column::Views).mul(2), "double");
    trace.step("into_model", doubled().into_model::<Titled>().all(db).await);
    trace.step("into_model, one", doubled().into_model::<Titled>().one(db).await);
    trace.step("into_model, column missing", doubled().into_model::<Wrong>().all(db).await);
    trace.step("into_model, wrong type", chosen().into_model::<Mistyped>().all(db).await);
    let authors = || author::Entity::find().order_by_id_asc();
    trace.step("into_partial_model", authors().into_partial_model::<Named>().all(db).await);
    let joined = posts().join(JoinType::LeftJoin, post::Relation::Author.def());
    trace.step("into_partial_model, nested", joined.into_partial_model::<Written>().all(db).await);
    let pairs = || chosen().column(post::Column::Views);
    trace.step("into_tuple", pairs().into_tuple::<(String, i32)>().all(db).await);
    trace.step("into_tuple, one", pairs().into_tuple::<(String, i32)>().one(db).await);
    trace.step("into_tuple, single", chosen().into_tuple::<String>().all(db).await);
    trace.step("into_tuple, wrong type", pairs().into_tuple::<(i32, i32)>().all(db).await);
    trace.step("into_values", pairs().into_values::<(String, i32), Chosen>().all(db).await);
    let option = authors().select_only().column(author::Column::Age).into_tuple::<Option<i32>>();
    trace.step("into_tuple, null", option.all(db).await);
    let null = authors().select_only().column(author::Column::Age).into_tuple::<i32>();
    trace.step("into_tuple, unexpected null", null.all(db).await);
    let both = author::Entity::find().find_also_related(profile::Entity).order_by_asc(author::Column::Id);
    trace.step("two, into_json", both.into_json().all(db).await);
    let two = post::Entity::find()
        .filter(post::Column::Views.gt(1))
        .order_by_asc(post::Column::Id)
        .find_also_related(author::Entity)
        .into_model::<post::Model, author::Model>();
    trace.step("two, into_model", two.all(db).await);
}
