//! Actions of every scope, in one plugin and alone in another, without the prelude and with a renamed context.

/// Actions of no tenant, beside those of one.
pub mod plans {
    use xcore::axum::Json;
    use xcore::axum::extract::Path;
    use xcore::{AnyContext, AppContext, Result};

    /// A plugin that may reach what belongs to no tenant.
    #[xcore::plugin(services(db, central))]
    #[derive(Debug)]
    pub struct Plans;

    type Central = AppContext<Plans>;

    #[xcore::plugin]
    impl Plans {
        /// Of no tenant.
        #[action(get = "/", scope = "central")]
        async fn list(&self, app: &AppContext<Self>) -> String {
            let app = app.clone();
            format!("{:?} {:?}", app.central(), app)
        }

        /// Of no tenant, by another name and with arguments.
        #[action(get = "/{id}/{other}", scope = "central")]
        async fn get(
            &self,
            app: &Central,
            Path((id, other)): Path<(u32, u32)>,
            body: String,
        ) -> Result<Json<String>> {
            Ok(Json(format!("{} {id} {other} {body}", app.app_name())))
        }

        /// Of a tenant, or of none.
        #[action(scope = "any", callers = [super::shop::Shop])]
        async fn price(&self, ctx: &AnyContext<Self>, Json(amount): Json<u32>) -> Json<u32> {
            let ctx = ctx.clone();
            Json(amount + u32::from(ctx.tenant().is_some()))
        }

        /// Of a tenant, in so many words.
        #[action(get = "/own", scope = "tenant")]
        async fn own(&self, ctx: &PlansContext) -> String {
            format!("{:?}", ctx.db)
        }
    }
}

/// Nothing but actions of no tenant, in another module than the struct.
pub mod shop {
    use super::plans::Plans;

    /// Calls the plans.
    #[xcore::plugin(requires(Plans))]
    #[derive(Debug)]
    pub struct Shop;

    mod actions {
        use super::{Plans, Shop};
        use xcore::axum::Json;
        use xcore::{AnyContext, AppContext, Result};

        #[xcore::plugin]
        impl Shop {
            /// Of no tenant.
            #[action(scope = "central")]
            async fn total(&self, app: &AppContext<Self>) -> Result<Json<u32>> {
                app.call::<Plans>().price(Json(7)).await
            }

            /// Of a tenant, or of none.
            #[action(scope = "any")]
            async fn list(&self, ctx: &AnyContext<Self>) -> Result<String> {
                match ctx.tenant() {
                    Some(ctx) => ctx.call::<Plans>().own().await,
                    None => ctx.app().call::<Plans>().list().await,
                }
            }
        }
    }
}

xcore::app! { plans::Plans, shop::Shop }

fn main() {
    let _ = App::builder();
}
