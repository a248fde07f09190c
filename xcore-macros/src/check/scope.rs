//! `scope = "tenant"`, `"central"` or `"any"`: to whom a call of an action belongs.

use proc_macro2::Ident;
use syn::{FnArg, LitStr, Signature, Type};

use crate::names;
use crate::sink::Sink;
use crate::suggest;

/// To whom a call of an action belongs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// To a tenant.
    #[default]
    Tenant,
    /// To nobody: it reaches what belongs to no tenant.
    Central,
    /// To a tenant, or to nobody.
    Any,
}

const NAMES: [&str; 3] = ["tenant", "central", "any"];

/// Words that people try, and the scope they mean.
const SYNONYMS: &[(&str, &str)] = &[
    ("global", "central"),
    ("shared", "central"),
    ("public", "central"),
    ("app", "central"),
    ("none", "central"),
    ("both", "any"),
    ("all", "any"),
    ("optional", "any"),
];

impl Scope {
    const ALL: [Self; 3] = [Self::Tenant, Self::Central, Self::Any];

    /// As the user writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Central => "central",
            Self::Any => "any",
        }
    }

    /// The variant of `Scope` in the runtime.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Central => "Central",
            Self::Any => "Any",
        }
    }

    /// In words, of a call.
    fn belongs(self) -> &'static str {
        match self {
            Self::Tenant => "belongs to a tenant",
            Self::Central => "belongs to no tenant",
            Self::Any => "need not belong to a tenant",
        }
    }

    /// What an action gets as `ctx`, as the user writes it. `context` is what the context of the plugin is called.
    pub(crate) fn context(self, context: &str) -> String {
        match self {
            Self::Tenant => context.to_owned(),
            Self::Central => "AppContext<Self>".to_owned(),
            Self::Any => "AnyContext<Self>".to_owned(),
        }
    }

    /// The scope whose actions get a type of this name.
    fn of_context(name: &Ident, context: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| {
            let full = scope.context(context);
            name == full.strip_suffix("<Self>").unwrap_or(&full)
        })
    }
}

/// The scope that an option names.
///
/// ui: action/fail/scope_unknown
pub(crate) fn check_scope(scope: &LitStr, sink: &mut Sink) -> Option<Scope> {
    let text = scope.value();
    let found = Scope::ALL.into_iter().find(|known| known.name() == text);
    if found.is_none() {
        let help = match SYNONYMS.iter().find(|(word, _)| *word == text.to_lowercase()) {
            Some((_, meant)) => format!("help: did you mean `{meant}`?"),
            None => suggest::help(&text, &NAMES),
        };
        sink.error(scope, format!("there is no scope `{text}`\n{help}"));
    }
    found
}

/// The scope to which the context in a signature belongs; any, when it is none of ours.
pub(crate) fn scope_of(sig: &Signature, plugin: &Ident) -> Scope {
    let context = names::with_suffix(plugin, "Context").to_string();
    let second = sig.inputs.get(1).and_then(|input| match input {
        FnArg::Typed(second) => name_of(behind(&second.ty)),
        FnArg::Receiver(_) => None,
    });
    second.and_then(|name| Scope::of_context(name, &context)).unwrap_or(Scope::Any)
}

fn behind(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        other => other,
    }
}

fn name_of(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| &last.ident),
        _ => None,
    }
}

/// A context of another scope than the action's. Only a slip is found here, for better words; what a type really is, the
/// compiler proves.
///
/// ui: action/fail/scope_central_with_context_of_a_tenant, action/fail/scope_any_with_context_of_a_tenant,
/// action/fail/app_context_in_an_action_of_a_tenant
pub(crate) fn check_context_of(scope: Scope, given: &Type, context: &str, action: &Ident, sink: &mut Sink) {
    let Some(ident) = name_of(given) else { return };
    let Some(other) = Scope::of_context(ident, context).filter(|other| *other != scope) else { return };
    let belongs = scope.belongs();
    let (wanted, name) = (scope.context(context), other.name());
    sink.error(
        given,
        format!(
            "a call of action `{action}` {belongs}, so `{ident}` is not its context\nhelp: write `ctx: &{wanted}`, or `scope = \"{name}\"` in `#[action(..)]`"
        ),
    );
}

/// The same of a job.
///
/// ui: job/fail/per_app_with_context_of_a_tenant, job/fail/app_context_in_a_job_of_a_tenant
pub(crate) fn check_context_of_job(scope: Scope, given: &Type, context: &str, job: &Ident, sink: &mut Sink) {
    let Some(ident) = name_of(given) else { return };
    let Some(other) = Scope::of_context(ident, context).filter(|other| *other != scope) else { return };
    let (belongs, wanted) = (scope.belongs(), scope.context(context));
    let or = match other {
        Scope::Tenant => ", or `per = \"tenant\"` in `#[job(..)]`",
        Scope::Central => ", or `per = \"app\"` in `#[job(..)]`",
        Scope::Any => "",
    };
    sink.error(
        given,
        format!("a run of job `{job}` {belongs}, so `{ident}` is not its context\nhelp: write `ctx: &{wanted}`{or}"),
    );
}

/// An argument that brings a tenant into a call that belongs to none, or need not. Only a slip is found here; whatever else asks for
/// a tenant, under another name or inside of an extractor, is refused when it is called.
///
/// ui: action/fail/central_takes_a_tenant, action/fail/any_takes_the_context_of_a_tenant
pub(crate) fn check_argument_of(scope: Scope, given: &Type, context: &str, action: &Ident, sink: &mut Sink) {
    let help = match scope {
        Scope::Tenant => return,
        Scope::Central => "remove it, or write `scope = \"any\"` and ask `ctx.tenant()`",
        Scope::Any => "remove it and ask `ctx.tenant()`",
    };
    let Some(ident) = name_of(given).filter(|ident| *ident == "Tenant" || *ident == context) else { return };
    let belongs = scope.belongs();
    sink.error(
        given,
        format!("a call of action `{action}` {belongs}, so it cannot take `{ident}`\nhelp: {help}"),
    );
}
