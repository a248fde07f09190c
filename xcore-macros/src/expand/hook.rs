//! The hooks of a plugin.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::job::done;
use crate::block::{Hook, PluginBlock};
use crate::names;

/// `hook_0`
fn run_name(at: usize) -> Ident {
    names::generated(&format!("hook_{at}"))
}

/// The function that the app calls.
pub(crate) fn run(hook: &Hook<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let this = names::this_plugin();
    let cfgs = hook.function.method.cfgs();
    let run = run_name(at);
    let (context, prepare, passed) = match (hook.event.is_of_tenant(), &hook.function.call.context) {
        (true, _) => (quote!(context: <#this as #krate::Plugin>::Context,), quote!(), quote!(&context)),
        (false, Some(_)) => {
            (quote!(), quote!(let app = #krate::AppContext::<#this>::new(&mounted);), quote!(&app))
        }
        (false, None) => (quote!(), quote!(), quote!()),
    };
    let done = done(&hook.function, &format!("hook_{at}"), &passed, found);
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

/// The body of `PluginActions::hooks`.
pub(crate) fn all(found: &PluginBlock<'_>) -> TokenStream {
    let p = found.krate.private();
    let this = names::this_plugin();
    let set = found.hooks.iter().enumerate().filter(|(_, hook)| hook.function.is_right).map(|(at, hook)| {
        let cfgs = hook.function.method.cfgs();
        let (field, run) = (names::generated(hook.event.name()), run_name(at));
        quote! {
            #cfgs
            {
                hooks.#field = ::core::option::Option::Some(#run);
            }
        }
    });
    quote! {
        #[allow(unused_mut)]
        let mut hooks = <#p::Hooks<#this> as ::core::default::Default>::default();
        #(#set)*
        hooks
    }
}
