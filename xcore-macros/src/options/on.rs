//! `#[on(start)]`, `#[on(stop)]`, `#[on(tenant_created)]`, `#[on(tenant_deleted)]`

use proc_macro2::{Ident, TokenStream};

use super::Grammar;
use crate::sink::Sink;

const ON: Grammar = Grammar {
    attribute: "`#[on]`",
    noun: "event",
    options: &["start", "stop", "tenant_created", "tenant_deleted"],
    synonyms: &[
        ("startup", "start"),
        ("boot", "start"),
        ("init", "start"),
        ("shutdown", "stop"),
        ("exit", "stop"),
        ("tenant_added", "tenant_created"),
        ("tenant_removed", "tenant_deleted"),
    ],
};

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Start,
    Stop,
    TenantCreated,
    TenantDeleted,
}

impl Event {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Start, Self::Stop, Self::TenantCreated, Self::TenantDeleted];

    /// As the user writes it, and as the field of `Hooks` is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::TenantCreated => "tenant_created",
            Self::TenantDeleted => "tenant_deleted",
        }
    }

    /// Whether it happens to a tenant, so that there is a context.
    pub(crate) fn is_of_tenant(self) -> bool {
        matches!(self, Self::TenantCreated | Self::TenantDeleted)
    }
}

/// The event of a hook and where it is named.
///
/// ui: on/fail/unknown_event, on/fail/no_event, on/fail/two_events
pub(crate) fn parse(
    attribute: &syn::Attribute,
    tokens: TokenStream,
    sink: &mut Sink,
) -> Option<(Ident, Event)> {
    let mut found: Option<(Ident, Event)> = None;
    let before = sink.count();
    ON.parse(tokens, sink, |key, _, _| {
        let event = Event::ALL.into_iter().find(|event| key == event.name());
        if found.is_some() {
            let message = "a hook is for one event\nhelp: write a second method for this one";
            return Err(syn::Error::new(key.span(), message));
        }
        found = event.map(|event| (key.clone(), event));
        Ok(())
    });
    if found.is_none() && sink.count() == before {
        sink.error(
            attribute,
            "`#[on]` needs an event\nhelp: write `#[on(start)]`, or one of `stop`, `tenant_created` and `tenant_deleted`",
        );
    }
    found
}
