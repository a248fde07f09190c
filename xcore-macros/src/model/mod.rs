//! What the user wrote, parsed leniently: what the macros do not look at stays a heap of tokens.
//!
//! A body or a field that does not parse is the compiler's to report, at its own place and in its own words.

pub(crate) mod block;
pub(crate) mod cfgs;
pub(crate) mod docs;
pub(crate) mod item;
pub(crate) mod method;
pub(crate) mod serde;
