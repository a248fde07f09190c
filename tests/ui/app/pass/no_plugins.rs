//! An app that is about to get its first plugin.

xcore::app! {}

fn main() -> std::process::ExitCode {
    App::run()
}
