//@ yaml: shop
#[xcore::plugin(services(db, scheduler))]
struct Orders;

fn main() {}
