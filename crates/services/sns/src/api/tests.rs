//! The operations over the wire.

mod fifo;
mod publish;
mod subscriptions;
mod topics;
