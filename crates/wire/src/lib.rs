//! The wire protocols of AWS: which service a request is for, who sends it, and how each protocol
//! words an answer and an error. Bytes in, types out; nothing here opens a socket.
//!
//! - [`service_of`] decides the service: one table, in `service.rs`.
//! - [`caller`] reads the Signature Version 4 of a request without judging it; [`sigv4`] judges it.
//! - [`rest_json_error`], [`aws_json_error`], [`query_error`] and [`rest_xml_error`] each turn the
//!   one [`WireError`] into the bytes of one protocol; [`error_response`] picks the protocol.
//! - [`page_of`] and [`read_page_token`] are how lists of every service come in pages.
//! - [`Support`] is what a service says of each of its operations.
//! - [`Body`] is the response body of the whole node; [`read_body`] reads a request body within a
//!   limit.
//!
//! # Invariants
//! - No answer carries a text that the caller of this crate did not pass in: nothing internal leaks.
//! - Every body read here is bounded, and the bound is checked before bytes are kept.

mod body;
mod caller;
mod error;
#[cfg(test)]
mod fuzz;
mod json;
mod page;
mod query;
mod rest_xml;
mod service;
pub mod sigv4;
mod support;
mod xml;

pub use body::{Body, BodySender, ReadBodyError, ReceiverGone, read_body};
pub use caller::{Caller, CallerDefaults, SignatureError, caller};
pub use error::{Fault, WireError, error_response};
pub use json::{aws_json_error, aws_json_response, rest_json_error};
pub use page::{InvalidPageToken, page_of, page_token, read_page_token};
pub use query::{
    MalformedQuery, Params, parse_query, query_error, query_response, query_response_without_result,
};
pub use rest_xml::rest_xml_error;
pub use service::{Protocol, Service, query_value, service_of};
pub use support::{OperationSupport, Support};
pub use xml::{escape_xml, xml_element};
