#![allow(unused)]

use xcore::prelude::*;

#[job(every = "1h")]
async fn report() {}

fn main() {}
