//! What the shop sells: one list for all tenants.

mod migrations;
pub(crate) mod product;

use xcore::prelude::*;

use migrations::SharedMigrator;

/// The products. They live in the shared database: every tenant reads them through its own `ctx.db`, and only
/// `central()`, which `xcore.yaml` grants to this plugin, can write them.
#[xcore::plugin(services(db, central), shared_migrations = SharedMigrator)]
pub(crate) struct Catalog;

#[xcore::plugin]
impl Catalog {
    /// All products.
    #[action(get = "/")]
    async fn list(&self, ctx: &CatalogContext) -> Result<Json<Vec<product::Model>>> {
        Ok(Json(product::Entity::find().order_by_asc(product::Column::Sku).all(&ctx.db).await?))
    }

    /// One product.
    #[action(get = "/{sku}")]
    async fn get(&self, ctx: &CatalogContext, Path(sku): Path<String>) -> Result<Json<product::Model>> {
        let found = product::Entity::find_by_id(&sku).one(&ctx.db).await?;
        found.map(Json).ok_or_else(|| Error::not_found(format!("there is no product {sku}")))
    }

    /// Add a product for all tenants.
    ///
    /// Not over HTTP, and for no tenant: `shop call catalog add '{"sku": "mug", "name": "Mug", "price": 900}'`.
    #[action(internal, scope = "central")]
    async fn add(
        &self,
        app: &AppContext<Self>,
        Json(new): Json<product::Model>,
    ) -> Result<Json<product::Model>> {
        Ok(Json(new.into_active_model().insert(&app.central().db).await?))
    }
}
