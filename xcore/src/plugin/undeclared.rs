//! What stands in a context where the cache or the scheduler would, had the plugin declared it.
//!
//! It holds nothing and does nothing. Without it `ctx.cache` would be an unknown field to the compiler, which could only
//! list the others. With it a method is found, asks whether the plugin declares the service, and is refused in words that
//! say what to write. So the methods here are names only: none can be called, because nothing implements [`DeclaresCache`]
//! or [`DeclaresScheduler`].
//!
//! The database has nothing of the kind: SeaORM's methods take it as an argument, and an `async fn` repeats a bound that
//! is not met, so each use would be three errors. What is done about it stands in `expand/undeclared.rs` of the macros.
//!
//! ui: plugin/fail/undeclared_cache, plugin/fail/undeclared_scheduler

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

/// What stands for the cache of the plugin `P` is one: it never is.
#[diagnostic::on_unimplemented(
    message = "plugin `{P}` uses the service `cache` and does not declare it",
    label = "`cache` is not among the services of `{P}`",
    note = "write it on the struct, beside the services that stand there: `#[xcore::plugin(services(cache))]`"
)]
pub trait DeclaresCache<P> {
    #[doc(hidden)]
    const NEVER: Infallible;
}

/// What stands for the scheduler of the plugin `P` is one: it never is.
#[diagnostic::on_unimplemented(
    message = "plugin `{P}` uses the service `scheduler` and does not declare it",
    label = "`scheduler` is not among the services of `{P}`",
    note = "write it on the struct, beside the services that stand there: `#[xcore::plugin(services(scheduler))]`"
)]
pub trait DeclaresScheduler<P> {
    #[doc(hidden)]
    const NEVER: Infallible;
}

/// The same, of what is handed to the scheduler by a method of the context itself.
#[diagnostic::on_unimplemented(
    message = "plugin `{P}` uses the service `scheduler` and does not declare it",
    label = "`scheduler` is not among the services of `{P}`",
    note = "write it on the struct, beside the services that stand there: `#[xcore::plugin(services(scheduler))]`"
)]
pub trait DeclaresSchedulerFor<P, J> {
    #[doc(hidden)]
    const NEVER: Infallible;
}

/// A type without size, and methods that are found and refused.
macro_rules! undeclared {
    ($(#[$doc:meta])* $name:ident, $declares:ident: $($method:ident)*) => {
        $(#[$doc])*
        pub struct $name<P>(PhantomData<fn() -> P>);

        impl<P> $name<P> {
            #[doc(hidden)]
            pub const HERE: Self = Self(PhantomData);
        }

        // The bound is on `Self`, because the compiler shows the words of no other; and on the block, so that it is asked
        // before the arguments are looked at.
        #[expect(clippy::should_implement_trait, reason = "of `Clone` the compiler would not show the words")]
        impl<P> $name<P>
        where
            Self: $declares<P>,
        {
            $(
                #[doc(hidden)]
                pub fn $method(&self) -> Infallible {
                    Self::NEVER
                }
            )*
        }

        impl<P> fmt::Debug for $name<P> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

undeclared! {
    /// `ctx.cache` of a plugin that does not declare `cache`.
    UndeclaredCache, DeclaresCache: clone get set set_with_ttl delete exists ttl expire incr decr keys clear
}

undeclared! {
    /// `ctx.scheduler` of a plugin that does not declare `scheduler`.
    UndeclaredScheduler, DeclaresScheduler: clone cron every at after add remove pause resume run_now get list next_run enqueue dead_letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_declared_has_no_size() {
        struct Orders;
        assert_eq!(size_of::<UndeclaredCache<Orders>>(), 0);
        assert_eq!(size_of::<UndeclaredScheduler<Orders>>(), 0);
    }
}
