//! The API, one request after the other, over a service in this process.

mod fifo;
mod messages;
mod moves;
mod queues;
mod sealed;
