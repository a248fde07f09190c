#![allow(unused)]

#[xcore::plugin]
fn orders() -> u32 {
    7
}

fn main() {}
