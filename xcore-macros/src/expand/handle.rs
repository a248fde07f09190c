//! `OrdersHandle<C>` and `OrdersJobs`: what other plugins and the scheduler call.
//!
//! The impl block makes them, because nothing but it knows their methods, and an impl block without its struct would name
//! types in vain that its user never wrote. The struct gives them their names.

use proc_macro2::TokenStream;
use quote::quote;

use super::{action, job};
use crate::block::{Action, Function, PluginBlock};
use crate::check::scope::Scope;
use crate::names;
use crate::plugin::Plugin;

/// The names, beside the struct and as visible as it.
pub(crate) fn aliases(plugin: &Plugin<'_>) -> TokenStream {
    let Plugin { krate, data, cfgs, .. } = plugin;
    let p = krate.private();
    let (vis, ident) = (&data.vis, &data.ident);
    let (handle, jobs) = (plugin.sibling("Handle"), plugin.sibling("Jobs"));
    let handle_doc = handle_doc(&ident.to_string());
    let jobs_doc = jobs_doc(&ident.to_string());
    quote! {
        #cfgs
        #[doc = #handle_doc]
        #[allow(dead_code, unreachable_pub)]
        #vis type #handle<C, CallerTenant = #krate::Tenant> = <#ident as #p::PluginActions>::Handle<C, CallerTenant>;

        #cfgs
        #[doc = #jobs_doc]
        #[allow(dead_code, unreachable_pub)]
        #vis type #jobs = <#ident as #p::PluginActions>::Jobs;
    }
}

/// Both types, with their methods.
pub(crate) fn expand(found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let this = names::this_plugin();
    let (handle, jobs) = (&found.handle, &found.jobs_type);
    let handle_doc = handle_doc(&found.ident.to_string());
    let jobs_doc = jobs_doc(&found.ident.to_string());
    let name = handle.to_string();
    // Who belongs to no tenant can call no action that belongs to one: to its handle the method is not there.
    let (of_tenant, of_any): (Vec<_>, Vec<_>) =
        distinct(&found.actions, |action| &action.function).partition(|(_, one)| one.scope == Scope::Tenant);
    let methods = |actions: Vec<(usize, &Action<'_>)>| {
        let methods: Vec<TokenStream> =
            actions.into_iter().map(|(at, one)| action::handle(one, at, found)).collect();
        (!methods.is_empty()).then_some(methods)
    };
    let calls = distinct(&found.jobs, |job| &job.function).map(|(_, one)| job::handle(one, found));
    let on_handle = methods(of_tenant).map(|methods| {
        quote! {
            #[allow(dead_code, private_bounds, private_interfaces, unreachable_pub)]
            impl<C: #krate::Plugin> #handle<C, #krate::Tenant> { #(#methods)* }
        }
    });
    let on_any_handle = methods(of_any).map(|methods| {
        quote! {
            #[allow(dead_code, private_bounds, private_interfaces, unreachable_pub)]
            impl<C: #krate::Plugin, CallerTenant: #p::OfCaller> #handle<C, CallerTenant> { #(#methods)* }
        }
    });
    let on_jobs = (!found.jobs.is_empty()).then(|| {
        quote! {
            #[allow(dead_code, private_interfaces, unreachable_pub)]
            impl #jobs { #(#calls)* }
        }
    });
    quote! {
        #[doc = #handle_doc]
        #[allow(dead_code, private_interfaces, unreachable_pub)]
        pub struct #handle<C: #krate::Plugin, CallerTenant> {
            #[doc(hidden)]
            __link: #p::Link<#this, C, CallerTenant>,
        }

        #[automatically_derived]
        impl<C: #krate::Plugin, CallerTenant: ::core::clone::Clone> ::core::clone::Clone for #handle<C, CallerTenant> {
            fn clone(&self) -> Self {
                Self { __link: ::core::clone::Clone::clone(&self.__link) }
            }
        }

        #[automatically_derived]
        impl<C: #krate::Plugin, CallerTenant: #p::OfCaller> ::core::fmt::Debug for #handle<C, CallerTenant> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#name).field(&self.__link).finish()
            }
        }

        #[doc = #jobs_doc]
        #[allow(dead_code, missing_debug_implementations, unreachable_pub)]
        pub struct #jobs;

        #on_handle
        #on_any_handle
        #on_jobs
    }
}

/// The types in `impl PluginActions`.
pub(crate) fn members(found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let (handle, jobs) = (&found.handle, &found.jobs_type);
    quote! {
        type Handle<C: #krate::Plugin, CallerTenant> = #handle<C, CallerTenant>;
        type Jobs = #jobs;
    }
}

/// The function of `impl PluginActions` that makes a handle.
pub(crate) fn make(found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let (handle, this) = (&found.handle, names::this_plugin());
    quote! {
        fn handle<C: #krate::Plugin, CallerTenant>(link: #p::Link<#this, C, CallerTenant>) -> #handle<C, CallerTenant> {
            #handle { __link: link }
        }
    }
}

fn handle_doc(plugin: &str) -> String {
    format!(
        "The actions of [`{plugin}`] for the plugin `C`, in the tenant of the call: `ctx.call::<{plugin}>()`."
    )
}

fn jobs_doc(plugin: &str) -> String {
    format!("The jobs of [`{plugin}`], to hand to a scheduler.")
}

/// The first of each name: two methods of one name are reported at the user's, not here too.
fn distinct<'a, T>(
    all: &'a [T],
    function: impl Fn(&T) -> &Function<'_> + 'a,
) -> impl Iterator<Item = (usize, &'a T)> {
    all.iter().enumerate().filter(move |(at, one)| {
        let this = function(one);
        !all[..*at].iter().any(|earlier| {
            let earlier = function(earlier);
            earlier.name() == this.name() && earlier.method.cfgs() == this.method.cfgs()
        })
    })
}
