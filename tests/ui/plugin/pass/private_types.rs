//! A plugin that keeps its types to itself.

use xcore::prelude::*;

#[derive(Deserialize, xcore::PluginConfig)]
struct OrdersConfig {
    max_lines: usize,
}

#[xcore::plugin(config = OrdersConfig)]
struct Orders;

#[derive(Deserialize)]
struct NewOrder {
    lines: Vec<String>,
}

#[derive(Serialize)]
struct Order {
    lines: usize,
}

#[xcore::plugin]
impl Orders {
    #[action]
    async fn place(&self, ctx: &OrdersContext, Json(new): Json<NewOrder>) -> Result<Json<Order>> {
        if new.lines.len() > ctx.config.max_lines {
            return Err(Error::unprocessable("too many lines"));
        }
        Ok(Json(Order { lines: new.lines.len() }))
    }
}

xcore::app! { Orders }

fn main() -> std::process::ExitCode {
    App::run()
}
