//! The log of an app's binary.

mod log;

pub(crate) use log::init_log;
