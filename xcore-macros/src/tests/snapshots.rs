//! `tests/expand/*.rs`: what the macros generate, formatted, for a person to read.
//!
//! `XCORE_UPDATE_SNAPSHOTS=1 cargo test -p xcore-macros` writes them anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs};

use proc_macro2::TokenStream;
use xcore_build::schema::{ConfigKey, Kind, Literal, Place, PluginSchema, Schema};

use crate::plugin::Surroundings;
use crate::{app, config, plugin};

/// A package without a schema.
fn alone() -> Surroundings {
    Surroundings { version: "1.2.0".to_owned(), ..Surroundings::default() }
}

/// A package with a schema for `plugins.orders.config: { max_lines: 100, currency: EUR }`.
fn configured() -> Surroundings {
    let key = |line, kind, literal| ConfigKey {
        place: Place { line, column: 7 },
        kind,
        literal,
        children: BTreeMap::new(),
    };
    let mut schema = Schema::permissive("shop", "xcore.yaml");
    schema.permissive = false;
    schema.plugins.insert(
        "orders".to_owned(),
        PluginSchema {
            place: Place { line: 8, column: 3 },
            grants: Vec::new(),
            config: [
                ("max_lines".to_owned(), key(9, Kind::Integer, Some(Literal::Integer(100)))),
                ("currency".to_owned(), key(10, Kind::Text, None)),
            ]
            .into(),
        },
    );
    let files = ("/out/xcore_schema.json".to_owned(), "/out/xcore_schema.rs".to_owned());
    Surroundings { schema: Some(schema), schema_files: Some(files), version: "1.2.0".to_owned() }
}

fn check(name: &str, expansion: TokenStream) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/expand").join(name).with_extension("rs");
    let parsed: syn::File = syn::parse2(expansion).expect("an expansion is Rust");
    let text = prettyplease::unparse(&parsed);
    if env::var_os("XCORE_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        text == expected,
        "{} is out of date; XCORE_UPDATE_SNAPSHOTS=1 writes it anew:\n{text}",
        file.display()
    );
}

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

#[test]
fn a_struct_becomes_a_plugin() {
    let item = tokens("/// Takes orders.\npub struct Orders;");
    check("struct_small", plugin::expand(TokenStream::new(), item, &alone()));
}

#[test]
fn a_struct_with_every_option() {
    let attr = tokens(
        "services(db, cache, scheduler, central), config = OrdersConfig, migrations = Migrator, \
         shared_migrations = Shared, requires(Billing, catalog::Catalog = \"^1.2\"), name = \"sales\", \
         version = \"2.0.0\", path = \"/shop/orders\", crate = ::framework",
    );
    let item = tokens("#[cfg(unix)] #[derive(Default)] pub(crate) struct Orders { limit: u32 }");
    check("struct_large", plugin::expand(attr, item, &alone()));
}

#[test]
fn an_impl_block_becomes_routes_jobs_and_hooks() {
    let item = tokens(
        r#"impl Orders {
            /// Place an order.
            ///
            /// Twice is once too often.
            #[action(post = "/", status = 201, timeout = "5s")]
            async fn place(&self, ctx: &OrdersContext, Json(new): Json<NewOrder>) -> Result<Json<Order>> { todo!() }

            #[action(get = "/{id}/lines/{line}", callers = [Billing, catalog::Catalog])]
            async fn line(
                &self,
                ctx: &OrdersContext,
                Path((id, line)): Path<(u32, u32)>,
                headers: HeaderMap,
                body: String,
            ) -> impl IntoResponse { todo!() }

            #[cfg(feature = "audit")]
            #[action(internal)]
            async fn audit(&self, ctx: &OrdersContext) -> Self { todo!() }

            /// Count yesterday's orders.
            #[job(cron = "0 0 6 * * *", timezone = "Europe/Berlin", overlap = "queue", timeout = "5m")]
            async fn report(&self, ctx: &OrdersContext) -> Result<()> { todo!() }

            #[on(start)]
            async fn started(&self, app: &AppContext<Self>) {}

            #[on(tenant_created)]
            async fn welcome(&self, ctx: &OrdersContext) -> Result<()> { todo!() }

            /// The plans, for everybody.
            #[action(get = "/plans", scope = "central")]
            async fn plans(&self, app: &AppContext<Self>, headers: HeaderMap) -> Result<Json<Plan>> { todo!() }

            #[action(get = "/price", scope = "any", callers = [Billing])]
            async fn price(&self, ctx: &AnyContext<Self>) -> Json<u32> { todo!() }

            fn helper() -> u32 { 7 }
        }"#,
    );
    check("impl_block", plugin::expand(TokenStream::new(), item, &alone()));
}

#[test]
fn a_wrong_impl_block_comes_back_with_its_handle() {
    let item = tokens(
        r#"impl Orders {
            #[action(get = "list", stauts = 201)]
            fn list(&self, Json(new): Json<NewOrder>) -> Result<Json<Order>> { todo!() }
        }"#,
    );
    check("impl_block_wrong", plugin::expand(TokenStream::new(), item, &alone()));
}

#[test]
fn an_enum_comes_back_with_everything_that_its_name_promises() {
    check("enum_wrong", plugin::expand(tokens("services(db)"), tokens("enum Orders { Open }"), &alone()));
}

#[test]
fn a_configuration_is_compared_with_the_yaml() {
    let item = tokens(
        r#"struct OrdersConfig {
            /// How many lines an order may have.
            max_lines: usize,
            #[serde(default)]
            retries: u8,
            sender: Option<String>,
        }"#,
    );
    check("config", config::expand(item, &configured()));
}

#[test]
fn an_app_without_a_schema() {
    check("app_small", app::expand(tokens("orders::Orders"), &alone()));
}

#[test]
fn an_app_with_a_schema() {
    check(
        "app_large",
        app::expand(tokens("crate = ::framework; orders::Orders, billing::Billing,"), &configured()),
    );
}
