//@ yaml: shop
#[xcore::plugin(services(db, central))]
struct Orders;

fn main() {}
