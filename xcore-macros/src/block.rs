//! `#[xcore::plugin]` on the impl block: which methods are what, and what is wrong with them.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Attribute, FnArg, LitStr, Path, Type};

use crate::check::clash::{Routed, check_clashes};
use crate::check::cron::{check_cron, check_timezone};
use crate::check::duration::{check_duration, check_every};
use crate::check::options as check;
use crate::check::path_arguments::check_path_arguments;
use crate::check::route;
use crate::check::scope::{Scope, check_scope, scope_of};
use crate::check::signature::{Call, Role, check_signature};
use crate::expand;
use crate::expand::tokens::located;
use crate::model::block::Block;
use crate::model::cfgs::Cfgs;
use crate::model::docs::Docs;
use crate::model::method::{self, Method};
use crate::names::{self, Krate};
use crate::options::action::ActionOptions;
use crate::options::job::JobOptions;
use crate::options::on::{self, Event};
use crate::options::plugin;
use crate::sink::Sink;

/// The impl block of a plugin, checked.
pub(crate) struct PluginBlock<'a> {
    pub(crate) krate: Krate,
    pub(crate) block: &'a Block,
    pub(crate) self_ty: &'a Type,
    /// `Orders`
    pub(crate) ident: &'a Ident,
    /// `None` when all its methods do without a tenant: then nobody needs to bring `OrdersContext` into scope.
    pub(crate) context: Option<Path>,
    pub(crate) handle: Ident,
    pub(crate) jobs_type: Ident,
    pub(crate) actions: Vec<Action<'a>>,
    pub(crate) jobs: Vec<Job<'a>>,
    pub(crate) hooks: Vec<Hook<'a>>,
}

/// A method and its signature.
pub(crate) struct Function<'a> {
    pub(crate) method: &'a Method,
    pub(crate) call: Call,
    pub(crate) docs: Docs,
    /// Whether glue is made of it. A handle has the method in any case, so that its callers are not in error too.
    pub(crate) is_right: bool,
}

impl Function<'_> {
    /// The name of the method, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.method.sig.ident.unraw().to_string()
    }
}

/// A method under `#[action]`.
pub(crate) struct Action<'a> {
    pub(crate) function: Function<'a>,
    pub(crate) verb: &'static str,
    pub(crate) path: String,
    path_span: Span,
    pub(crate) scope: Scope,
    pub(crate) status: Option<u16>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) callers: Option<Vec<Path>>,
    pub(crate) is_internal: bool,
}

/// How long the first retry of a job waits that says nothing of it.
const BACKOFF: Duration = Duration::from_secs(10);

/// A method under `#[job]`.
pub(crate) struct Job<'a> {
    pub(crate) function: Function<'a>,
    /// `Tenant` or, with `per = "app"`, `Central`.
    pub(crate) scope: Scope,
    pub(crate) cron: Option<String>,
    pub(crate) every: Option<Duration>,
    pub(crate) timezone: Option<String>,
    pub(crate) overlap: &'static str,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) backoff: Duration,
    pub(crate) jitter: Option<Duration>,
    pub(crate) misfire: (&'static str, Option<u32>),
}

/// A method under `#[on]`.
pub(crate) struct Hook<'a> {
    pub(crate) function: Function<'a>,
    pub(crate) event: Event,
}

/// The user's block, and what it promises.
pub(crate) fn expand(attr: TokenStream, block: &Block, sink: &mut Sink) -> TokenStream {
    let krate = Krate::new(plugin::parse_block(attr, sink));
    let Some(mut found) = frame(krate, block, sink) else { return quote!(#block) };
    for method in block.methods() {
        check_method(method, &mut found, sink);
    }
    let right: Vec<usize> =
        (0..found.actions.len()).filter(|at| found.actions[*at].function.is_right).collect();
    let routes: Vec<Routed> = right.iter().map(|at| routed(&found.actions[*at])).collect();
    let kept = check_clashes(&routes, sink);
    for (at, kept) in right.into_iter().zip(kept) {
        found.actions[at].function.is_right = kept;
    }
    refuse_repeated_names(&mut found);
    let generated = expand::block::expand(&found);
    quote!(#block #generated)
}

fn routed(action: &Action<'_>) -> Routed {
    Routed {
        action: action.function.name(),
        verb: action.verb,
        path: action.path.clone(),
        cfgs: action.function.method.cfgs(),
        span: action.path_span,
    }
}

/// The block without its methods; `None` when nothing can be generated for it.
///
/// ui: plugin/fail/on_trait_impl, plugin/fail/on_impl_of_a_trait_object
fn frame<'a>(krate: Krate, block: &'a Block, sink: &mut Sink) -> Option<PluginBlock<'a>> {
    if let Some(of_trait) = &block.of_trait {
        sink.error(
            of_trait,
            "`#[plugin]` goes on the impl block of the plugin itself, this is the impl of a trait\nhelp: move its actions to `impl` of the struct",
        );
        return None;
    }
    if !block.generics.params.is_empty() {
        // The error stands at the struct, which has parameters too.
        return None;
    }
    let Type::Path(path) = &block.self_ty else {
        sink.error(&block.self_ty, "`#[plugin]` needs the name of the plugin's struct here");
        return None;
    };
    let ident = &path.path.segments.last()?.ident;
    Some(PluginBlock {
        krate,
        block,
        self_ty: &block.self_ty,
        ident,
        context: context(block),
        handle: located(&names::with_suffix(ident, "Handle")),
        jobs_type: located(&names::with_suffix(ident, "Jobs")),
        actions: Vec::new(),
        jobs: Vec::new(),
        hooks: Vec::new(),
    })
}

/// The path of the context. It stands where a method of the user names the context, so that a context that is not there,
/// because `#[plugin]` is missing on the struct, is not reported twice.
fn context(block: &Block) -> Option<Path> {
    let mut context = names::sibling(&block.self_ty, "Context")?;
    let last = context.segments.last_mut()?;
    let second = |method: &Method| -> Option<Ident> {
        let FnArg::Typed(second) = method.sig.inputs.get(1)? else { return None };
        let Type::Reference(reference) = &*second.ty else { return None };
        let Type::Path(path) = &*reference.elem else { return None };
        path.path.segments.last().map(|segment| segment.ident.clone())
    };
    let mentioned: Vec<Ident> =
        block.methods().filter(|method| !method.roles.is_empty()).filter_map(second).collect();
    match mentioned.iter().find(|ident| **ident == last.ident) {
        Some(own) => last.ident = own.clone(),
        None if mentioned.iter().any(|ident| *ident == "AppContext" || *ident == "AnyContext") => {
            return None;
        }
        None => {}
    }
    Some(context)
}

/// ui: action/fail/two_roles, action/fail/in_cfg_attr, action/fail/attribute_with_equals
fn check_method<'a>(method: &'a Method, found: &mut PluginBlock<'a>, sink: &mut Sink) {
    let Some((attr, more)) = method.roles.split_first() else { return };
    if let Some(second) = more.first() {
        sink.error(second, "a method is one thing: an action, a job or a hook\nhelp: write a second method for this one that calls the first");
    }
    let Some(word) = method::role(attr) else {
        sink.error(
            attr,
            "`cfg_attr` hides this attribute from `#[plugin]`\nhelp: write the attribute as it is, and `#[cfg(..)]` on the method",
        );
        return;
    };
    let Some(options) = method::options(attr) else {
        sink.error(
            attr,
            format!("`#[{word}]` takes its options in parentheses\nhelp: write `#[{word}(..)]`"),
        );
        return;
    };
    match word {
        "action" => found.actions.push(check_action(method, options, found.ident, sink)),
        "job" => found.jobs.push(check_job(method, options, found.ident, sink)),
        _ => check_hook(attr, method, options, found, sink),
    }
}

fn function<'a>(
    method: &'a Method,
    role: Role,
    plugin: &Ident,
    before: usize,
    sink: &mut Sink,
) -> Function<'a> {
    let context = names::with_suffix(plugin, "Context").to_string();
    let call = check_signature(&method.sig, role, &context, sink);
    Function {
        method,
        is_right: call.is_right && sink.count() == before,
        call,
        docs: Docs::of(&method.attrs),
    }
}

fn check_action<'a>(method: &'a Method, options: TokenStream, plugin: &Ident, sink: &mut Sink) -> Action<'a> {
    let before = sink.count();
    let ActionOptions { route, scope, status, timeout, callers, internal } =
        ActionOptions::parse(options, sink);
    let is_understood = sink.count() == before;
    let name = method.sig.ident.unraw().to_string();
    let (verb, given) = route.map_or(("Post", None), |route| (route.verb, route.path));
    let literal = given.unwrap_or_else(|| LitStr::new(&format!("/{name}"), method.sig.ident.span()));
    let path = route::check_path(&literal, sink);
    check::check_reachable(internal.as_ref(), callers.as_deref(), sink);
    let scope = match scope {
        Some(scope) => check_scope(&scope, sink),
        None => is_understood.then_some(Scope::Tenant),
    };
    // When the scope is in error, the context tells which one is meant.
    let scope = scope.unwrap_or_else(|| scope_of(&method.sig, plugin));
    let status = status.and_then(|status| check::check_status(&status, sink));
    let timeout = timeout.and_then(|timeout| check_duration("timeout", &timeout, sink));
    let mut function = function(method, Role::Action(scope), plugin, before, sink);
    if function.is_right
        && let Some(path) = &path
    {
        check_path_arguments(path, &route::parse(path).unwrap_or_default(), &function.call.args, sink);
        function.is_right = sink.count() == before;
    }
    Action {
        function,
        verb,
        path: path.unwrap_or_default(),
        path_span: literal.span(),
        scope,
        status,
        timeout,
        callers,
        is_internal: internal.is_some(),
    }
}

fn check_job<'a>(method: &'a Method, options: TokenStream, plugin: &Ident, sink: &mut Sink) -> Job<'a> {
    let before = sink.count();
    let JobOptions { cron, every, timezone, per, overlap, timeout, retries, backoff, jitter, misfire } =
        JobOptions::parse(options, sink);
    check::check_trigger(
        cron.as_ref(),
        every.as_ref().map(|(key, _)| key),
        timezone.as_ref().map(|(key, _)| key),
        sink,
    );
    let trigger = cron.as_ref().map(|_| "cron").or(every.as_ref().map(|_| "every"));
    check::check_nobody_gives(method.sig.inputs.iter().nth(2), trigger, sink);
    let has_trigger = trigger.is_some();
    let scope = match per {
        Some((key, per)) => {
            let scope = check::check_per(&per, sink);
            if scope == Some(Scope::Central) {
                check::check_app_job(&key, has_trigger, sink);
            }
            // When it is in error, the context tells which one is meant.
            scope.unwrap_or_else(|| scope_of(&method.sig, plugin))
        }
        None => Scope::Tenant,
    };
    let cron = cron.filter(|cron| check_cron(cron, sink));
    let timezone = timezone.filter(|(_, zone)| check_timezone(zone, sink));
    let every = every.and_then(|(_, every)| check_every(&every, sink));
    let overlap = overlap.and_then(|overlap| check::check_overlap(&overlap, sink)).unwrap_or("Skip");
    let timeout = timeout.and_then(|timeout| check_duration("timeout", &timeout, sink));
    check::check_backoff(backoff.as_ref().map(|(key, _)| key), retries.is_some(), sink);
    let retries = retries.and_then(|retries| check::check_retries(&retries, sink)).unwrap_or(0);
    let backoff = backoff.and_then(|(_, backoff)| check_duration("backoff", &backoff, sink));
    let jitter = jitter.and_then(|jitter| check_duration("jitter", &jitter, sink));
    let misfire = misfire.and_then(|misfire| check::check_misfire(&misfire, sink)).unwrap_or(("Once", None));
    Job {
        function: function(method, Role::Job(scope), plugin, before, sink),
        scope,
        cron: cron.map(|cron| cron.value()),
        every,
        timezone: timezone.map(|(_, zone)| zone.value()),
        overlap,
        timeout,
        retries,
        backoff: backoff.unwrap_or(BACKOFF),
        jitter,
        misfire,
    }
}

/// ui: on/fail/event_twice
fn check_hook<'a>(
    attr: &Attribute,
    method: &'a Method,
    options: TokenStream,
    found: &mut PluginBlock<'a>,
    sink: &mut Sink,
) {
    let before = sink.count();
    let Some((key, event)) = on::parse(attr, options, sink) else { return };
    let earlier =
        found.hooks.iter().find(|hook| hook.event == event && hook.function.method.cfgs() == method.cfgs());
    if let Some(earlier) = earlier {
        let (name, first) = (event.name(), earlier.function.name());
        sink.error(
            key,
            format!(
                "`{first}` is the `{name}` hook of this plugin already\nhelp: call this method from there"
            ),
        );
    }
    let role = if event.is_of_tenant() { Role::TenantHook } else { Role::AppHook };
    let function = function(method, role, found.ident, before, sink);
    found.hooks.push(Hook { function, event });
}

/// Two methods of one name are the compiler's to report; a call of them would only be ambiguous.
fn refuse_repeated_names(found: &mut PluginBlock<'_>) {
    let keys: Vec<(String, Cfgs)> =
        found.block.methods().map(|method| (method.sig.ident.to_string(), method.cfgs())).collect();
    let functions = found
        .actions
        .iter_mut()
        .map(|action| &mut action.function)
        .chain(found.jobs.iter_mut().map(|job| &mut job.function))
        .chain(found.hooks.iter_mut().map(|hook| &mut hook.function));
    for function in functions {
        let key = (function.method.sig.ident.to_string(), function.method.cfgs());
        if keys.iter().filter(|other| **other == key).count() > 1 {
            function.is_right = false;
        }
    }
}
