//! An invoice.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "invoices")]
pub(crate) struct Model {
    /// An order has one invoice.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) order_id: i32,
    /// In cents.
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
