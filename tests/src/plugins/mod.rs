//! The plugins of the test app.

pub mod board;
pub mod desk;
pub mod echo;
pub mod notes;
pub mod probe;
pub mod tables;
pub mod wide;
