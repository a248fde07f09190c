//! The one place where generated code calls a method of the user.
//!
//! It returns the method's future with a promise that it is `Send`. So a future that is not is one error, at the name of
//! the method, although the route, the handle and the job all call it.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ReturnType;

use super::tokens::without_self;
use crate::block::{Function, PluginBlock};
use crate::check::scope::Scope;
use crate::check::signature::Role;
use crate::names;

/// `call_0`: the function, and its name.
pub(crate) fn expand(function: &Function<'_>, role: Role, at: &str, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let this = names::this_plugin();
    let cfgs = function.method.cfgs();
    let name = call_name(at);
    let method = &function.method.sig.ident;
    let args: Vec<Ident> = (0..function.call.args.len()).map(arg_name).collect();
    let types = function.call.args.iter().map(|arg| without_self(&arg.ty, found.self_ty));
    let result = result_type(function, found);
    let (context, passed) = match (&function.call.context, role) {
        (Some(ty), Role::AppHook) => {
            let ty = without_self(ty, found.self_ty);
            (quote!(context: &'a #ty,), quote!(context,))
        }
        (None, Role::AppHook) => (TokenStream::new(), TokenStream::new()),
        (ty, role) => {
            let ty = without_self(ty, found.self_ty);
            let (given, proof) = match role {
                Role::Action(Scope::Central) | Role::Job(Scope::Central) => {
                    (quote!(#krate::AppContext<#this>), quote!(AppContextOf))
                }
                Role::Action(Scope::Any) => (quote!(#krate::AnyContext<#this>), quote!(AnyContextOf)),
                _ => (quote!(<#this as #krate::Plugin>::Context), quote!(ContextOf)),
            };
            (quote!(context: &'a #given,), quote!(<#ty as #p::proof::#proof<#this>>::of(context),))
        }
    };
    let span = method.span();
    let future = quote_spanned! {span=>
        impl ::core::future::Future<Output = #result> + ::core::marker::Send + 'a
    };
    quote! {
        #cfgs
        #[allow(clippy::too_many_arguments)]
        fn #name<'a>(plugin: &'a #this, #context #(#args: #types),*) -> #future {
            <#this>::#method(plugin, #passed #(#args),*)
        }
    }
}

/// The type that the method returns, once awaited.
pub(crate) fn result_type(function: &Function<'_>, found: &PluginBlock<'_>) -> TokenStream {
    match &function.call.result {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => without_self(ty, found.self_ty),
    }
}

/// The function that calls the method with this number.
pub(crate) fn call_name(at: &str) -> Ident {
    names::generated(&format!("call_{at}"))
}

/// The argument with this number.
pub(crate) fn arg_name(at: usize) -> Ident {
    names::generated(&format!("arg{at}"))
}
