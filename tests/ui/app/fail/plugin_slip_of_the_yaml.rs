//@ yaml: echo
#[xcore::plugin]
struct Ecko;

#[xcore::plugin]
impl Ecko {}

xcore::app! { Ecko }

fn main() {}
