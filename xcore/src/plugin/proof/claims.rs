//! What `app!` knows: the plugins that it names, and what `xcore.yaml` says.

use std::marker::PhantomData;

use crate::plugin::schema::{PluginEntry, Provides, SchemaDef};
use crate::plugin::{
    ActionSpec, AnyPlugin, FieldSpec, PluginActions, PluginConfig, Requirement, ServiceName, any_plugin,
};

/// What a plugin says of itself, as a constant.
#[derive(Debug, Clone, Copy)]
pub struct Claims {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) services: &'static [ServiceName],
    pub(super) requires: &'static [Requirement],
    pub(super) actions: &'static [ActionSpec],
    pub(super) has_jobs: bool,
    pub(super) fields: &'static [FieldSpec],
    pub(super) reported: &'static [&'static str],
    make: Option<fn() -> Box<dyn AnyPlugin>>,
}

/// The claims of a plugin: those that it makes, or those of [`NoClaim`] for a type that cannot be mounted.
pub struct Claim<P>(PhantomData<P>);

impl<P: PluginActions> Claim<P> {
    /// What it says of itself.
    pub const CLAIMS: Claims = Claims::of::<P>();
}

/// Stands in for a type that cannot be mounted. The error is already there; this only keeps it alone.
pub trait NoClaim {
    /// Nothing.
    const CLAIMS: Claims = Claims::NONE;
}

impl<P> NoClaim for Claim<P> {}

/// Proof that `app!` can mount a type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be mounted, because it is not a whole plugin",
    label = "`#[xcore::plugin]` is missing",
    note = "`#[xcore::plugin]` stands on the struct and on its one impl block: `#[xcore::plugin] impl {Self} {{ .. }}`, which may be empty"
)]
pub trait Mountable {
    #[doc(hidden)]
    const PROOF: () = ();
}

#[diagnostic::do_not_recommend]
impl<P: PluginActions> Mountable for P {}

impl Claims {
    const NONE: Self = Self {
        name: "",
        path: "",
        services: &[],
        requires: &[],
        actions: &[],
        has_jobs: false,
        fields: &[],
        reported: &[],
        make: None,
    };

    const fn of<P: PluginActions>() -> Self {
        Self {
            name: P::NAME,
            path: P::PATH,
            services: P::SERVICES,
            requires: P::REQUIRES,
            actions: P::ACTIONS,
            has_jobs: !P::JOBS.is_empty(),
            fields: P::Config::FIELDS,
            reported: P::Config::REPORTED,
            make: Some(any_plugin::<P>),
        }
    }
}

/// The plugins of an app, in the order of their claims.
#[must_use]
pub fn plugins(claims: &[Claims]) -> Vec<Box<dyn AnyPlugin>> {
    claims.iter().filter_map(|claims| Some((claims.make?)())).collect()
}

/// Everything that is proved about an app together.
#[derive(Debug, Clone, Copy)]
pub struct App {
    pub(super) file: &'static str,
    pub(super) is_permissive: bool,
    pub(super) entries: &'static [PluginEntry],
    pub(super) offers: [bool; 3],
    pub(super) postgres: Option<(u32, u32)>,
    pub(super) redis: Option<(u32, u32)>,
    pub(super) jwt: Option<(u32, u32)>,
    pub(super) jwks_url: Option<(u32, u32)>,
    pub(super) claims: &'static [Claims],
}

impl App {
    /// An app whose plugins claim `claims`; `offers` says whether database, cache and scheduler are configured.
    #[must_use]
    pub const fn new<S: SchemaDef>(offers: [bool; 3], claims: &'static [Claims]) -> Self {
        Self {
            file: S::FILE,
            is_permissive: S::PERMISSIVE,
            entries: S::PLUGINS,
            offers,
            postgres: S::POSTGRES,
            redis: S::REDIS,
            jwt: S::JWT,
            jwks_url: S::JWKS_URL,
            claims,
        }
    }

    /// The entry of a plugin in `xcore.yaml`.
    pub(super) const fn entry(&self, name: &str) -> Option<&'static PluginEntry> {
        let mut at = 0;
        while at < self.entries.len() {
            if super::text::same(self.entries[at].name, name) {
                return Some(&self.entries[at]);
            }
            at += 1;
        }
        None
    }

    /// The place of a plugin in `app!`.
    pub(super) const fn find(&self, name: &str) -> Option<usize> {
        let mut at = 0;
        while at < self.claims.len() {
            if super::text::same(self.claims[at].name, name) {
                return Some(at);
            }
            at += 1;
        }
        None
    }
}

/// Whether a schema provides a service, as a constant: `Offer::<Schema, Db>::MADE`.
///
/// The schema says it with a type, so that nothing but an implementation of [`Provides`] makes it true.
pub struct Offer<S, T>(PhantomData<(S, T)>);

impl<S: Provides<T>, T> Offer<S, T> {
    /// The service is configured.
    pub const MADE: bool = true;
}

/// The answer for a schema that does not provide the service.
pub trait NotOffered {
    /// The service is not configured.
    const MADE: bool = false;
}

impl<S, T> NotOffered for Offer<S, T> {}
