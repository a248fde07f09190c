//! What the impl block of a plugin becomes, besides itself.

use proc_macro2::TokenStream;
use quote::quote;

use super::tokens::{between, ends};
use super::{action, call, handle, hook, job};
use crate::block::{Action, Function, Job, PluginBlock};
use crate::check::signature::Role;
use crate::names;

/// `impl PluginActions`, and what it is made of. Only that `impl` can collide when a plugin has two blocks.
pub(crate) fn expand(found: &PluginBlock<'_>) -> TokenStream {
    let p = found.krate.private();
    let cfgs = found.block.cfgs();
    let parts = parts(found);
    let handles = handle::expand(found);
    let (members, handle) = (handle::members(found), handle::make(found));
    let (this, actions, jobs, hooks) = (names::this_plugin(), actions(found), jobs(found), hook::all(found));
    let [action_specs, action_entries] = actions;
    let [job_specs, job_entries] = jobs;
    let proof = proof(found);
    let self_ty = found.self_ty;
    let plugin = match &found.context {
        Some(context) => quote!(<#context as #p::PluginContext>::Plugin),
        None => quote!(#self_ty),
    };
    // Two blocks of one plugin collide here, and the error shows both by the name of the plugin.
    let actions = between(
        ends(self_ty),
        quote! {
            impl #p::PluginActions for #self_ty {
                const ACTIONS: &'static [#p::ActionSpec] = &[#action_specs];
                const JOBS: &'static [#p::JobSpec] = &[#job_specs];
                #members

                #handle

                fn actions() -> ::std::vec::Vec<#p::ActionEntry<#this>> {
                    ::core::convert::From::from([#action_entries])
                }

                fn jobs() -> ::std::vec::Vec<#p::JobEntry<#this>> {
                    ::core::convert::From::from([#job_entries])
                }

                fn hooks() -> #p::Hooks<#this> {
                    #hooks
                }
            }
        },
    );
    quote! {
        #cfgs
        #[allow(unused_qualifications)]
        const _: () = {
            #[allow(unused_imports)]
            use #p::proof::{NoHead as _, NoLast as _, NotNamed as _};

            // Where the context is in error, so is all that is made of this, in silence.
            #[allow(dead_code)]
            type #this = #plugin;

            #parts
            #handles

            #[automatically_derived]
            #actions

            #proof
        };
    }
}

fn is_right(function: &Function<'_>) -> bool {
    function.is_right
}

/// Constants and functions, one group per method.
fn parts(found: &PluginBlock<'_>) -> TokenStream {
    let mut parts = TokenStream::new();
    for (at, one) in found.actions.iter().enumerate() {
        parts.extend(action::callers(one, found));
        if is_right(&one.function) {
            parts.extend(action::spec(one, at, found));
            parts.extend(call::expand(&one.function, Role::Action(one.scope), &at.to_string(), found));
            parts.extend(action::route(one, at, found));
        }
    }
    for (at, one) in found.jobs.iter().enumerate().filter(|(_, one)| is_right(&one.function)) {
        parts.extend(job::spec(one, at, found));
        parts.extend(call::expand(&one.function, Role::Job(one.scope), &format!("job_{at}"), found));
        parts.extend(job::run(one, at, found));
    }
    for (at, one) in found.hooks.iter().enumerate().filter(|(_, one)| is_right(&one.function)) {
        let role = if one.event.is_of_tenant() { Role::TenantHook } else { Role::AppHook };
        parts.extend(call::expand(&one.function, role, &format!("hook_{at}"), found));
        parts.extend(hook::run(one, at, found));
    }
    parts
}

/// The elements of `ACTIONS`, and those of `actions()`.
fn actions(found: &PluginBlock<'_>) -> [TokenStream; 2] {
    let p = found.krate.private();
    let mut lists = [TokenStream::new(), TokenStream::new()];
    let right = found.actions.iter().enumerate().filter(|(_, one)| is_right(&one.function));
    for (at, Action { function, .. }) in right {
        let cfgs = function.method.cfgs();
        let (spec, route) = (action::spec_name(at), action::route_name(at));
        lists[0].extend(quote!(#cfgs #spec,));
        lists[1].extend(quote!(#cfgs #p::ActionEntry { spec: &#spec, route: #route },));
    }
    lists
}

/// The elements of `JOBS`, and those of `jobs()`.
fn jobs(found: &PluginBlock<'_>) -> [TokenStream; 2] {
    let p = found.krate.private();
    let mut lists = [TokenStream::new(), TokenStream::new()];
    for (at, Job { function, scope, .. }) in
        found.jobs.iter().enumerate().filter(|(_, one)| is_right(&one.function))
    {
        let cfgs = function.method.cfgs();
        let (spec, run) = (job::spec_name(at), job::run_name(at));
        lists[0].extend(quote!(#cfgs #spec,));
        let per = job::per(*scope);
        lists[1].extend(quote!(#cfgs #p::JobEntry { spec: &#spec, run: #p::RunJob::#per(#run) },));
    }
    lists
}

/// Routes under a `#[cfg]` can be compared only when it is known which are compiled in.
fn proof(found: &PluginBlock<'_>) -> Option<TokenStream> {
    let p = found.krate.private();
    let this = names::this_plugin();
    let is_conditional = found.actions.iter().any(|action| !action.function.method.cfgs().is_empty());
    is_conditional.then(|| {
        let call = quote!(#p::proof::routes_are_distinct_within(<#this as #p::PluginActions>::ACTIONS));
        let call = between(ends(found.self_ty), call);
        quote! {
            const _: () = #call;
        }
    })
}
