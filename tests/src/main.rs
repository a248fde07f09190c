//! The test app as a program, for tests that kill it.

fn main() -> std::process::ExitCode {
    xcore_tests::chaos::wanted().map_or_else(xcore_tests::App::run, xcore_tests::chaos::Chaos::run)
}
