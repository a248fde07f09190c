//! `impl PluginConfig`, and the proofs at the types of the fields.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::tokens::{between, ends, option, without_self};
use crate::config::{Config, ConfigField, Given};
use crate::names;

/// The implementation and the proofs.
pub(crate) fn expand(config: &Config) -> TokenStream {
    let Config { krate, ident, fields, reported, schema_file } = config;
    let p = krate.private();
    let specs = fields.iter().map(|field| spec(field, &p));
    let proofs = fields.iter().enumerate().map(|(at, field)| proof(config, field, at, &p));
    let watch = schema_file.as_ref().map(|json| {
        quote! {
            const _: &[u8] = ::core::include_bytes!(#json);
            const _: ::core::option::Option<&str> = ::core::option_env!("XCORE_SCHEMA");
        }
    });
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #p::proof::Unprobed as _;

            #[automatically_derived]
            impl #krate::PluginConfig for #ident {
                const FIELDS: &'static [#p::FieldSpec] = &[#(#specs),*];
                const REPORTED: &'static [&'static str] = &[#(#reported),*];
            }

            #(#proofs)*
            #watch
        };
    }
}

fn spec(field: &ConfigField, p: &TokenStream) -> TokenStream {
    let ConfigField { name, ty, docs, has_default, is_custom, given } = field;
    let doc = &docs.summary;
    let probe = quote!(<#p::proof::Probe<#ty>>);
    let kind = if *is_custom { quote!(#p::proof::FieldKind::Any) } else { quote!(#probe::KIND) };
    let required = if *has_default { quote!(false) } else { quote!(!#probe::OPTIONAL) };
    let reported = match given {
        Given::Unknown => quote!(false),
        Given::Missing { .. } => quote!(true),
        Given::Value { kind: given, integer, .. } => {
            let (given, integer) = (names::generated(given), option(integer.as_ref()));
            quote!(!#p::proof::is_fit(#kind, #probe::OPTIONAL, #p::schema::Kind::#given, #integer))
        }
    };
    quote! {
        #p::FieldSpec {
            name: #name,
            kind: #kind,
            optional: #probe::OPTIONAL,
            required: #required,
            doc: #doc,
            reported: #reported,
        }
    }
}

/// The proof of a field, at its type.
fn proof(config: &Config, field: &ConfigField, at: usize, p: &TokenStream) -> TokenStream {
    let ident = &config.ident;
    match &field.given {
        Given::Unknown => TokenStream::new(),
        Given::Value { place, kind, integer } => {
            let (kind, integer) = (names::generated(kind), option(integer.as_ref()));
            let spec = quote!(&<#ident as #p::PluginConfig>::FIELDS[#at]);
            let call = quote!(#p::proof::field_fits(#place, #spec, #p::schema::Kind::#kind, #integer));
            let call = between(ends(&field.ty), call);
            quote!(const _: () = #call;)
        }
        Given::Missing { message } => missing(config, field, message),
    }
}

/// Only `Option` can do without a key, under whatever alias: a trait tells. It is the field's own, so that its message
/// can name the field.
fn missing(config: &Config, field: &ConfigField, message: &str) -> TokenStream {
    let name = Ident::new(&format!("{}IsOptional", names::camel_case(&identifier(&field.name))), Span::mixed_site());
    let self_ty: syn::Type = syn::Type::Verbatim({
        let ident = &config.ident;
        quote!(#ident)
    });
    let ty = without_self(&field.ty, &self_ty);
    let message = message.replace('{', "{{").replace('}', "}}");
    let label = format!("`{}` is required", field.name);
    let note = "set it in the file, give the field `#[serde(default)]`, or make its type an `Option`";
    quote! {
        const _: () = {
            #[diagnostic::on_unimplemented(message = #message, label = #label, note = #note)]
            trait #name {}
            impl<T> #name for ::core::option::Option<T> {}
            const fn check<T: #name>() {}
            check::<#ty>();
        };
    }
}

/// A key as part of an identifier.
fn identifier(key: &str) -> String {
    key.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect()
}
