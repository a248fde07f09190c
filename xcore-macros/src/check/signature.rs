//! The signature of an action, a job or a hook.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens as _;
use syn::visit::Visit;
use syn::{
    FnArg, Lifetime, Pat, PatType, Receiver, ReceiverKind, ReturnType, Signature, Type, TypeImplTrait,
    TypeReference,
};

use super::scope::{Scope, check_argument_of, check_context_of, check_context_of_job};
use crate::names;
use crate::sink::Sink;

/// What a method is for; the words of the messages follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Action(Scope),
    Job(Scope),
    /// A hook that has a context.
    TenantHook,
    /// A hook that has the app, if anything.
    AppHook,
}

impl Role {
    fn noun(self) -> &'static str {
        match self {
            Self::Action(_) => "action",
            Self::Job(_) => "job",
            Self::TenantHook | Self::AppHook => "hook",
        }
    }
}

/// A signature, as far as it is right.
pub(crate) struct Call {
    /// The type behind the `&` of `ctx`.
    pub(crate) context: Option<Type>,
    pub(crate) args: Vec<Arg>,
    pub(crate) result: ReturnType,
    /// Whether the result holds an `impl Trait`, which can be named only where it is returned.
    pub(crate) is_opaque: bool,
    /// Whether glue can be made of it.
    pub(crate) is_right: bool,
}

/// An argument after `ctx`.
pub(crate) struct Arg {
    /// Its name in the handle.
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

/// Checks a whole signature. `context` is what the context of the plugin is called.
pub(crate) fn check_signature(sig: &Signature, role: Role, context: &str, sink: &mut Sink) -> Call {
    let before = sink.count();
    check_modifiers(sig, role, sink);
    let has_self = check_receiver(sig, role, sink);
    let mut typed = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    let found = if role == Role::AppHook {
        typed.next().and_then(|first| check_app(first, sink))
    } else if has_self {
        check_context(sig, typed.next(), role, context, sink)
    } else {
        // Without `&self` it is anyone's guess which argument was meant to be the context.
        typed.next().and_then(|first| behind_reference(&first.ty).cloned())
    };
    let args: Vec<Arg> = typed.enumerate().map(|(at, arg)| named(at, arg)).collect();
    for arg in sig.inputs.iter().filter_map(typed_of).skip(1) {
        check_argument(arg, role, sink);
        if let Role::Action(scope) = role {
            check_argument_of(scope, &arg.ty, context, &sig.ident, sink);
        }
    }
    let is_opaque = check_result(&sig.output, sink);
    Call { context: found, args, result: sig.output.clone(), is_opaque, is_right: sink.count() == before }
}

fn typed_of(input: &FnArg) -> Option<&PatType> {
    match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    }
}

/// ui: action/fail/not_async, action/fail/generic, action/fail/unsafe_fn
fn check_modifiers(sig: &Signature, role: Role, sink: &mut Sink) {
    let (noun, ident) = (role.noun(), &sig.ident);
    if sig.asyncness.is_none() {
        sink.error(sig.fn_token, format!("{noun} `{ident}` must be async\nhelp: write `async fn {ident}`"));
    }
    if !sig.generics.params.is_empty() {
        sink.error(
            &sig.generics,
            format!(
                "{noun} `{ident}` cannot have parameters: nobody names them in a call\nhelp: name the types"
            ),
        );
    } else if let Some(clause) = &sig.generics.where_clause {
        sink.error(
            clause,
            format!("{noun} `{ident}` cannot have a `where` clause\nhelp: name the types in the signature"),
        );
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        sink.error(
            token,
            format!(
                "{noun} `{ident}` cannot be unsafe: a request cannot promise anything\nhelp: remove `unsafe`"
            ),
        );
    }
}

/// ui: action/fail/without_self, action/fail/self_by_value, action/fail/self_mutable
fn check_receiver(sig: &Signature, role: Role, sink: &mut Sink) -> bool {
    let (noun, ident) = (role.noun(), &sig.ident);
    let Some(receiver) = sig.receiver() else {
        sink.error(
            ident,
            format!("{noun} `{ident}` must take `&self` first\nhelp: write `async fn {ident}(&self, ..)`"),
        );
        return false;
    };
    let why = match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => return true,
        ReceiverKind::Reference(_, _, Some(_)) => {
            "calls run at the same time and share the plugin\nhelp: write `&self`, and keep what changes in the database, the cache or a `Mutex`"
        }
        _ => "calls share the plugin\nhelp: write `&self`",
    };
    sink.error(as_tokens(receiver), format!("{noun} `{ident}` must take `&self`: {why}"));
    false
}

fn as_tokens(receiver: &Receiver) -> impl quote::ToTokens + use<'_> {
    receiver
}

/// ui: action/fail/without_ctx, action/fail/ctx_by_value, action/fail/ctx_mutable
fn check_context(
    sig: &Signature,
    first: Option<&PatType>,
    role: Role,
    context: &str,
    sink: &mut Sink,
) -> Option<Type> {
    let (noun, ident) = (role.noun(), &sig.ident);
    let needs = format!("{noun} `{ident}` must take its context after `&self`");
    let (wanted, rest) = match role {
        Role::Action(scope) => (scope.context(context), ", .."),
        Role::Job(scope) => (scope.context(context), ""),
        _ => (context.to_owned(), ""),
    };
    let help = format!("help: write `async fn {ident}(&self, ctx: &{wanted}{rest})`");
    let Some(first) = first else {
        sink.error(ident, format!("{needs}\n{help}"));
        return None;
    };
    if let Type::Reference(reference) = &*first.ty {
        if reference.mutability.is_none() {
            match role {
                Role::Action(scope) => check_context_of(scope, &reference.elem, context, ident, sink),
                Role::Job(scope) => check_context_of_job(scope, &reference.elem, context, ident, sink),
                Role::TenantHook | Role::AppHook => {}
            }
            return Some((*reference.elem).clone());
        }
        sink.error(
            &first.ty,
            format!("{noun} `{ident}` cannot change its context\nhelp: write `ctx: &{wanted}`"),
        );
        return None;
    }
    let name = wanted.strip_suffix("<Self>").unwrap_or(&wanted);
    let is_context = matches!(&*first.ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name));
    if is_context {
        sink.error(
            &first.ty,
            format!(
                "{noun} `{ident}` borrows its context\nhelp: write `ctx: &{wanted}`; clone it to move it into a task"
            ),
        );
    } else {
        sink.error(first, format!("{needs}\n{help}"));
    }
    None
}

/// ui: on/fail/start_with_context
fn check_app(first: &PatType, sink: &mut Sink) -> Option<Type> {
    let behind = behind_reference(&first.ty);
    let is_app = matches!(behind, Some(Type::Path(path)) if path.path.segments.last().is_some_and(|last| last.ident == "AppContext"));
    if !is_app {
        sink.error(
            first,
            "at start and stop there is no tenant, so there is no context of one\nhelp: write `app: &AppContext<Self>`, or nothing after `&self`",
        );
        return None;
    }
    behind.cloned()
}

fn behind_reference(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Reference(TypeReference { elem, mutability: None, .. }) => Some(elem),
        _ => None,
    }
}

/// ui: action/fail/argument_impl_trait, action/fail/argument_cfg, job/fail/argument_borrowed
fn check_argument(arg: &PatType, role: Role, sink: &mut Sink) {
    match role {
        Role::Action(_) => {}
        Role::Job(_) => {
            let mut borrowed = FindBorrow::default();
            borrowed.visit_type(&arg.ty);
            if let Some(tokens) = borrowed.found {
                return sink.error(
                    tokens,
                    "a job is stored with its arguments and runs later, so they cannot be borrowed\nhelp: take an owned value such as `String`",
                );
            }
        }
        Role::TenantHook | Role::AppHook => {
            return sink.error(arg, "a hook takes nothing more\nhelp: remove this argument");
        }
    }
    if let Some(attr) = arg.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
        let noun = role.noun();
        sink.error(
            attr,
            format!("an argument cannot come and go\nhelp: write two {noun}s, each with a `#[cfg]`"),
        );
    }
    let mut opaque = FindOpaque::default();
    opaque.visit_type(&arg.ty);
    if opaque.found {
        sink.error(
            &arg.ty,
            match role {
                Role::Job(_) => "an argument of a job needs a type that can be named\nhelp: write the type that callers give",
                _ => "an argument of an action needs a type that can be named\nhelp: write the extractor's type",
            },
        );
    }
}

/// Whether the result is opaque.
///
/// ui: action/fail/result_borrowed
fn check_result(output: &ReturnType, sink: &mut Sink) -> bool {
    let ReturnType::Type(_, ty) = output else { return false };
    let mut opaque = FindOpaque::default();
    opaque.visit_type(ty);
    let mut borrowed = FindBorrow::default();
    borrowed.visit_type(ty);
    if let Some(tokens) = borrowed.found {
        sink.error(
            tokens,
            "the result of a call outlives the call, so it cannot borrow from it\nhelp: return an owned value such as `String`, or write `&'static`",
        );
    }
    opaque.found
}

#[derive(Default)]
struct FindOpaque {
    found: bool,
}

impl<'ast> Visit<'ast> for FindOpaque {
    fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
        self.found = true;
    }
}

/// A lifetime that is not `'static`, written or left out. What is in `impl Trait` or `fn(..)` has its own rules.
#[derive(Default)]
struct FindBorrow {
    found: Option<TokenStream>,
}

impl<'ast> Visit<'ast> for FindBorrow {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if reference.lifetime.is_none() {
            self.found.get_or_insert_with(|| reference.to_token_stream());
        }
        syn::visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.found.get_or_insert_with(|| lifetime.to_token_stream());
        }
    }

    fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {}

    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
}

/// The name that the user gave: `new` for `Json(new): Json<NewOrder>`.
fn named(at: usize, arg: &PatType) -> Arg {
    let mut names = FindNames::default();
    names.visit_pat(&arg.pat);
    let name = match names.found.as_slice() {
        [one] if !one.to_string().starts_with('_') => one.clone(),
        _ => names::generated(&format!("arg{at}")),
    };
    Arg { name, ty: (*arg.ty).clone() }
}

#[derive(Default)]
struct FindNames {
    found: Vec<Ident>,
}

impl<'ast> Visit<'ast> for FindNames {
    fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
        self.found.push(pat.ident.clone());
        if let Some((_, Pat::Ident(inner))) = pat.subpat.as_ref().map(|(at, pat)| (at, &**pat)) {
            self.found.push(inner.ident.clone());
        }
    }
}
