//! The layers of a configuration: defaults, file, overlay, environment; and the variables inside values.

mod files;
mod interpolate;
mod merge;
mod overrides;

pub(crate) use files::{FileList, find_overlays, from_text, is_environment, overlay_path, read};
pub(crate) use interpolate::{Variables, interpolate};
pub(crate) use merge::merge;
pub(crate) use overrides::{PREFIX, apply_overrides};
