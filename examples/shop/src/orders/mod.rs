//! Takes orders and reports on them.

mod line;
mod migrations;
mod new;
mod order;

use chrono::{Duration, NaiveTime, Utc};
use xcore::prelude::*;

use crate::billing::{Billing, Charge};
use crate::catalog::Catalog;
use migrations::Migrator;
use new::{NewOrder, OrderWithLines};

/// The `plugins.orders.config` section of `xcore.yaml`.
#[derive(Deserialize, xcore::PluginConfig)]
pub(crate) struct OrdersConfig {
    /// How many lines an order may have.
    max_lines: usize,
}

/// Takes orders and reports on them.
#[xcore::plugin(
    services(db, cache, scheduler),
    config = OrdersConfig,
    migrations = Migrator,
    requires(Catalog, Billing = "^0.1"),
)]
pub(crate) struct Orders;

#[xcore::plugin]
impl Orders {
    /// Place an order.
    ///
    /// The prices are the catalog's. The order and its lines are written in one transaction; the invoice follows.
    #[action(post = "/", status = 201)]
    async fn place(&self, ctx: &OrdersContext, Json(new): Json<NewOrder>) -> Result<Json<OrderWithLines>> {
        if new.lines.is_empty() || new.lines.len() > ctx.config.max_lines {
            return Err(Error::unprocessable(format!("an order has 1 to {} lines", ctx.config.max_lines)));
        }
        let mut priced = Vec::with_capacity(new.lines.len());
        for line in new.lines {
            let Json(product) = ctx.call::<Catalog>().get(Path(line.sku.clone())).await?;
            priced.push((line, product.price));
        }
        let mut placed = new::insert(&ctx.db, priced).await?;
        ctx.cache.set("last_order", &placed.order.id).await?;
        // After the commit: SQLite has one writer per tenant, and billing writes on a connection of its own. The order
        // stands whatever becomes of its invoice: `settle` writes the ones that are missing.
        if let Ok(invoiced) = invoice(ctx, placed.order.clone()).await {
            placed.order = invoiced;
        }
        Ok(Json(placed))
    }

    /// One order with its lines.
    #[action(get = "/{id}")]
    async fn get(&self, ctx: &OrdersContext, Path(id): Path<i32>) -> Result<Json<OrderWithLines>> {
        let found = order::Entity::find_by_id(id).find_with_related(line::Entity).all(&ctx.db).await?;
        let (order, lines) =
            found.into_iter().next().ok_or_else(|| Error::not_found(format!("there is no order {id}")))?;
        Ok(Json(OrderWithLines { order, lines }))
    }

    /// All orders, the newest first.
    #[action(get = "/")]
    async fn list(&self, ctx: &OrdersContext) -> Result<Json<Vec<order::Model>>> {
        Ok(Json(order::Entity::find().order_by_desc(order::Column::Id).all(&ctx.db).await?))
    }

    /// The number of the last order, from the cache.
    #[action(get = "/last")]
    async fn last(&self, ctx: &OrdersContext) -> Result<Json<Option<i32>>> {
        Ok(Json(ctx.cache.get("last_order").await?))
    }

    /// The jobs of this tenant.
    #[action(get = "/jobs")]
    async fn jobs(&self, ctx: &OrdersContext) -> Result<Json<Vec<String>>> {
        let jobs = ctx.scheduler.list().await?;
        Ok(Json(jobs.into_iter().map(|job| job.id).collect()))
    }

    /// Have yesterday's orders counted tomorrow at six, under a name that every tenant may use.
    #[action]
    async fn remind(&self, ctx: &OrdersContext) -> Result<StatusCode> {
        ctx.scheduler.cron("reminder", "0 0 6 * * *", OrdersJobs::daily_report()).await?;
        Ok(StatusCode::ACCEPTED)
    }

    /// Count yesterday's orders, once a day for every tenant.
    #[job(cron = "0 0 6 * * *")]
    async fn daily_report(&self, ctx: &OrdersContext) -> Result<()> {
        let midnight = Utc::now().date_naive().and_time(NaiveTime::MIN).and_utc();
        let yesterday = (midnight - Duration::days(1)).timestamp()..midnight.timestamp();
        let count = order::Entity::find()
            .filter(order::Column::PlacedAt.gte(yesterday.start))
            .filter(order::Column::PlacedAt.lt(yesterday.end))
            .count(&ctx.db)
            .await?;
        ctx.cache.set("orders_yesterday", &count).await?;
        Ok(())
    }

    /// Write the invoices that a crash cut off.
    #[job(every = "30s", timeout = "1m")]
    async fn settle(&self, ctx: &OrdersContext) -> Result<()> {
        let open = order::Entity::find().filter(order::Column::Invoiced.eq(false)).all(&ctx.db).await?;
        for order in open {
            invoice(ctx, order).await?;
        }
        Ok(())
    }
}

/// Has billing write the invoice, then notes that it is written.
async fn invoice(ctx: &OrdersContext, order: order::Model) -> Result<order::Model> {
    let charge = Charge { order_id: order.id, amount: order.total };
    let Json(_invoice) = ctx.call::<Billing>().charge(Json(charge)).await?;
    let mut order = order.into_active_model();
    order.invoiced = Set(true);
    Ok(order.update(&ctx.db).await?)
}
