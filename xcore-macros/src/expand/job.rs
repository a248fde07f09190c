//! A job: its specification, its glue to the scheduler, its name on `OrdersJobs`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::action::reply;
use super::call::{arg_name, call_name};
use super::tokens::{duration, located, option, without_self};
use crate::block::{Function, Job, PluginBlock};
use crate::check::scope::Scope;
use crate::names;

/// `JOB_0`
pub(crate) fn spec_name(at: usize) -> Ident {
    names::generated(&format!("JOB_{at}"))
}

/// `run_0`
pub(crate) fn run_name(at: usize) -> Ident {
    names::generated(&format!("run_{at}"))
}

/// The variant of `Per` in the runtime.
pub(crate) fn per(scope: Scope) -> Ident {
    names::generated(if scope == Scope::Central { "App" } else { "Tenant" })
}

/// The specification as a constant.
pub(crate) fn spec(job: &Job<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let (this, constant) = (names::this_plugin(), spec_name(at));
    let cfgs = job.function.method.cfgs();
    let name = job.function.name();
    let trigger = option(match (&job.cron, job.every) {
        (Some(cron), _) => Some(quote!(#p::Trigger::Cron(#cron))),
        (None, Some(every)) => {
            let every = duration(every);
            Some(quote!(#p::Trigger::Every(#every)))
        }
        (None, None) => None,
    });
    let timezone = option(job.timezone.as_ref());
    let per = per(job.scope);
    let overlap = names::generated(job.overlap);
    let timeout = option(job.timeout.map(duration));
    let (retries, backoff) = (job.retries, duration(job.backoff));
    let jitter = option(job.jitter.map(duration));
    let (misfire, most) = (names::generated(job.misfire.0), job.misfire.1.map(|most| quote!((#most))));
    let summary = &job.function.docs.summary;
    quote! {
        #cfgs
        const #constant: #p::JobSpec = #p::JobSpec {
            plugin: <#this as #krate::Plugin>::NAME,
            name: #name,
            trigger: #trigger,
            timezone: #timezone,
            per: #p::Per::#per,
            overlap: #p::Overlap::#overlap,
            timeout: #timeout,
            retries: #p::Retries::new(#retries, #backoff),
            jitter: #jitter,
            misfire: #p::Misfire::#misfire #most,
            summary: #summary,
        };
    }
}

/// The function that the scheduler calls.
///
/// ui: job/fail/argument_not_stored
pub(crate) fn run(job: &Job<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let this = names::this_plugin();
    let cfgs = job.function.method.cfgs();
    let run = run_name(at);
    let args: Vec<Ident> = (0..job.function.call.args.len()).map(arg_name).collect();
    let done = done(&job.function, &format!("job_{at}"), &quote!(&context #(, #args)*), found);
    let (arguments, read) = if args.is_empty() {
        (names::generated("_arguments"), None)
    } else {
        let (types, given) = (types(job, found), names::generated("arguments"));
        let read = quote!(let (#(#args,)*): (#(#types,)*) = #p::JobArguments::read(#given)?;);
        (given, Some(read))
    };
    let (context, given, prepare) = if job.scope == Scope::Central {
        (TokenStream::new(), None, quote!(let context = #krate::AppContext::<#this>::new(&mounted);))
    } else {
        let context = quote!(context: <#this as #krate::Plugin>::Context,);
        (context, Some(quote!(#arguments: #p::JobArguments,)), TokenStream::new())
    };
    quote! {
        #cfgs
        fn #run(
            mounted: ::std::sync::Arc<#p::Mounted<#this>>,
            #context
            #given
        ) -> #p::BoxFuture<'static, ::core::result::Result<(), #krate::Error>> {
            ::std::boxed::Box::pin(async move {
                #prepare
                #read
                #done
            })
        }
    }
}

/// The types of the arguments after `ctx`.
fn types(job: &Job<'_>, found: &PluginBlock<'_>) -> Vec<TokenStream> {
    job.function.call.args.iter().map(|arg| without_self(&arg.ty, found.self_ty)).collect()
}

/// Calls a method that returns nothing or a `Result` of nothing; an error about that stands at the type it returns.
pub(crate) fn done(
    function: &Function<'_>,
    at: &str,
    context: &TokenStream,
    found: &PluginBlock<'_>,
) -> TokenStream {
    let call = call_name(at);
    let called = quote!(#call(mounted.plugin(), #context).await);
    let p = found.krate.private();
    reply(function, called, &quote!(#p::Done), &quote!(done), found)
}

/// The job as something to schedule. What schedules is a tenant, so one of the app is not.
pub(crate) fn handle(job: &Job<'_>, found: &PluginBlock<'_>) -> TokenStream {
    if job.scope == Scope::Central {
        return TokenStream::new();
    }
    let krate = &found.krate;
    let p = krate.private();
    let (this, name) = (names::this_plugin(), job.function.name());
    let (cfgs, docs) = (job.function.method.cfgs(), job.function.method.docs());
    let method = located(&job.function.method.sig.ident);
    let doc = format!("Job `{name}` of [`{}`], for `ctx.scheduler`.", found.ident);
    let docs = if docs.is_empty() { quote!(#[doc = #doc]) } else { quote!(#(#docs)*) };
    let args: Vec<&Ident> = job.function.call.args.iter().map(|arg| &arg.name).collect();
    let types = types(job, found);
    let with = (!args.is_empty()).then(|| quote!(.with_arguments(&(#(#args,)*))));
    quote! {
        #cfgs
        #docs
        #[must_use]
        #[allow(clippy::too_many_arguments)]
        pub fn #method(#(#args: #types),*) -> #p::JobCall {
            #p::JobCall::new(<#this as #krate::Plugin>::NAME, #name) #with
        }
    }
}
