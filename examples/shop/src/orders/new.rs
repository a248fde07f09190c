//! An order on its way into the database.

use std::num::NonZeroU16;

use chrono::Utc;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use xcore::db::TenantDb;
use xcore::prelude::*;

use super::{line, order};

/// What a client sends.
#[derive(Deserialize)]
pub(crate) struct NewOrder {
    pub(crate) lines: Vec<NewLine>,
}

/// A line of it.
#[derive(Deserialize)]
pub(crate) struct NewLine {
    pub(crate) sku: String,
    pub(crate) quantity: NonZeroU16,
}

/// What a client gets.
#[derive(Serialize)]
pub(crate) struct OrderWithLines {
    #[serde(flatten)]
    pub(crate) order: order::Model,
    pub(crate) lines: Vec<line::Model>,
}

/// Writes an order and its lines, both or neither.
pub(crate) async fn insert(db: &TenantDb, priced: Vec<(NewLine, i64)>) -> Result<OrderWithLines, DbErr> {
    let total = priced.iter().map(|(line, price)| i64::from(line.quantity.get()) * price).sum();
    let transaction = db.begin().await?;
    let new = order::ActiveModel {
        total: Set(total),
        placed_at: Set(Utc::now().timestamp()),
        invoiced: Set(false),
        ..Default::default()
    };
    let order = new.insert(&transaction).await?;
    let mut lines = Vec::with_capacity(priced.len());
    for (new, price) in priced {
        let line = line::ActiveModel {
            order_id: Set(order.id),
            sku: Set(new.sku),
            quantity: Set(new.quantity.get().into()),
            price: Set(price),
            ..Default::default()
        };
        lines.push(line.insert(&transaction).await?);
    }
    transaction.commit().await?;
    Ok(OrderWithLines { order, lines })
}
