#![allow(unused)]

mod order {
    use xcore::sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

use xcore::prelude::*;

#[xcore::plugin(services(cache))]
struct Orders;

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext) -> Result<()> {
        let _ = order::Entity::find_by_id(1).one(&ctx.db).await?;
        Ok(())
    }
}

fn main() {}
