#![allow(unused)]

#[xcore::plugin]
struct Orders {
    limit: u32,
}

fn main() {}
