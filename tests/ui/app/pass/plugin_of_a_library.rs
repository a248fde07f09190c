//@ in: mounting
//! Plugins of a library crate: it knows no `xcore.yaml`, so what they need is proved here.

use xcore_tests::plugins::echo::Echo;
use xcore_tests::plugins::notes::Notes;

xcore::app! { Echo, Notes }

fn main() -> std::process::ExitCode {
    App::run()
}
