//! The shop in process: every test has a folder and tenants of its own.

use serde_json::json;
use xcore::axum::http::StatusCode;
use xcore::testing::TestApp;

use crate::App;

async fn shop() -> TestApp {
    TestApp::start(App::builder()).await.unwrap()
}

#[tokio::test]
async fn an_order_belongs_to_its_tenant() {
    let shop = shop().await;
    let lines = json!({ "lines": [{ "sku": "tea", "quantity": 2 }, { "sku": "coffee", "quantity": 1 }] });
    let placed = shop.call("orders", "place", "acme", lines).await.unwrap();
    assert_eq!(placed["total"], 2 * 650 + 1_890);

    let id = &placed["id"];
    let seen = shop.call("orders", "get", "acme", json!({ "id": id })).await.unwrap();
    assert_eq!(seen, placed);
    let refused = shop.call("orders", "get", "globex", json!({ "id": id })).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert_eq!(shop.call("orders", "last", "acme", json!(null)).await.unwrap(), *id);
    assert_eq!(shop.call("orders", "last", "globex", json!(null)).await.unwrap(), json!(null));
}

#[tokio::test]
async fn an_order_has_one_invoice() {
    let shop = shop().await;
    let lines = json!({ "lines": [{ "sku": "tea", "quantity": 1 }] });
    let placed = shop.call("orders", "place", "acme", lines).await.unwrap();
    let again = json!({ "order_id": placed["id"], "amount": 650 });
    shop.call("billing", "charge", "acme", again).await.unwrap();
    let invoices = shop.call("billing", "list", "acme", json!(null)).await.unwrap();
    assert_eq!(invoices, json!([{ "order_id": placed["id"], "amount": 650, "currency": "EUR" }]));
}

#[tokio::test]
async fn an_order_for_nothing_or_for_something_unknown_is_refused() {
    let shop = shop().await;
    for (lines, status) in [
        (json!([]), StatusCode::UNPROCESSABLE_ENTITY),
        (json!([{ "sku": "tea", "quantity": 0 }]), StatusCode::UNPROCESSABLE_ENTITY),
        (json!([{ "sku": "gold", "quantity": 1 }]), StatusCode::NOT_FOUND),
    ] {
        let refused = shop.call("orders", "place", "acme", json!({ "lines": lines })).await.unwrap_err();
        assert_eq!(refused.status(), status, "{refused}");
    }
    assert_eq!(shop.call("orders", "list", "acme", json!(null)).await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_product_is_added_for_all_tenants_at_once() {
    let shop = shop().await;
    let mug = json!({ "sku": "mug", "name": "Mug", "price": 900 });
    shop.call_central("catalog", "add", mug.clone()).await.unwrap();
    assert_eq!(shop.call("catalog", "get", "globex", json!({ "sku": "mug" })).await.unwrap(), mug);
    let refused = shop.call("catalog", "add", "acme", mug).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{refused}");
}

#[test]
fn the_routes_are_those_that_were_reviewed() {
    xcore::testing::assert_routes(App::builder(), "routes.txt");
}
