//! What tenants owe: one invoice per order.

mod invoice;
mod migrations;

use xcore::prelude::*;

use crate::orders::Orders;
use migrations::Migrator;

/// The `plugins.billing.config` section of `xcore.yaml`.
#[derive(Deserialize, xcore::PluginConfig)]
pub(crate) struct BillingConfig {
    /// The currency of invoices.
    currency: String,
}

/// Writes invoices. Orders calls it; HTTP can only read.
#[xcore::plugin(services(db), config = BillingConfig, migrations = Migrator)]
pub(crate) struct Billing;

/// What is to be paid.
#[derive(Deserialize, Serialize)]
pub(crate) struct Charge {
    pub(crate) order_id: i32,
    /// In cents.
    pub(crate) amount: i64,
}

#[xcore::plugin]
impl Billing {
    /// Write the invoice of an order; the same invoice when it is asked for again.
    #[action(internal, callers = [Orders])]
    async fn charge(&self, ctx: &BillingContext, Json(charge): Json<Charge>) -> Result<Json<invoice::Model>> {
        let new = invoice::ActiveModel {
            order_id: Set(charge.order_id),
            amount: Set(charge.amount),
            currency: Set(ctx.config.currency.clone()),
        };
        // One statement, so that two callers at once cannot both write.
        invoice::Entity::insert(new).on_conflict_do_nothing().exec_without_returning(&ctx.db).await?;
        let written = invoice::Entity::find_by_id(charge.order_id).one(&ctx.db).await?;
        written.map(Json).ok_or_else(|| Error::not_found("the invoice was removed"))
    }

    /// All invoices.
    #[action(get = "/")]
    async fn list(&self, ctx: &BillingContext) -> Result<Json<Vec<invoice::Model>>> {
        Ok(Json(invoice::Entity::find().order_by_asc(invoice::Column::OrderId).all(&ctx.db).await?))
    }
}
