//! `serverless.yml`: read, resolved, checked, and compiled to a CloudFormation template.
//!
//! [`load`] finds everything that is wrong before anything is built; [`Project::compile`] turns the
//! loaded project into a [`Template`] once the packages' digests are known. Nothing is dropped in
//! silence: what is not supported yet is refused by name and place, what is unknown is warned of.

mod compile;
mod dotenv;
mod javascript;
mod load;
mod merge;
mod model;
mod names;
mod project;
mod pseudo;
mod read;
mod source;
mod variables;
mod vocabulary;
pub use load::load;
pub use project::{LoadOptions, PackageRequest, Project, ProjectFunction, Template};
pub use read::{KnownKeys, Meaning};
pub use vocabulary::{Vocabulary, vocabulary};
