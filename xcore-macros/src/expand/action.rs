//! An action: its specification, its glue to HTTP, its method on the handle.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{GenericArgument, PathArguments, ReturnType, Type};

use super::call::{arg_name, call_name, result_type};
use super::tokens::{between, duration, ends, located, option, without_self};
use crate::block::{Action, PluginBlock};
use crate::names;
use crate::suggest;
use crate::options::action::path_text;

/// `ACTION_0`
pub(crate) fn spec_name(at: usize) -> Ident {
    names::generated(&format!("ACTION_{at}"))
}

/// `http_0`
pub(crate) fn http_name(at: usize) -> Ident {
    names::generated(&format!("http_{at}"))
}

/// The specification as a constant.
pub(crate) fn spec(action: &Action<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let (self_ty, constant) = (found.self_ty, spec_name(at));
    let cfgs = action.function.method.cfgs();
    let Action { function, path, is_internal, .. } = action;
    let name = function.name();
    let verb = names::generated(action.verb);
    let status = option(action.status);
    let timeout = option(action.timeout.map(duration));
    let (summary, description) = (&function.docs.summary, &function.docs.description);
    let callers = match &action.callers {
        None => quote!(#p::Callers::Any),
        Some(callers) => quote!(#p::Callers::Only(&[#(<#callers as #krate::Plugin>::NAME),*])),
    };
    quote! {
        #cfgs
        const #constant: #p::ActionSpec = #p::ActionSpec {
            plugin: <#self_ty as #krate::Plugin>::NAME,
            name: #name,
            verb: #p::Verb::#verb,
            path: #path,
            status: #status,
            timeout: #timeout,
            internal: #is_internal,
            callers: #callers,
            summary: #summary,
            description: #description,
        };
    }
}

/// The function that the route calls.
pub(crate) fn http(action: &Action<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let self_ty = found.self_ty;
    let cfgs = action.function.method.cfgs();
    let (http, spec) = (http_name(at), spec_name(at));
    let (proofs, extraction) = extraction(action, found);
    let request = if action.function.call.args.is_empty() { quote!(_) } else { quote!(request) };
    let respond = respond(action, at, &p);
    quote! {
        #cfgs
        fn #http(
            mounted: ::std::sync::Arc<#p::Mounted<#self_ty>>,
            request: #krate::axum::extract::Request,
        ) -> #p::BoxFuture<'static, #krate::axum::response::Response> {
            #proofs
            ::std::boxed::Box::pin(#p::serve(mounted, &#spec, request, |mounted, context, #request| async move {
                #extraction
                #respond
            }))
        }
    }
}

/// What states the bounds of the arguments, and what extracts them. See `proof::arguments` in the runtime crate for why
/// these are two.
fn extraction(action: &Action<'_>, found: &PluginBlock<'_>) -> (TokenStream, TokenStream) {
    let krate = &found.krate;
    let p = krate.private();
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
        .map(|(ty, name)| take(name, quote!(<#p::proof::Head<#ty>>::extract(&mut parts, mounted.state()))));
    let taken_last = take(&last_name, quote!(<#p::proof::Last<#last, _>>::extract(#request, mounted.state())));
    (
        quote! {
            #(#p::proof::argument::<#heads>();)*
            #p::proof::last_argument::<#last, _>();
        },
        quote!(#split #(#taken_heads)* #taken_last),
    )
}

/// An error about the result stands at the type that the method returns.
fn respond(action: &Action<'_>, at: usize, p: &TokenStream) -> TokenStream {
    let args = (0..action.function.call.args.len()).map(arg_name);
    let call = call_name(at.to_string().as_str());
    let called = quote!(#call(mounted.plugin(), &context, #(#args),*).await);
    let called = match &action.function.call.result {
        ReturnType::Default => called,
        ReturnType::Type(_, ty) => between(ends(ty), called),
    };
    quote!(#p::respond(#called))
}

/// The method of the handle.
pub(crate) fn handle(action: &Action<'_>, at: usize, found: &PluginBlock<'_>) -> TokenStream {
    let krate = &found.krate;
    let p = krate.private();
    let function = &action.function;
    let (cfgs, docs) = (function.method.cfgs(), function.method.docs());
    let method = located(&function.method.sig.ident.to_string(), &function.method.sig.ident);
    let names: Vec<&Ident> = function.call.args.iter().map(|arg| &arg.name).collect();
    let types = function.call.args.iter().map(|arg| without_self(&arg.ty, found.self_ty));
    let value = value_type(action, found);
    let bound = action.callers.as_ref().map(|_| {
        let callers = callers_name(action);
        quote!(where C: #callers)
    });
    let body = if function.is_right {
        let (call, spec) = (call_name(&at.to_string()), spec_name(at));
        let called = quote!(#call(mounted.plugin(), &context, #(#names),*).await);
        let outcome = match outcome(action) {
            Outcome::Opaque => quote!(::core::result::Result::Ok(#p::respond(#called))),
            Outcome::Result => quote!(#p::outcome(#called)),
            Outcome::Value => quote!(::core::result::Result::Ok(#called)),
        };
        quote!(self.__link.call(&#spec, |mounted, context| async move { #outcome }).await)
    } else {
        quote!(#(let _ = #names;)* ::core::unreachable!("the compiler has refused this action"))
    };
    quote! {
        #cfgs
        #(#docs)*
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = "What the action returns; also when this plugin may not call it, when it takes too long or panics, and while the app goes away."]
        #[allow(clippy::too_many_arguments, private_interfaces, private_bounds)]
        pub async fn #method(&self, #(#names: #types),*) -> #krate::Result<#value> #bound {
            #body
        }
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

fn callers_name(action: &Action<'_>) -> Ident {
    names::generated(&format!("{}Caller", names::camel_case(&action.function.name())))
}

/// The trait that the callers of an action implement. It is the action's own, so that its message can name the action.
pub(crate) fn callers(action: &Action<'_>, found: &PluginBlock<'_>) -> Option<TokenStream> {
    let callers = action.callers.as_ref()?;
    let cfgs = action.function.method.cfgs();
    let name = callers_name(action);
    let (plugin, action_name) = (found.ident, action.function.name());
    let message = format!("plugin `{{Self}}` may not call action `{action_name}` of `{plugin}`");
    let label = format!("`{{Self}}` is not among its `callers`");
    let listed: Vec<String> = callers.iter().map(path_text).collect();
    let note = match listed.as_slice() {
        [] => format!("`{action_name}` has `callers = []`: no plugin may call it, only HTTP"),
        listed => format!("`{action_name}` may be called by {}; add `{{Self}}` to its `callers`", suggest::listed(listed)),
    };
    let span = Span::mixed_site();
    let attribute = quote_spanned! {span=>
        #[diagnostic::on_unimplemented(message = #message, label = #label, note = #note)]
    };
    let impls = callers.iter().map(|caller| quote!(#cfgs impl #name for #caller {}));
    Some(quote! {
        #cfgs
        #attribute
        pub trait #name {}
        #(#impls)*
    })
}
