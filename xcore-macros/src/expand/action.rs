//! An action: its specification, its glue to HTTP, its method on the handle.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{GenericArgument, PathArguments, ReturnType, Type};

use super::call::{arg_name, call_name, result_type};
use super::tokens::{between, duration, ends, located, option, without_self};
use crate::block::{Action, Function, PluginBlock};
use crate::check::scope::Scope;
use crate::names;

/// `ACTION_0`
pub(crate) fn spec_name(at: usize) -> Ident {
    names::generated(&format!("ACTION_{at}"))
}

/// `route_0`
pub(crate) fn route_name(at: usize) -> Ident {
    names::generated(&format!("route_{at}"))
}

/// The specification as a constant.
pub(crate) fn spec(action: &Action<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let p = found.krate.private();
    let krate = &found.krate;
    let (this, constant) = (names::this_plugin(), spec_name(at));
    let cfgs = action.function.method.cfgs();
    let Action { function, path, scope, is_internal, .. } = action;
    let name = function.name();
    let verb = names::generated(action.verb);
    let scope = names::generated(scope.variant());
    let status = option(action.status);
    let timeout = option(action.timeout.map(duration));
    let (summary, description) = (&function.docs.summary, &function.docs.description);
    let callers = match &action.callers {
        None => quote!(#p::Callers::Any),
        Some(callers) => quote!(#p::Callers::Only(&[#(<#p::proof::Named<#callers>>::NAME),*])),
    };
    quote! {
        #cfgs
        const #constant: #p::ActionSpec = #p::ActionSpec {
            plugin: <#this as #krate::Plugin>::NAME,
            name: #name,
            verb: #p::Verb::#verb,
            path: #path,
            scope: #p::Scope::#scope,
            status: #status,
            timeout: #timeout,
            internal: #is_internal,
            callers: #callers,
            summary: #summary,
            description: #description,
        };
    }
}

/// The function that makes the route.
pub(crate) fn route(action: &Action<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let this = names::this_plugin();
    let cfgs = action.function.method.cfgs();
    let (route, spec) = (route_name(at), spec_name(at));
    let (proofs, extraction) = extraction(action, found);
    let request = if action.function.call.args.is_empty() { quote!(_) } else { quote!(request) };
    let respond = respond(action, at, found);
    let (make, mounted) = match action.scope {
        Scope::Tenant => (quote!(route), quote!(#p::PluginContext::mounted(&*context))),
        Scope::Central => (quote!(route_central), quote!(#p::mounted_of_app(&context))),
        Scope::Any => (quote!(route_any), quote!(#p::mounted_of_app(context.app()))),
    };
    quote! {
        #cfgs
        fn #route(
            mounted: ::std::sync::Arc<#p::Mounted<#this>>,
        ) -> #krate::axum::routing::MethodRouter {
            #proofs
            #p::#make(mounted, &#spec, |context, #request| async move {
                let mounted = #mounted;
                #extraction
                #respond
            })
        }
    }
}

/// What states the bounds of the arguments, and what extracts them. See `proof::arguments` in the runtime crate for why
/// these are two.
fn extraction(action: &Action<'_>, found: &PluginBlock<'_>) -> (TokenStream, TokenStream) {
    let krate = &found.krate;
    let p = krate.private();
    let state = match action.scope {
        Scope::Tenant => quote!(mounted.state()),
        scope => {
            let scope = names::generated(scope.variant());
            quote!(mounted.state_of(#p::Scope::#scope))
        }
    };
    let types: Vec<TokenStream> =
        action.function.call.args.iter().map(|arg| without_self(&arg.ty, found.self_ty)).collect();
    let Some((last, heads)) = types.split_last() else { return Default::default() };
    let last_name = arg_name(heads.len());
    let head_names: Vec<Ident> = (0..heads.len()).map(arg_name).collect();
    let request = if heads.is_empty() {
        quote!(request)
    } else {
        quote!(#krate::axum::extract::Request::from_parts(parts, body))
    };
    let split = (!heads.is_empty()).then(|| quote!(let (mut parts, body) = request.into_parts();));
    let take = |name: &Ident, extract: TokenStream| {
        quote! {
            let #name = match #extract.await {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(response) => return response,
            };
        }
    };
    let taken_heads = heads
        .iter()
        .zip(&head_names)
        .map(|(ty, name)| take(name, quote!(<#p::proof::Head<#ty>>::extract(&mut parts, #state))));
    let taken_last = take(&last_name, quote!(<#p::proof::Last<#last, _>>::extract(#request, #state)));
    (
        quote! {
            #(<#heads as #p::proof::Argument>::PROOF;)*
            <#last as #p::proof::LastArgument<_>>::PROOF;
        },
        quote!(#split #(#taken_heads)* #taken_last),
    )
}

/// An error about the result stands at the type that the method returns.
fn respond(action: &Action<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let p = found.krate.private();
    let args = (0..action.function.call.args.len()).map(arg_name);
    let call = call_name(at.to_string().as_str());
    let called = quote!(#call(mounted.plugin(), &context, #(#args),*).await);
    reply(&action.function, called, &quote!(#p::proof::Reply), &quote!(reply), found)
}

/// Hands a result to a function of a trait. A type that can be named is, so that the error about it is short.
pub(crate) fn reply(
    function: &Function<'_>,
    called: TokenStream,
    by_trait: &TokenStream,
    by_function: &TokenStream,
    found: &PluginBlock<'_>,
) -> TokenStream {
    if function.call.is_opaque {
        let called = at_result(function, called);
        return quote!(#by_trait::#by_function(#called));
    }
    let ty = result_type(function, found);
    quote!(<#ty as #by_trait>::#by_function(#called))
}

/// An expression that stands where the method says what it returns.
fn at_result(function: &Function<'_>, called: TokenStream) -> TokenStream {
    match &function.call.result {
        ReturnType::Default => called,
        ReturnType::Type(_, ty) => between(ends(ty), called),
    }
}

/// The method of the handle.
pub(crate) fn handle(action: &Action<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let function = &action.function;
    let (cfgs, docs) = (function.method.cfgs(), function.method.docs());
    let method = located(&function.method.sig.ident);
    let names: Vec<&Ident> = function.call.args.iter().map(|arg| &arg.name).collect();
    let types = function.call.args.iter().map(|arg| without_self(&arg.ty, found.self_ty));
    let value = value_type(action, found);
    let body = if function.is_right {
        let (call, spec) = (call_name(&at.to_string()), spec_name(at));
        let called = quote!(#call(mounted.plugin(), &context, #(#names),*).await);
        let outcome = match outcome(action) {
            Outcome::Opaque => {
                let replied = reply(function, called, &quote!(#p::proof::Reply), &quote!(reply), found);
                quote!(::core::result::Result::Ok(#replied))
            }
            Outcome::Result => quote!(#p::outcome(#called)),
            Outcome::Value => quote!(::core::result::Result::Ok(#called)),
        };
        let made = match action.scope {
            Scope::Tenant => quote!(call),
            Scope::Central => quote!(call_central),
            Scope::Any => quote!(call_any),
        };
        quote!(self.__link.#made(&#spec, |mounted, context| async move { #outcome }).await)
    } else {
        quote!(#(let _ = #names;)* ::core::unreachable!("the compiler has refused this action"))
    };
    let returned = quote!(#krate::Result<#value>);
    let signature = match &action.callers {
        None => quote!(pub async fn #method(&self, #(#names: #types),*) -> #returned { #body }),
        // The future of an `async fn` repeats an unmet bound wherever it is used, so one caller that is not allowed
        // would be three errors. A boxed one does not.
        Some(_) => {
            let marker = marker_name(action);
            quote! {
                pub fn #method<'a>(&'a self, #(#names: #types),*) -> #p::BoxFuture<'a, #returned>
                where
                    C: #p::proof::MayCall<#marker>,
                {
                    ::std::boxed::Box::pin(async move { #body })
                }
            }
        }
    };
    quote! {
        #cfgs
        #(#docs)*
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = "What the action returns; also when this plugin may not call it, when it takes too long or panics, and while the app goes away."]
        #[allow(clippy::too_many_arguments)]
        #signature
    }
}

enum Outcome {
    /// A response, because what is returned cannot be named.
    Opaque,
    /// A `Result`, whose error becomes one of ours.
    Result,
    Value,
}

fn outcome(action: &Action<'_>) -> Outcome {
    match () {
        () if action.function.call.is_opaque => Outcome::Opaque,
        () if ok_type(action).is_some() => Outcome::Result,
        () => Outcome::Value,
    }
}

/// `T` of the handle's `Result<T>`.
fn value_type(action: &Action<'_>, found: &PluginBlock<'_>) -> TokenStream {
    match (outcome(action), ok_type(action)) {
        (Outcome::Opaque, _) => {
            let krate = &found.krate;
            quote!(#krate::axum::response::Response)
        }
        (_, Some(ok)) => without_self(ok, found.self_ty),
        (_, None) => result_type(&action.function, found),
    }
}

/// `T` of a `Result<T, ..>`.
fn ok_type<'a>(action: &'a Action<'_>) -> Option<&'a Type> {
    let ReturnType::Type(_, ty) = &action.function.call.result else { return None };
    let Type::Path(path) = &**ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(list) = &last.arguments else { return None };
    list.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ok) => Some(ok),
        _ => None,
    })
}

/// The action as a type, for `MayCall`. It is called like the method, because a message shows it.
fn marker_name(action: &Action<'_>) -> Ident {
    located(&action.function.method.sig.ident)
}

/// The callers of an action. A trait of the action's own could say more, but `#[diagnostic]` is out of reach of code
/// under `#![no_implicit_prelude]`.
pub(crate) fn callers(action: &Action<'_>, found: &PluginBlock<'_>) -> Option<TokenStream> {
    let callers = action.callers.as_ref()?;
    let cfgs = action.function.method.cfgs();
    let marker = marker_name(action);
    let p = found.krate.private();
    let impls = callers.iter().map(|caller| {
        quote! {
            #cfgs
            impl #p::proof::MayCall<#marker> for #caller {}
            #cfgs
            const _: () = <#caller as #p::proof::IsPlugin>::PROOF;
        }
    });
    Some(quote! {
        #cfgs
        #[allow(dead_code, missing_debug_implementations, non_camel_case_types)]
        enum #marker {}
        #(#impls)*
    })
}
