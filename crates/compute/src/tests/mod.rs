//! The engine with real processes: what functions do, good and bad, and what their callers see.

mod cold;
mod custom_runtimes;
mod extensions;
mod faults;
mod function_compute;
mod hostile;
mod idle;
mod jail;
mod java;
mod layers;
mod lifecycle;
mod network;
mod node;
mod prepared;
mod scaling;
mod semantics;
mod stems;
mod streaming;
mod warm;
