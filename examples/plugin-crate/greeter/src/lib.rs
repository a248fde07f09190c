//! A plugin in a library crate.
//!
//! It has no `xcore.yaml` and no build script: the app that mounts it has both. What the plugin needs of them (the
//! service, the keys of its section) is proved when the app is compiled, at the app's `xcore::app!`.

use xcore::prelude::*;

/// The section `plugins.greeter.config` of the app's `xcore.yaml`.
#[derive(Deserialize, xcore::PluginConfig)]
pub struct GreeterConfig {
    /// What it says before the name.
    greeting: String,
}

/// Greets, and counts how often per tenant.
#[xcore::plugin(services(cache), config = GreeterConfig)]
pub struct Greeter;

/// What a greeting looks like.
#[derive(Serialize)]
pub struct Greeting {
    /// The words.
    pub text: String,
    /// How often this tenant has been greeted since the start.
    pub times: i64,
}

#[xcore::plugin]
impl Greeter {
    /// Greet somebody.
    #[action(get = "/{name}")]
    pub async fn greet(&self, ctx: &GreeterContext, Path(name): Path<String>) -> Result<Json<Greeting>> {
        let times = ctx.cache.incr("times", 1).await?;
        Ok(Json(Greeting { text: format!("{}, {name}!", ctx.config.greeting), times }))
    }
}
