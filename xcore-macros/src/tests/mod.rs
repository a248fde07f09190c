//! Whole expansions: readable snapshots, agreement with the crates that run what was checked, and no panic on any input.

mod agreement;
mod messages;
mod robustness;
mod snapshots;
