#![allow(unused)]

#[xcore::plugin]
struct Orders;

#[xcore::plugin]
impl Clone for Orders {
    fn clone(&self) -> Self {
        Self
    }
}

fn main() {}
