//! `plugins`: none is run; what they are known for is done elsewhere or not needed.

use super::section::{Problems, Section};
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::{Content, Node};

/// Plugins whose work is done when packages are built.
pub(in crate::serverless) const BUILT: [&str; 14] = [
    "serverless-bundle",
    "serverless-esbuild",
    "serverless-go-plugin",
    "serverless-optimizer-plugin",
    "serverless-plugin-common-excludes",
    "serverless-plugin-include-dependencies",
    "serverless-plugin-optimize",
    "serverless-plugin-typescript",
    "serverless-plugin-scripts",
    "serverless-python-requirements",
    "serverless-ruby-layer",
    "serverless-ruby-package",
    "serverless-webpack",
    "serverless-wsgi",
];

/// Plugins whose settings are read here, or that matter only to the real cloud or to other local servers.
pub(in crate::serverless) const NOT_NEEDED: [&str; 27] = [
    "serverless-api-gateway-throttling",
    "serverless-apigw-binary",
    "serverless-associate-waf",
    "serverless-aws-alias",
    "serverless-deployment-bucket",
    "serverless-disable-functions",
    "serverless-domain-manager",
    "serverless-dotenv-plugin",
    "serverless-dynamodb-local",
    "serverless-export-env",
    "serverless-localstack",
    "serverless-offline",
    "serverless-offline-python",
    "serverless-offline-sns",
    "serverless-offline-sqs",
    "serverless-offline-ssm",
    "serverless-offline-scheduler",
    "serverless-openapi-documentation",
    "serverless-plugin-aws-alerts",
    "serverless-plugin-canary-deployments",
    "serverless-plugin-lambda-insights",
    "serverless-plugin-log-retention",
    "serverless-plugin-tracing",
    "serverless-plugin-warmup",
    "serverless-prune-plugin",
    "serverless-pseudo-parameters",
    "serverless-iam-roles-per-function",
];

/// The plugins in order; those nobody knows get a warning.
pub(super) fn read(section: &mut Section<'_>, problems: &mut Problems) -> Vec<(String, Span)> {
    let Some(node) = section.get("plugins") else {
        return Vec::new();
    };
    let list = match &node.content {
        Content::Map(map) => map.get("modules").unwrap_or(node),
        _ => node,
    };
    let mut plugins = Vec::new();
    match (&list.content, list.scalar_text()) {
        (Content::List(items), _) => {
            for item in items.iter().filter(|item| !item.is_null()) {
                plugin(item, &mut plugins, problems);
            }
        }
        (_, Some(_)) => plugin(list, &mut plugins, problems),
        (Content::Map(_), _) => {}
        _ => section.wrong("plugins", node, "a list", problems),
    }
    plugins
}

fn plugin(node: &Node, plugins: &mut Vec<(String, Span)>, problems: &mut Problems) {
    let Some(name) = node.scalar_text() else {
        problems.error(&node.span, format!("a plugin is a name, not {}", node.kind()));
        return;
    };
    if !BUILT.contains(&name.as_str()) && !NOT_NEEDED.contains(&name.as_str()) {
        problems.add(
            Diagnostic::warning(format!("plugin `{name}` is not run"))
                .at(&node.span)
                .hint("what it would add to the deployment or the packages is missing"),
        );
    }
    plugins.push((name, node.span.clone()));
}
