//! The world outside of the node that is neither HTTP nor mail: Kafka, in and out.
