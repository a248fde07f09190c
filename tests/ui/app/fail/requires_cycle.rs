#![allow(unused)]

#[xcore::plugin(requires(Catalog))]
struct Billing;

#[xcore::plugin]
impl Billing {}

#[xcore::plugin(requires(Orders))]
struct Catalog;

#[xcore::plugin]
impl Catalog {}

#[xcore::plugin(requires(Billing))]
struct Orders;

#[xcore::plugin]
impl Orders {}

xcore::app! { Billing, Catalog, Orders }

fn main() {}
