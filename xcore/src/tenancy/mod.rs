//! Who the tenants are and how a request names one.
//!
//! A [`TenantId`] is a parsed name; a [`Tenant`] is a name that the [`Directory`] has admitted. Requests name a tenant
//! through their sources, in the order of `tenancy.sources`: a header, the subdomain, a domain of the tenant's own, the path, a
//! signed token, an API key, and a [source of the app's own](TenantSource). All are asked, and those that name a
//! tenant must agree; a token and an API key prove it.
//!
//! | `sources` | where the tenant is named | keys of `tenancy` |
//! |---|---|---|
//! | `header` | `X-Tenant-ID: acme` | `header` |
//! | `subdomain` | `Host: acme.example.com` | `base_domain`, `base_domains`, `reserved_labels`; without `sources` also `subdomain: true` |
//! | `domain` | `Host: shop.acme.com`, after `tenant domain add acme shop.acme.com` | |
//! | `path` | `/t/acme/v1/orders`, which is routed as `/v1/orders` | `path: /t` |
//! | `jwt` | a claim of `Authorization: Bearer ..`; the Cargo feature `jwt`, and `jwks-url` for keys by URL | `jwt` |
//! | `api_key` | `X-Api-Key: xk_..`, after `tenant key create acme` | `api_key` |
//! | `custom` | wherever a [`TenantSource`] looks | |
//!
//! ```yaml
//! tenancy:
//!   sources: [subdomain, jwt, api_key]
//!   base_domain: example.com
//!   jwt: { jwks_url: "https://login.example.com/jwks.json", audience: shop, claim: tenant }
//!   api_key: { header: X-Api-Key }
//!   require_verified: true             # a name alone is not enough
//!   trusted_proxies: [10.0.0.0/8]      # whose Forwarded and X-Forwarded-Host are the host
//! ```
//!
//! | what is wrong | answer | `type`, after `urn:xcore:problem:` |
//! |---|---|---|
//! | a name is no tenant id, a host cannot be read, a header is there twice | 400 | `malformed-tenant` |
//! | nobody is named, and there is no default tenant | 400 | `missing-tenant` |
//! | a token or key is sent and not good | 401 | `credential-not-accepted` |
//! | nothing proves the tenant, with `require_verified` | 401 | `credential-missing` |
//! | two sources name different tenants | 403 | `tenants-disagree` |
//! | with `trusted_proxies`: somebody else sends the tenant header, or names another host | 403 | `untrusted-peer` |
//! | there is no such tenant, or it is not active | 404 | `unknown-tenant` |
//! | the tenant sends more than [its plan](#plans) allows, or holds all connections that it may | 429 | `too-many-requests` |
//! | the directory or the keys of tokens cannot be read | 503 | `unavailable` |
//!
//! Proxies that are trusted must overwrite or drop what their clients send of `Forwarded`, `X-Forwarded-Host` and the tenant header.
//!
//! # Plans
//!
//! What a tenant may use of each process comes from its plan, which `tenant set acme plan=pro` gives it. Several processes of one app
//! count apart from each other. What a plan does not name has no limit, and neither has a tenant without a plan.
//!
//! | key of a plan | what it limits | over it |
//! |---|---|---|
//! | `requests_per_second`, `burst` | requests to actions; not calls by name, jobs and routes of the app's own | 429 |
//! | `concurrent_requests` | those of them that are served at once | 429 |
//! | `database_connections` | connections to databases that are held at once: one for a statement while it runs, one for a transaction until its end. One more is waited for, up to five seconds | [`PlanConnections`](crate::db::DatabaseError::PlanConnections), of an action 429 |
//! | `cache_bytes` | what its [cache](crate::cache) entries take in the memory of the process, keys and bookkeeping included. With `tiered` that is the copy in front of Redis; Redis itself counts nobody's bytes, so with `redis` the key is refused | its own entries go, the least used first |
//! | `jobs` | jobs that were added at run time | [`TooMany`](crate::scheduler::SchedulerError::TooMany), of an action 409 |
//! | `concurrent_jobs` | runs of jobs that are under way at once | they wait for their turn |
//!
//! ```yaml
//! tenancy:
//!   default_plan: free                 # of tenants that have none of their own
//!   plans:
//!     free: { requests_per_second: 10, burst: 20, concurrent_requests: 5, database_connections: 2, cache_bytes: 1MiB, jobs: 10, concurrent_jobs: 1 }
//!     pro: { requests_per_second: 200 }
//!     staff: {}                        # no limits
//! ```
//!
//! Answers to such a tenant say how it stands, in the fields `RateLimit-Policy` and `RateLimit`
//! ([draft 10](https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-10.html)); one that is refused has `Retry-After` as well.

mod admission;
mod chain;
mod credentials;
mod directory;
mod error;
mod forwarded;
mod head;
mod host;
mod id;
#[cfg(feature = "jwt")]
pub(crate) mod jwt;
mod lives;
mod memory;
mod named;
mod path;
mod plan;
mod profile;
mod proxies;
mod refused;
mod seats;
mod source;
mod sources;
mod state;
mod store;
mod tenant;
mod turns;
mod usage;
mod window;

pub use directory::Directory;
pub use error::{Suspended, TenancyError};
pub use id::{InvalidTenantId, MAX_LEN, TenantId};
pub use profile::{Profile, ProfileChange, ProfileError};
pub use source::{Named, TenantSource};
pub use state::State;
pub use store::{Change, DirectoryStore, StoreError, TenantRecord, Times};
pub use tenant::Tenant;
pub use window::DataVersion;

pub(crate) use admission::{Admission, Asks, Preadmitted};
pub(crate) use chain::{Chain, Link};
pub(crate) use credentials::{CredentialStore, Credentials, KeyHash, Owner, hash_of, hex, new_key};
pub(crate) use directory::{DirectorySettings, Survey};
pub(crate) use head::value_of;
pub(crate) use host::Hosts;
pub(crate) use path::{nameless, split};
pub(crate) use plan::{CacheRoom, Plan, Plans, Rate};
pub(crate) use profile::{SettingsCheck, SettingsRules, View, fits};
pub(crate) use proxies::TrustedProxies;
pub(crate) use seats::Seat;
use sources::QuickName;
pub(crate) use sources::Sources;
pub(crate) use store::{Existence, FixedStore, OpenStore};
pub(crate) use turns::Turns;
pub(crate) use usage::{Limit, OverLimit, Standing};
pub(crate) use window::{Gap, Window};
