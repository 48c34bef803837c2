//! From a project folder to a running stack.

pub mod build;
pub mod diagnostic;
pub mod package;
pub mod serverless;
pub mod stack;
pub mod yaml;
