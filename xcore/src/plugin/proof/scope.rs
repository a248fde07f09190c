//! The contexts of actions that belong to no tenant, or need not, and what they may reach.

use crate::plugin::{AnyContext, AppContext, Plugin};

/// Proof that a type is the context of an action with `scope = "central"`.
///
/// ui: action/fail/scope_central_context_by_another_name
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the context of an action of `{P}` that belongs to no tenant",
    label = "the context of a tenant, of another plugin, or none",
    note = "an action with `scope = \"central\"` takes `ctx: &AppContext<Self>`"
)]
pub trait AppContextOf<P: Plugin>: Sized {
    #[doc(hidden)]
    fn of(context: &AppContext<P>) -> &Self;
}

impl<P: Plugin> AppContextOf<P> for AppContext<P> {
    fn of(context: &Self) -> &Self {
        context
    }
}

/// Proof that a type is the context of an action with `scope = "any"`.
///
/// ui: action/fail/scope_any_context_by_another_name
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the context of an action of `{P}` that need not belong to a tenant",
    label = "the context of a tenant, of another plugin, or none",
    note = "an action with `scope = \"any\"` takes `ctx: &AnyContext<Self>`"
)]
pub trait AnyContextOf<P: Plugin>: Sized {
    #[doc(hidden)]
    fn of(context: &AnyContext<P>) -> &Self;
}

impl<P: Plugin> AnyContextOf<P> for AnyContext<P> {
    fn of(context: &Self) -> &Self {
        context
    }
}

/// Proof that a plugin declares `services(central)`.
///
/// ui: action/fail/central_without_the_service
#[diagnostic::on_unimplemented(
    message = "plugin `{Self}` uses the service `central` and does not declare it",
    label = "`central` is not among the services of `{Self}`",
    note = "write it on the struct, beside the services that stand there: `#[xcore::plugin(services(central))]`"
)]
pub trait DeclaresCentral {}
