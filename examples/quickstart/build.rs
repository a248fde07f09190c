//! Checks xcore.yaml and tells the macros what is in it.

fn main() {
    xcore_build::compile("xcore.yaml");
}
