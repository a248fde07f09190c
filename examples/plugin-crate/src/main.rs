//! Mounts a plugin of another crate, and calls it from a plugin of its own.

use greeter::Greeter;
use xcore::prelude::*;

/// Welcomes guests with the words of the greeter.
#[xcore::plugin(requires(Greeter = "^1.2"))]
struct Frontdesk;

#[xcore::plugin]
impl Frontdesk {
    /// Welcome a guest.
    #[action(get = "/welcome/{name}")]
    async fn welcome(&self, ctx: &FrontdeskContext, name: Path<String>) -> Result<String> {
        let Json(greeting) = ctx.call::<Greeter>().greet(name).await?;
        Ok(format!("{} {} has greeted {} guests.\n", greeting.text, ctx.tenant, greeting.times))
    }
}

xcore::app! { Greeter, Frontdesk }

fn main() -> std::process::ExitCode {
    App::run()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xcore::testing::TestApp;

    use super::App;

    #[tokio::test]
    async fn the_greeter_counts_for_each_tenant() {
        let app = TestApp::start(App::builder()).await.unwrap();
        app.call("frontdesk", "welcome", "acme", json!({ "name": "Ada" })).await.unwrap();
        let again = app.call("frontdesk", "welcome", "acme", json!({ "name": "Ada" })).await.unwrap();
        assert_eq!(again, "Hello, Ada! acme has greeted 2 guests.\n");
        let other = app.call("frontdesk", "welcome", "globex", json!({ "name": "Bob" })).await.unwrap();
        assert_eq!(other, "Hello, Bob! globex has greeted 1 guests.\n");
    }
}
