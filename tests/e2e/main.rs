//! End-to-end tests: unmodified clients against the real binary. `cargo xtask test` builds the
//! binary, installs the clients and runs these; plain `cargo test` skips them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod asynchronous;
mod aws_clients;
mod clock;
mod cost;
mod customer_view;
mod customer_view_desk;
mod customer_view_forgetting;
mod customer_view_requests;
mod event_bus;
mod events;
mod every_event;
mod faults;
mod forgetting;
mod guides;
mod handlers;
mod http;
mod kafka;
mod kafka_mappings;
mod kafka_targets;
mod logs;
mod mail;
mod mappings;
mod objects;
mod pipes;
mod postgres;
mod queues;
mod refusals;
mod released;
mod schedules;
mod secrets;
mod topics;
mod up;
