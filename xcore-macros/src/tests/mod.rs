//! Snapshots and messages.
