//! `OrdersHandle<C>` and `OrdersJobs`: what other plugins and the scheduler call. The impl block gives them methods.

use proc_macro2::TokenStream;
use quote::quote;

use crate::plugin::Plugin;

/// Both types, without methods.
pub(crate) fn expand(plugin: &Plugin<'_>) -> TokenStream {
    let Plugin { krate, data, cfgs, .. } = plugin;
    let p = krate.private();
    let (vis, ident) = (&data.vis, &data.ident);
    let (handle, jobs) = (plugin.sibling("Handle"), plugin.sibling("Jobs"));
    let handle_doc =
        format!("The actions of [`{ident}`] for the plugin `C`, in one tenant: `ctx.call::<{ident}>()`.");
    let jobs_doc = format!("The jobs of [`{ident}`], to hand to a scheduler.");
    let name = handle.to_string();
    quote! {
        #cfgs
        #[doc = #handle_doc]
        #[allow(dead_code, unreachable_pub)]
        #vis struct #handle<C: #krate::Plugin> {
            #[doc(hidden)]
            __link: #p::Link<#ident, C>,
        }

        #cfgs
        #[automatically_derived]
        impl<C: #krate::Plugin> ::core::clone::Clone for #handle<C> {
            fn clone(&self) -> Self {
                Self { __link: ::core::clone::Clone::clone(&self.__link) }
            }
        }

        #cfgs
        #[automatically_derived]
        impl<C: #krate::Plugin> ::core::fmt::Debug for #handle<C> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#name).field(&self.__link).finish()
            }
        }

        #cfgs
        #[doc = #jobs_doc]
        #[allow(dead_code, missing_debug_implementations, unreachable_pub)]
        #vis struct #jobs;
    }
}
