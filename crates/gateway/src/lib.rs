//! The HTTP data plane: it finds the route of a request, makes the event its function expects, and
//! turns what the function answers into the HTTP response that API Gateway would send.
//!
//! A request's way through this crate: [`Gateway::claims`] (`target.rs`) says which API it is for,
//! [`Gateway::handle`] (`gateway.rs`) finds the stage (`compiled.rs`) and the route (`routing.rs`),
//! reads the body, writes the event (`event/`), invokes the function, and maps its answer
//! (`reply/`). Everything that can be wrong on the way is a [`failure::Failure`], worded per kind of
//! API in one table (`failure.rs`).
//!
//! # Invariants
//! - No request touches a disk or waits for a lock: APIs are immutable snapshots, replaced whole.
//! - Events and replies are pure functions of their inputs; time and ids come in as values.
//! - A body, a header block and a wait are bounded; what exceeds its bound gets AWS's answer for it.
//! - An invocation that was started runs to its end, whatever the client does.

mod api;
mod compiled;
mod cors;
mod drain;
mod event;
mod failure;
mod gateway;
mod identity;
mod mock;
mod reply;
mod route_path;
mod routing;
mod stream;
mod target;

pub use api::{
    Api, ApiId, ApiKind, Integration, InvalidApiId, InvalidRouteKey, InvokeMode, LambdaIntegration,
    PayloadFormat, Route, RouteKey, RouteMethod, Stage, UrlAuth, UrlSettings,
};
pub use cors::Cors;
pub use gateway::{Gateway, GatewayConfig};
pub use mock::{InvalidOriginPattern, MockReply, OriginPattern};
pub use route_path::{InvalidRoutePath, RoutePath, Segment};
pub use target::Target;
