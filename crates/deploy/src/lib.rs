//! From a project folder to a running stack.

pub mod diagnostic;
pub mod serverless;
pub mod stack;
pub mod yaml;
