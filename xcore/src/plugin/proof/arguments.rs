//! The arguments of an action, its context and the instance of its plugin: proved once, used as if proved.
//!
//! An `async` block that awaits a generic future repeats an unmet bound at every step, so one wrong argument would be
//! three errors. The glue therefore extracts through [`Head`] and [`Last`], which exist for every type, and states the
//! bound on its own with [`argument`] and [`last_argument`].

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::Response;

use crate::plugin::{AppState, HeadArgument, LastArgument, Plugin, extract_last, extract_part};

/// States that a type can be an argument before the last.
pub const fn argument<T: HeadArgument>() {}

/// States that a type can be the last argument.
pub const fn last_argument<T: LastArgument<M>, M>() {}

/// Extracts an argument from the head of a request.
pub struct Head<T>(PhantomData<T>);

impl<T: HeadArgument> Head<T> {
    /// Extracts it.
    ///
    /// # Errors
    /// The response of the extractor's rejection.
    pub async fn extract(parts: &mut Parts, state: &AppState) -> Result<T, Response> {
        extract_part::<T>(parts, state).await
    }
}

/// Stands in for a [`Head`] of a type that is no extractor. The error is already there; this only keeps it alone.
pub trait NoHead<T> {
    /// Never called.
    fn extract(parts: &mut Parts, state: &AppState) -> Ready<Result<T, Response>>;
}

impl<T> NoHead<T> for Head<T> {
    fn extract(_: &mut Parts, _: &AppState) -> Ready<Result<T, Response>> {
        ready(Err(Response::default()))
    }
}

/// Extracts the last argument.
pub struct Last<T, M = Infallible>(PhantomData<(T, M)>);

impl<T: LastArgument<M>, M> Last<T, M> {
    /// Extracts it.
    ///
    /// # Errors
    /// The response of the extractor's rejection.
    pub async fn extract(request: Request, state: &AppState) -> Result<T, Response> {
        extract_last::<T, M>(request, state).await
    }
}

/// As [`NoHead`].
pub trait NoLast<T> {
    /// Never called.
    fn extract(request: Request, state: &AppState) -> Ready<Result<T, Response>>;
}

impl<T, M> NoLast<T> for Last<T, M> {
    fn extract(_: Request, _: &AppState) -> Ready<Result<T, Response>> {
        ready(Err(Response::default()))
    }
}

/// Proof that a type is the context of a plugin.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the context of plugin `{P}`",
    label = "the context of another plugin, or none",
    note = "a method of `{P}` takes `ctx: &{P}Context`"
)]
pub trait ContextOf<P: Plugin>: Sized {
    #[doc(hidden)]
    fn of(context: &P::Context) -> &Self;
}

/// The context as the method of a plugin takes it.
pub fn context<P: Plugin, C: ContextOf<P>>(context: &P::Context) -> &C {
    C::of(context)
}

/// Proof that the framework can make the one instance of a plugin.
#[diagnostic::on_unimplemented(
    message = "plugin `{Self}` has fields, and nothing says how to fill them",
    label = "does not implement `Default`",
    note = "write `#[derive(Default)]` on `{Self}`, or `impl Default for {Self}`"
)]
pub trait Create: Sized {
    #[doc(hidden)]
    fn create() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> Create for T {
    fn create() -> Self {
        T::default()
    }
}

/// Makes the one instance of a plugin that has fields.
#[must_use]
pub fn create<P: Create>() -> P {
    P::create()
}
