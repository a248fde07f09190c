//! A small shop: three plugins, one binary, as many tenants as you like.
//!
//! Nothing in the plugins names a tenant. Each call gets a context whose database, cache and scheduler already belong to
//! the tenant of the request.

mod billing;
mod catalog;
mod orders;

#[cfg(test)]
mod tests;

xcore::app! { catalog::Catalog, billing::Billing, orders::Orders }

fn main() -> std::process::ExitCode {
    App::run()
}
