//! `impl PluginConfig`, and the proofs at the types of the fields.

use proc_macro2::TokenStream;
use quote::quote;

use super::tokens::{between, ends, option};
use crate::config::{Config, ConfigField, Given};
use crate::names;

/// The implementation and the proofs.
pub(crate) fn expand(config: &Config) -> TokenStream {
    let Config { krate, ident, fields, reported, schema_file } = config;
    let p = krate.private();
    let specs = fields.iter().map(|field| spec(field, &p));
    let proofs = fields.iter().enumerate().map(|(at, field)| proof(field, at, &p));
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

            const FIELDS: &[#p::FieldSpec] = &[#(#specs),*];

            #[automatically_derived]
            impl #krate::PluginConfig for #ident {
                const FIELDS: &'static [#p::FieldSpec] = FIELDS;
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
fn proof(field: &ConfigField, at: usize, p: &TokenStream) -> TokenStream {
    match &field.given {
        Given::Unknown => TokenStream::new(),
        Given::Value { place, kind, integer } => {
            let (kind, integer) = (names::generated(kind), option(integer.as_ref()));
            let call = quote!(#p::proof::field_fits(#place, &FIELDS[#at], #p::schema::Kind::#kind, #integer));
            let call = between(ends(&field.ty), call);
            quote!(const _: () = #call;)
        }
        Given::Missing { message } => {
            let call = quote!(#p::proof::field_is_optional(#message, &FIELDS[#at]));
            let call = between(ends(&field.ty), call);
            quote!(const _: () = #call;)
        }
    }
}
