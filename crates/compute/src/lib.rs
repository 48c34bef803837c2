//! The function engine: packages, sandboxes, instances, pools, and the runtime channels.
//!
//! [`Engine`] runs function versions. Each has a pool of instances on this node: processes
//! in a sandbox that run one invocation at a time. One driver task owns an instance from
//! its start to its end: process, runtime channel and output.
//!
//! ```text
//! Engine::invoke ── gate (concurrency) ── Pool: idle? ──▶ driver task ── channel ──▶ process
//!                                           └─ queue ◀── freed or started, whichever is first
//! ```
//!
//! # Invariants
//! - The warm path touches no disk: it pops an idle instance, writes one frame, reads one.
//! - An invocation runs to its end even when its caller goes away.
//! - What a function does wrong ends its own instance at worst, and its caller gets Lambda's error.
//! - Every queue is bounded: invocations by the account's concurrency, output by back-pressure on
//!   the function, instances by memory, starts by cores.
//! - No process outlives the engine, nor its node's death (Linux).
//!
//! # Where to look
//! `engine` (the door), `pool` (who runs what, and when to start another), `instance` (one life),
//! `channel` (frames and the Runtime API), `sandbox` (processes; the only unsafe code), `package`
//! (code on disk), `environment` (what functions see).

mod alias;
mod bootstraps;
mod channel;
mod config;
mod cores;
mod dialect;
mod engine;
mod environment;
mod error;
mod failure;
mod guards;
mod host;
mod instance;
mod interpreters;
mod java;
pub mod package;
mod pool;
mod prepared;
mod registry;
mod sandbox;
mod spec;
mod stems;
mod stream;
mod supervisor;
#[cfg(test)]
mod tests;

pub use alias::AliasRoute;
pub use config::{EngineConfig, KeepAlive};
pub use engine::Engine;
pub use error::{InitFailure, InvokeError, StartEngineError, ThrottleReason};
pub use guards::{Guard, guards};
pub use interpreters::{FoundInterpreter, Interpreter, Interpreters, MissingInterpreter};
pub use package::{PackageError, PackageFile, PackageId, PackageStore};
pub use sandbox::{SandboxChoice, SpawnerProgram, run_spawner};
pub use spec::{
    CustomRuntime, Dialect, Egress, FunctionComputeSettings, FunctionErrorKind, FunctionSpec, FunctionStatus,
    Hook, InvokeRequest, InvokeResponse, LogFormat, LogLevel, LoggingConfig, ProvisionedState,
    ProvisionedStatus,
};
pub use stream::{StreamBody, StreamError, StreamEvent, StreamedResponse};
