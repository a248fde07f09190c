//! What a context has in the place of services that the plugin does not declare. It has no size, and each use of it is one
//! error that names the plugin and the service.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::tokens::located;
use crate::check::services::Service;
use crate::names;
use crate::plugin::Plugin;

/// The services that the plugin does not declare.
fn services<'a>(plugin: &'a Plugin<'_>) -> impl Iterator<Item = Service> + 'a {
    let is_declared = |service| plugin.services.iter().any(|declared| declared.service == service);
    Service::ALL.into_iter().filter(move |service| !is_declared(*service))
}

/// The fields of services that are used through their own methods: name and type.
pub(crate) fn fields<'a>(plugin: &'a Plugin<'_>) -> impl Iterator<Item = (Ident, TokenStream)> + 'a {
    let p = plugin.krate.private();
    let ident = &plugin.data.ident;
    services(plugin).filter(|service| !is_passed_on(*service)).map(move |service| {
        let ty = names::generated(&format!("Undeclared{}", service.variant()));
        (names::generated(service.name()), quote!(#p::#ty::<#ident>))
    })
}

/// Whether a service is handed to functions of SeaORM: `.one(&ctx.db)`. A type that lacks their trait would be three errors
/// there, so the field itself has to be one.
fn is_passed_on(service: Service) -> bool {
    matches!(service, Service::Db | Service::Central)
}

/// Fields that are found and cannot be reached. The compiler tells their struct, so its name says what is the matter.
///
/// ui: plugin/fail/undeclared_db, plugin/fail/undeclared_central, plugin/fail/undeclared_db_passed_to_sea_orm
pub(crate) fn out_of_reach(plugin: &Plugin<'_>) -> Option<TokenStream> {
    let fields: Vec<Ident> =
        services(plugin).filter(|one| is_passed_on(*one)).map(|one| names::generated(one.name())).collect();
    if fields.is_empty() {
        return None;
    }
    let cfgs = &plugin.cfgs;
    let context = plugin.sibling("Context");
    let target = located(&format_ident!("NotAmongTheServicesOf{}", plugin.data.ident));
    Some(quote! {
        #cfgs
        const _: () = {
            mod undeclared {
                #[allow(dead_code, missing_debug_implementations, missing_docs, unreachable_pub)]
                pub struct #target { #(#fields: (),)* }

                impl #target {
                    pub const HERE: &'static Self = &Self { #(#fields: (),)* };
                }
            }

            #[doc(hidden)]
            #[automatically_derived]
            impl ::core::ops::Deref for #context {
                type Target = undeclared::#target;

                fn deref(&self) -> &Self::Target {
                    undeclared::#target::HERE
                }
            }
        };
    })
}
