//! From a checked configuration to a CloudFormation template: which resources, under which logical ids,
//! in which order, with which outputs. What users write below `resources` is merged in last.

mod api_method;
mod bucket;
mod builder;
mod cloudwatch_log;
mod cors;
mod event_invoke;
mod function;
mod http_api;
mod intrinsics;
mod kafka;
mod layers;
mod resources;
mod rest_api;
mod role;
mod rule;
mod rule_input;
mod s3;
mod schedule;
mod sns;
mod sqs;
mod url;

use std::collections::BTreeMap;

use tradewind_model::Timestamp;

use self::builder::Builder;
use super::project::{Project, Template};
use crate::diagnostic::Diagnostics;

/// `serverless/<service>/<stage>/<ms>-<ISO time>`: where artifacts of one deployment lie.
pub(super) fn artifact_folder(prefix: &str, service: &str, stage: &str, now: Timestamp) -> String {
    format!(
        "{prefix}/{service}/{stage}/{}-{}",
        now.as_millis(),
        now.to_rfc3339()
    )
}

/// The template of `project`; `digests` are the packages' base64 SHA-256 by artifact key.
pub(super) fn compile(
    project: &Project,
    digests: &BTreeMap<String, String>,
) -> Result<Template, Diagnostics> {
    let mut builder = Builder::new(project);
    bucket::compile(&mut builder);
    layers::compile(&mut builder, digests);
    if !project.definition.functions.is_empty() {
        function::log_groups(&mut builder);
        role::compile(&mut builder);
        function::functions(&mut builder);
        function::versions(&mut builder, digests);
        schedule::compile(&mut builder);
        s3::compile(&mut builder);
        rest_api::compile(&mut builder);
        sns::compile(&mut builder);
        kafka::compile(&mut builder);
        rule::cloudwatch_events(&mut builder);
        cloudwatch_log::compile(&mut builder);
        rule::event_bridge(&mut builder);
        sqs::compile(&mut builder);
        http_api::compile(&mut builder);
    }
    resources::merge(&mut builder);
    builder.finish()
}
