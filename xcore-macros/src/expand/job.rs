//! A job: its specification, its glue to the scheduler, its name on `OrdersJobs`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::action::reply;
use super::call::call_name;
use super::tokens::{duration, located, option};
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
pub(crate) fn run(job: &Job<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let this = names::this_plugin();
    let cfgs = job.function.method.cfgs();
    let run = run_name(at);
    let done = done(&job.function, &format!("job_{at}"), &quote!(&context), found);
    let (context, prepare) = if job.scope == Scope::Central {
        (TokenStream::new(), quote!(let context = #krate::AppContext::<#this>::new(&mounted);))
    } else {
        (quote!(context: <#this as #krate::Plugin>::Context,), TokenStream::new())
    };
    quote! {
        #cfgs
        fn #run(
            mounted: ::std::sync::Arc<#p::Mounted<#this>>,
            #context
        ) -> #p::BoxFuture<'static, ::core::result::Result<(), #krate::Error>> {
            ::std::boxed::Box::pin(async move {
                #prepare
                #done
            })
        }
    }
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
    quote! {
        #cfgs
        #docs
        #[must_use]
        pub fn #method() -> #p::JobCall {
            #p::JobCall::new(<#this as #krate::Plugin>::NAME, #name)
        }
    }
}
