//! `impl Plugin`: what the struct says of itself.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::tokens::{ends, option};
use crate::check::services::Service;
use crate::names;
use crate::options::plugin::{Migrations, Required};
use crate::plugin::Plugin;

/// The implementation, and the proof of what it requires.
pub(crate) fn expand(plugin: &Plugin<'_>) -> TokenStream {
    let Plugin { krate, data, cfgs, name, version, path, requires, .. } = plugin;
    let p = krate.private();
    let ident = &data.ident;
    let context = plugin.sibling("Context");
    let proved = || {
        plugin.services.iter().filter(|one| one.to_prove).map(|one| names::generated(one.service.variant()))
    };
    let (services, markers) = (proved(), proved());
    let requirements = requires.iter().map(|one| requirement(one, &p));
    let requires_impls = requires.iter().map(|Required { plugin: required, .. }| {
        quote! {
            #cfgs
            #[automatically_derived]
            impl #p::proof::Requires<#required> for #ident {}
            #cfgs
            const _: () = <#required as #p::proof::IsPlugin>::PROOF;
        }
    });
    let has_central = plugin.services.iter().any(|one| one.service == Service::Central);
    let declares_central = has_central.then(|| {
        quote! {
            #cfgs
            #[automatically_derived]
            impl #p::proof::DeclaresCentral for #ident {}
        }
    });
    let config = match &plugin.config {
        Some(config) => quote!(#config),
        None => quote!(#p::NoConfig),
    };
    let create = create(plugin, &p);
    let migrations = migrations(plugin.migrations.as_ref(), plugin);
    let shared_migrations = migrations_shared(plugin);
    quote! {
        #cfgs
        #[automatically_derived]
        impl #krate::Plugin for #ident {
            const NAME: &'static str = #name;
            const VERSION: &'static str = #version;
            const PATH: &'static str = #path;
            const SERVICES: &'static [#p::ServiceName] = &[#(#p::ServiceName::#services),*];
            const REQUIRES: &'static [#p::Requirement] = {
                #[allow(unused_imports)]
                use #p::proof::NotNamed as _;
                &[#(#requirements),*]
            };
            type Context = #context;
            type Config = #config;
            type Services = (#(#p::services::#markers,)*);

            fn create() -> Self {
                #create
            }

            fn migrations() -> ::core::option::Option<#krate::db::Migrations> {
                #migrations
            }

            fn shared_migrations() -> ::core::option::Option<#krate::db::Migrations> {
                #shared_migrations
            }
        }

        #declares_central
        #(#requires_impls)*
    }
}

fn requirement(required: &Required, p: &TokenStream) -> TokenStream {
    let Required { plugin, wanted } = required;
    let wanted = option(wanted.as_ref());
    quote! {
        #p::Requirement {
            name: <#p::proof::Named<#plugin>>::NAME,
            version: <#p::proof::Named<#plugin>>::VERSION,
            wanted: #wanted,
        }
    }
}

/// A unit struct is its own value; one with fields needs `Default`, and the error for that stands at its name.
fn create(plugin: &Plugin<'_>, p: &TokenStream) -> TokenStream {
    let ident = &plugin.data.ident;
    if !plugin.is_right {
        return quote!(::core::unreachable!("the compiler has refused this plugin"));
    }
    if plugin.data.is_unit {
        return quote!(#ident);
    }
    let (span, _) = ends(ident);
    let this = Ident::new(&ident.to_string(), span);
    quote_spanned!(span=> <#this as #p::proof::Create>::create())
}

fn migrations(migrations: Option<&Migrations>, plugin: &Plugin<'_>) -> TokenStream {
    let (krate, name) = (&plugin.krate, &plugin.name);
    option(
        migrations.map(|Migrations { migrator, .. }| quote!(#krate::db::Migrations::of::<#migrator>(#name))),
    )
}

fn migrations_shared(plugin: &Plugin<'_>) -> TokenStream {
    migrations(plugin.shared_migrations.as_ref(), plugin)
}
