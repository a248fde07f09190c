//! `OrdersContext`: the struct that the methods of a plugin get.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::tokens::{located, respan};
use super::undeclared;
use crate::check::services::{Declared, Service};
use crate::names;
use crate::plugin::Plugin;

/// The context and what it implements.
pub(crate) fn expand(plugin: &Plugin<'_>) -> TokenStream {
    let Plugin { krate, data, cfgs, .. } = plugin;
    let p = krate.private();
    let (vis, ident) = (&data.vis, &data.ident);
    let context = plugin.sibling("Context");
    let Fields { declared, made, cloned } = fields(plugin);
    let out_of_reach = undeclared::out_of_reach(plugin);
    let enqueue = enqueue(plugin);
    let doc = format!("What a call to [`{ident}`] gets: its tenant, and what belongs to that tenant.");
    let name = context.to_string();
    // At the name of the struct, where `requires(..)` has to be written.
    let requires = respan(ident.span(), quote!(#ident: #p::proof::Requires<P>));
    quote! {
        #cfgs
        #[doc = #doc]
        #[allow(dead_code, private_interfaces, unreachable_pub)]
        #vis struct #context {
            #[doc = "The tenant of the call."]
            pub tenant: #krate::Tenant,
            #declared
            #[doc(hidden)]
            __mounted: ::std::sync::Arc<#p::Mounted<#ident>>,
        }

        #cfgs
        #[automatically_derived]
        impl ::core::clone::Clone for #context {
            fn clone(&self) -> Self {
                Self {
                    tenant: ::core::clone::Clone::clone(&self.tenant),
                    #cloned
                    __mounted: ::core::clone::Clone::clone(&self.__mounted),
                }
            }
        }

        #cfgs
        #[automatically_derived]
        impl ::core::fmt::Debug for #context {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#name).field("tenant", &self.tenant).finish_non_exhaustive()
            }
        }

        #cfgs
        #[automatically_derived]
        impl #p::PluginContext for #context {
            type Plugin = #ident;

            fn new(mounted: &::std::sync::Arc<#p::Mounted<#ident>>, tenant: #krate::Tenant) -> Self {
                Self { #made __mounted: ::core::clone::Clone::clone(mounted), tenant }
            }

            fn mounted(&self) -> &#p::Mounted<#ident> {
                &self.__mounted
            }
        }

        #cfgs
        #[automatically_derived]
        impl #p::proof::ContextOf<#ident> for #context {
            fn of(context: &Self) -> &Self {
                context
            }
        }

        #cfgs
        #[automatically_derived]
        impl<S> #krate::axum::extract::FromRequestParts<S> for #context
        where
            #krate::AppState: #krate::axum::extract::FromRef<S>,
            S: ::core::marker::Send + ::core::marker::Sync,
        {
            type Rejection = #krate::Error;

            async fn from_request_parts(
                parts: &mut #krate::axum::http::request::Parts,
                state: &S,
            ) -> ::core::result::Result<Self, #krate::Error> {
                #p::context_from_parts::<#ident, S>(parts, state).await
            }
        }

        #cfgs
        #[allow(dead_code, unreachable_pub)]
        impl #context {
            #[doc = "Another plugin, in the tenant of this call. It must stand in `requires(..)`."]
            #[must_use]
            pub fn call<P: #p::PluginActions>(&self) -> P::Handle<#ident, #krate::Tenant>
            where
                #requires,
            {
                #p::link::<P, #ident>(&self.__mounted, &self.tenant)
            }

            #enqueue
        }

        #out_of_reach
    }
}

/// The fields that depend on what the plugin declares.
#[derive(Default)]
struct Fields {
    declared: TokenStream,
    made: TokenStream,
    cloned: TokenStream,
}

fn fields(plugin: &Plugin<'_>) -> Fields {
    let krate = &plugin.krate;
    let mut fields = Fields::default();
    let mut add = |field: Ident, doc: &str, ty: TokenStream, value: TokenStream| {
        fields.declared.extend(quote! { #[doc = #doc] pub #field: #ty, });
        fields.made.extend(quote!(#field: #value,));
        fields.cloned.extend(quote!(#field: ::core::clone::Clone::clone(&self.#field),));
    };
    if let Some(config) = &plugin.config {
        let doc = "The plugin's section of `xcore.yaml`.";
        add(names::generated("config"), doc, quote!(::std::sync::Arc<#config>), quote!(mounted.config()));
    }
    for Declared { service, ident, .. } in &plugin.services {
        let (doc, ty, value) = match service {
            Service::Db => ("The database of the tenant.", quote!(db::TenantDb), quote!(db(&tenant))),
            Service::Cache => {
                ("The cache of the tenant.", quote!(cache::TenantCache), quote!(cache(&tenant)))
            }
            Service::Scheduler => (
                "The scheduler of the tenant.",
                quote!(scheduler::TenantScheduler),
                quote!(scheduler(&tenant)),
            ),
            Service::Central => ("What belongs to no tenant.", quote!(Central), quote!(central())),
        };
        add(located(ident), doc, quote!(#krate::#ty), quote!(mounted.#value));
    }
    for (field, ty) in undeclared::fields(plugin) {
        fields.declared.extend(quote! { #[doc(hidden)] pub #field: #ty, });
        fields.made.extend(quote!(#field: #ty::HERE,));
        fields.cloned.extend(quote!(#field: #ty::HERE,));
    }
    fields
}

/// Work for later. For a plugin that does not declare the scheduler it is found, and refused in words that say so; the bound has a
/// parameter, because one without would be refused here already.
///
/// ui: plugin/fail/undeclared_enqueue
fn enqueue(plugin: &Plugin<'_>) -> TokenStream {
    let krate = &plugin.krate;
    let p = krate.private();
    let ident = &plugin.data.ident;
    let is_declared = plugin.services.iter().any(|declared| declared.service == Service::Scheduler);
    if is_declared {
        quote! {
            #[doc = "Puts one run of a job in line, for the tenant of this call. It is stored when the result is awaited; `within(&transaction)`"]
            #[doc = "before that makes it part of a transaction, so that it runs if that commits."]
            pub fn enqueue(&self, job: #krate::scheduler::JobCall) -> #krate::scheduler::Enqueue<'_> {
                self.scheduler.enqueue(job)
            }
        }
    } else {
        quote! {
            #[doc(hidden)]
            pub fn enqueue<J>(&self, _job: J) -> #krate::scheduler::Enqueue<'_>
            where
                #p::UndeclaredScheduler<#ident>: #p::DeclaresSchedulerFor<#ident, J>,
            {
                match <#p::UndeclaredScheduler<#ident> as #p::DeclaresSchedulerFor<#ident, J>>::NEVER {}
            }
        }
    }
}
