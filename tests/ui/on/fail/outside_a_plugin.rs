#![allow(unused)]

use xcore::prelude::*;

#[on(start)]
async fn warm_up() {}

fn main() {}
