//! The test app as a program, for tests that kill it.

fn main() -> std::process::ExitCode {
    xcore_tests::App::run()
}
