#![allow(unused)]

#[xcore::plugin(services(db))]
enum Orders {
    Open,
    Closed,
}

fn main() {}
