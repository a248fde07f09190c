//! Tests a plugin in a real app: real databases in a folder of its own, nothing mocked.
//!
//! ```ignore
//! #[tokio::test]
//! async fn an_order_belongs_to_its_tenant() -> Result<(), Box<dyn std::error::Error>> {
//!     let app = TestApp::start(App::builder()).await?;
//!     app.tenant("acme").await?;
//!     let order = app.call("orders", "place", "acme", json!({ "sku": "tea" })).await?;
//!     assert_eq!(order["sku"], "tea");
//!     Ok(())
//! }
//! ```
//!
//! Needs the Cargo feature `testing`.

mod app;
mod database;
mod routes;

pub use crate::faults::fault_points;
pub use app::TestApp;
pub use routes::assert_routes;
