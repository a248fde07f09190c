//! One declaration per section of `xcore.yaml`: the struct that holds it, its keys, their types, defaults and
//! docs.
//!
//! The check for unknown keys, the typing of environment overrides, the defaults and the JSON Schema all walk
//! the [`Section`]s that [`settings!`] writes, so a key cannot exist in one of them only.

mod credential;
mod kind;
mod list;
mod measure;
mod name;
mod network;
mod proxy;
mod reading;
mod redis;
mod section;
mod servers;

pub(crate) use credential::{Audience, ClaimName, JwksUrl, PublicKey, RequestHeader, Secret, Text};
pub(crate) use kind::{Flag, Kind, OneOf, Whole, Word, Wrong, Wrongs};
pub(crate) use list::List;
pub(crate) use measure::{Keep, Size, Span, SpanOrNone};
pub(crate) use name::{AppName, DefaultTenant, PlanName, TenantName, TimeZone, is_plan_name, is_plugin_name};
pub(crate) use network::{
    BaseDomain, HeaderName, Listen, Prefix, PublicUrl, ServerUrl, StorageUrl, host_of, is_address,
};
pub(crate) use proxy::{Cidr, HostLabel, TenantPath};
pub(crate) use reading::Reading;
pub(crate) use redis::{CachePrefix, RedisUrl};
pub(crate) use section::{Key, Need, Section};
pub(crate) use servers::ServerMap;

/// Declares a section: a struct with public fields, `SECTION` and `read`.
///
/// `field: Type = required K;` must be in the file, `= optional K;` may be absent, `= default K, "text";` has
/// a default that is read exactly as if it stood in the file.
macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        $vis:vis struct $name:ident at $path:literal {
            $( $(#[doc = $doc:literal])* $field:ident: $type:ty = $need:ident $kind:ty $(, $default:literal)?; )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        $vis struct $name {
            $( $(#[doc = $doc])* $vis $field: $type, )*
        }

        impl $name {
            pub(crate) const SECTION: $crate::settings::Section = $crate::settings::Section {
                path: $path,
                doc: concat!($($about, "\n"),*),
                keys: &[ $( $crate::settings::Key::of::<$kind>(
                    stringify!($field),
                    concat!($($doc, "\n"),*),
                    settings!(@need $need $($default)?),
                ), )* ],
            };

            /// `None` when a key is wrong (which was reported) or not known yet.
            pub(crate) fn read(reading: &mut $crate::settings::Reading<'_>) -> Option<Self> {
                $( let $field = settings!(@read $need reading, $kind, stringify!($field)); )*
                Some(Self { $( $field: $field?, )* })
            }
        }
    };
    (@need required) => { $crate::settings::Need::Required };
    (@need optional) => { $crate::settings::Need::Optional };
    (@need default $default:literal) => { $crate::settings::Need::Default($default) };
    (@read optional $reading:ident, $kind:ty, $key:expr) => { $reading.optional::<$kind>($key) };
    (@read $need:ident $reading:ident, $kind:ty, $key:expr) => { $reading.needed::<$kind>($key) };
}
pub(crate) use settings;
