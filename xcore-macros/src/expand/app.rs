//! `App`, and the constants that prove it.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;

use super::tokens::{between, ends};
use crate::app::App;
use crate::names;
use crate::plugin::Surroundings;

/// The proofs about each plugin; each is a function of the runtime crate.
const PROOFS: [&str; 5] =
    ["is_listed", "services_are_provided", "requirements_hold", "config_fits", "routes_are_distinct"];

/// The proofs about the app as a whole. Their errors stand at `app!`.
const WHOLE: [&str; 4] = ["all_mounted", "database_is_built", "cache_is_built", "tokens_are_built"];

/// The app and its proofs.
pub(crate) fn expand(app: &App, around: &Surroundings) -> TokenStream {
    let App { krate, plugins } = app;
    let p = krate.private();
    let (schema, schema_type) = schema(&p, around);
    let proofs = plugins.iter().enumerate().map(|(at, path)| proofs(path, at, &p));
    let whole = WHOLE.iter().map(|proof| {
        let proof = names::generated(proof);
        let call = quote_spanned!(Span::call_site()=> #p::proof::#proof(&APP));
        quote!(const _: () = #call;)
    });
    quote! {
        #[doc = "This app: the plugins that `app!` names, configured by `xcore.yaml`."]
        #[allow(unreachable_pub)]
        #[non_exhaustive]
        pub struct App;

        #[allow(dead_code, unreachable_pub)]
        impl App {
            #[doc = "Runs the command line of the app; `serve` when no command is given."]
            #[must_use]
            pub fn run() -> ::std::process::ExitCode {
                Self::builder().run()
            }

            #[doc = "The app, to be changed before it runs: in a test, or with routes of your own."]
            #[must_use]
            pub fn builder() -> #krate::AppBuilder {
                #krate::AppBuilder::new::<Self>()
            }
        }

        #[automatically_derived]
        impl ::core::fmt::Debug for App {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str("App")
            }
        }

        #[allow(unused_qualifications)]
        const _: () = {
            #[allow(unused_imports)]
            use #p::proof::{NoClaim as _, NotOffered as _};

            #schema

            const CLAIMS: &[#p::proof::Claims] = &[#(<#p::proof::Claim<#plugins>>::CLAIMS),*];
            #(const _: () = <#plugins as #p::proof::Mountable>::PROOF;)*

            const APP: #p::proof::App = #p::proof::App::new::<#schema_type>(
                [
                    <#p::proof::Offer<#schema_type, #p::services::Db>>::MADE,
                    <#p::proof::Offer<#schema_type, #p::services::Cache>>::MADE,
                    <#p::proof::Offer<#schema_type, #p::services::Scheduler>>::MADE,
                ],
                CLAIMS,
            );

            #(#proofs)*
            #(#whole)*

            #[automatically_derived]
            impl #p::AppDef for App {
                type Schema = #schema_type;

                fn plugins() -> ::std::vec::Vec<::std::boxed::Box<dyn #p::AnyPlugin>> {
                    #p::proof::plugins(CLAIMS)
                }
            }
        };
    }
}

/// One constant per proof, so that a plugin with two mistakes shows both. The error stands at the plugin's path.
fn proofs(plugin: &Path, at: usize, p: &TokenStream) -> TokenStream {
    PROOFS
        .iter()
        .map(|proof| {
            let proof = names::generated(proof);
            let call = between(ends(plugin), quote!(#p::proof::#proof(&APP, #at)));
            quote!(const _: () = #call;)
        })
        .collect()
}

/// What `build.rs` wrote, or a schema that knows nothing and refuses nothing.
fn schema(p: &TokenStream, around: &Surroundings) -> (TokenStream, TokenStream) {
    let Some((json, rust)) = &around.schema_files else {
        return (TokenStream::new(), quote!(#p::schema::NoSchema));
    };
    let module = quote! {
        #[allow(missing_debug_implementations)]
        mod schema {
            #[allow(unused_imports)]
            use ::core::option::Option::{None, Some};
            #[allow(unused_imports)]
            use #p as __xcore;

            ::core::include!(#rust);
        }

        // The compiler looks again when the schema changes.
        const _: &[u8] = ::core::include_bytes!(#json);
        const _: ::core::option::Option<&str> = ::core::option_env!("XCORE_SCHEMA");
    };
    (module, quote!(schema::Schema))
}
