//! The arguments of an action, its context and the instance of its plugin: proved once, used as if proved.
//!
//! An `async` block that awaits a generic future repeats an unmet bound at every step, so one wrong argument would be
//! three errors. The glue therefore extracts through [`Head`] and [`Last`], which exist for every type, and states the
//! bound on its own, by naming the type as an [`Argument`] or [`LastArgument`].

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::plugin::{self, AppState, HeadArgument, Plugin, extract_last, extract_part};

/// Proof that a type can be an argument before the last.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of an action here",
    label = "not an axum extractor of the request's head",
    note = "arguments before the last one implement `FromRequestParts`, such as `Path<T>`, `Query<T>` or `HeaderMap`, with a `T` that implements `serde::Deserialize`; an extractor that reads the body, such as `Json<T>`, goes last"
)]
pub trait Argument {
    #[doc(hidden)]
    const PROOF: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: HeadArgument> Argument for T {}

/// Proof that a type can be the last argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of an action",
    label = "not an axum extractor",
    note = "arguments after `ctx` are axum extractors, such as `Path<T>`, `Query<T>` or `Json<T>` with a `T` that implements `serde::Deserialize`; a type of your own implements `FromRequestParts` or `FromRequest`"
)]
pub trait LastArgument<M> {
    #[doc(hidden)]
    const PROOF: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: plugin::LastArgument<M>, M> LastArgument<M> for T {}

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

impl<T: plugin::LastArgument<M>, M> Last<T, M> {
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

/// Proof that a type can be the result of an action.
#[diagnostic::on_unimplemented(
    message = "an action cannot return `{Self}`",
    label = "not a response",
    note = "return something that implements axum's `IntoResponse`: `Json<T>` with a `T` that implements `serde::Serialize`, `String`, `StatusCode`, or a `Result` of it and `xcore::Error`"
)]
pub trait Reply {
    #[doc(hidden)]
    fn reply(self) -> Response;
}

#[diagnostic::do_not_recommend]
impl<T: IntoResponse> Reply for T {
    fn reply(self) -> Response {
        self.into_response()
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

/// Proof that a type is a plugin: for `requires(..)` and `callers = [..]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    label = "its struct is not under `#[xcore::plugin]`",
    note = "write `#[xcore::plugin]` on the struct of `{Self}`"
)]
pub trait IsPlugin {
    #[doc(hidden)]
    const PROOF: () = ();
}

#[diagnostic::do_not_recommend]
impl<P: Plugin> IsPlugin for P {}

/// Proof that the plugin may call `P`: it names `P` in `requires(..)`.
#[diagnostic::on_unimplemented(
    message = "plugin `{Self}` does not require `{P}`, so it cannot call it",
    label = "not in the `requires(..)` of `{Self}`",
    note = "write `#[xcore::plugin(requires({P}), ..)]` on `{Self}`"
)]
pub trait Requires<P> {}

/// Proof that the plugin may call an action that has `callers = [..]`.
#[diagnostic::on_unimplemented(
    message = "plugin `{Self}` may not call action `{Action}`",
    label = "`{Self}` is not among its `callers`",
    note = "add `{Self}` to the `callers = [..]` of the action"
)]
pub trait MayCall<Action> {}

/// The name and version of a plugin: those of [`Plugin`], or of [`NotNamed`] for a type that is none.
pub struct Named<P>(PhantomData<P>);

impl<P: Plugin> Named<P> {
    /// Its name.
    pub const NAME: &'static str = P::NAME;
    /// Its version.
    pub const VERSION: &'static str = P::VERSION;
}

/// Stands in for a type that is no plugin. The error is already there; this only keeps it alone.
pub trait NotNamed {
    /// Nothing.
    const NAME: &'static str = "";
    /// Nothing.
    const VERSION: &'static str = "0.0.0";
}

impl<P> NotNamed for Named<P> {}

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
