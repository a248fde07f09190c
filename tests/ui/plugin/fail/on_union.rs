#![allow(unused)]

#[xcore::plugin]
union Orders {
    number: u32,
    bytes: [u8; 4],
}

fn main() {}
