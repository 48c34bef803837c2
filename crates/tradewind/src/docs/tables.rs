//! What of AWS and of serverless.yml is here: the pages below `docs/compatibility`.

use serde_json::json;
use tradewind_deploy::serverless::{KnownKeys, Meaning, vocabulary};
use tradewind_model::resource::{KnownProperties, Properties, ResourceType};
use tradewind_model::{AccountId, Region};
use tradewind_wire::{OperationSupport, Service, Support};

use super::{check, names, table};
use crate::node::{Node, NodeConfig, Present, present};

#[test]
fn lambda() {
    let page = "\
# Lambda's API

Every operation of the Lambda API and whether a node serves it. An operation that is not served is
answered with status 501, code `NotImplemented` and its name. [Functions](../functions.md) says how
functions run.

";
    check(
        "compatibility/lambda.md",
        &format!("{page}{}", operations(tradewind_lambda::operations())),
    );
}

#[test]
fn s3() {
    let page = "\
# S3's API

Every operation of the S3 API and whether a node serves it. An operation that is not served is answered
with status 501, code `NotImplemented` and its name. [Objects](../objects.md) says how objects are kept.

";
    check(
        "compatibility/s3.md",
        &format!("{page}{}", operations(tradewind_s3::operations())),
    );
}

/// The operations of a service, a line each.
fn operations(all: impl IntoIterator<Item = OperationSupport>) -> String {
    let rows = all.into_iter().map(|(name, support)| {
        let (mark, note) = match support {
            Support::Served(note) => ("yes", note),
            Support::Missing => ("no", "answers `501 NotImplemented` with the operation's name"),
        };
        vec![format!("`{name}`"), mark.to_owned(), note.to_owned()]
    });
    table(&["operation", "served", "notes"], rows)
}

#[test]
fn sqs() {
    let page = "\
# SQS's API

Every operation of the SQS API and whether a node serves it, in both protocols: JSON and the older query
protocol. An operation that is not served is answered with status 501, code `NotImplemented` and its
name. [Queues](../queues.md) says how queues behave here.

";
    check(
        "compatibility/sqs.md",
        &format!("{page}{}", operations(tradewind_sqs::operations())),
    );
}

#[test]
fn pipes() {
    let page = "\
# EventBridge Pipes' API

Every operation of the EventBridge Pipes API and whether a node serves it. [Pipes](../events.md#pipes) says how
they behave here.

";
    check(
        "compatibility/pipes.md",
        &format!("{page}{}", operations(tradewind_pipes::operations())),
    );
}

#[test]
fn scheduler() {
    let page = "\
# EventBridge Scheduler's API

Every operation of the EventBridge Scheduler API and whether a node serves it. An operation that is not
served is answered with status 501, code `NotImplemented` and its name. [Schedules](../events.md#schedules) says
when schedules are due here.

";
    check(
        "compatibility/scheduler.md",
        &format!("{page}{}", operations(tradewind_scheduler::operations())),
    );
}

#[test]
fn secretsmanager() {
    let page = "\
# Secrets Manager's API

Every operation of the Secrets Manager API and whether a node serves it. An operation that is not served is
answered with status 501, code `NotImplemented` and its name. [Secrets](../secrets.md) says how secrets are kept.

";
    check(
        "compatibility/secretsmanager.md",
        &format!("{page}{}", operations(tradewind_secretsmanager::operations())),
    );
}

#[test]
fn ses() {
    let page = "\
# SES's API

Every operation of the SES API v2, then of the older query API, and whether a node serves it. An operation that is
not served is answered with status 501, code `NotImplemented` and its name. [Mail](../mail.md) says how mail is sent.

## API v2

";
    let (rest, query) = (
        operations(tradewind_ses::operations()),
        operations(tradewind_ses::query_operations()),
    );
    check(
        "compatibility/ses.md",
        &format!("{page}{rest}\n## Query API\n\n{query}"),
    );
}

#[test]
fn sns() {
    let page = "\
# SNS's API

Every operation of the SNS API and whether a node serves it. An operation that is not served is answered with
status 501, code `NotImplemented` and its name. [Events](../events.md) says how topics behave here.

";
    check(
        "compatibility/sns.md",
        &format!("{page}{}", operations(tradewind_sns::operations())),
    );
}

#[test]
fn eventbridge() {
    let page = "\
# EventBridge's API

Every operation of the EventBridge API and whether a node serves it. An operation that is not served is
answered with status 501, code `NotImplemented` and its name. [Events](../events.md) says how the event bus
behaves here.

";
    check(
        "compatibility/eventbridge.md",
        &format!("{page}{}", operations(tradewind_eventbridge::operations())),
    );
}

#[test]
fn logs() {
    let page = "\
# CloudWatch Logs' API

Every operation of the CloudWatch Logs API and whether a node serves it. An operation that is not served is
answered with status 501, code `NotImplemented` and its name. [Logs](../logs.md) says how logs are kept.

";
    check(
        "compatibility/logs.md",
        &format!("{page}{}", operations(tradewind_logs::operations())),
    );
}

#[test]
fn services() {
    let page = "\
# Services

Which of AWS's services a node answers for, on its one port. The service of a request is that of its
signature, of `X-Amz-Target`, of the query version, of the host or of the path, in this order; a request without
any of them is S3's. A service that is not here answers status 501, code `NotImplemented` and its name,
in the protocol it speaks. Requests to deployed APIs are recognised before, by host or path.

";
    let rows = Service::all().map(|service| vec![format!("`{}`", service.name()), answer(service)]);
    check(
        "compatibility/services.md",
        &format!("{page}{}", table(&["service", "answers"], rows)),
    );
}

fn answer(service: &Service) -> String {
    match present(service) {
        Some(Present::Lambda) => "yes: [operations](lambda.md)".to_owned(),
        Some(Present::Sns) => "yes: [operations](sns.md)".to_owned(),
        Some(Present::Logs) => "yes: [operations](logs.md)".to_owned(),
        Some(Present::Sqs) => "yes: [operations](sqs.md)".to_owned(),
        Some(Present::Pipes) => "yes: [operations](pipes.md)".to_owned(),
        Some(Present::Scheduler) => "yes: [operations](scheduler.md)".to_owned(),
        Some(Present::Ses | Present::SesV2) => "yes: [operations](ses.md)".to_owned(),
        Some(Present::SecretsManager) => "yes: [operations](secretsmanager.md)".to_owned(),
        Some(Present::EventBridge) => "yes: [operations](eventbridge.md)".to_owned(),
        Some(Present::S3) => "yes: [operations](s3.md)".to_owned(),
        Some(Present::Sts) => {
            let operations = |served| {
                let all = tradewind_iam::sts_operations();
                names(all.filter(|(_, is)| *is == served).map(|(name, _)| name))
            };
            format!("yes: {}; not served: {}", operations(true), operations(false))
        }
        Some(Present::Iam) => "no: each operation is refused by its own name".to_owned(),
        None => "no".to_owned(),
    }
}

#[tokio::test]
async fn cloudformation() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(NodeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: data.path().to_owned(),
        account: AccountId::default_account(),
        region: Region::default_region(),
        stems: false,
        prepare: false,
        path: std::ffi::OsString::new(),
        sandbox: tradewind_compute::SandboxChoice::Process,
        database: None,
        content: crate::node::ContentConfig::default(),
        mail: None,
        kafka: tradewind_connect::Clusters::default(),
    })
    .await
    .unwrap();
    let types: Vec<&dyn ResourceType> = node.stacks().resource_types().collect();
    for resource_type in &types {
        the_page_says_what_the_check_does(*resource_type);
    }
    let list = table(
        &["type"],
        types
            .iter()
            .map(|t| vec![format!("[`{}`](#{})", t.type_name(), anchor(t.type_name()))]),
    );
    let sections: Vec<String> = types.iter().map(|t| section(*t)).collect();
    check(
        "compatibility/cloudformation.md",
        &format!("{CLOUDFORMATION}{list}\n{}", sections.join("\n")),
    );
    node.stop(std::time::Duration::from_secs(5)).await;
}

const CLOUDFORMATION: &str = "\
# CloudFormation resource types

The resource types that a stack may have. Any other type is refused by its name, and an unknown
property likewise, before anything is changed. A refused property is refused when it asks for something:
empty values, and those that mean what a node does anyway, pass. An accepted property may still refuse
a value; the message then says which and why.

";

fn section(resource_type: &dyn ResourceType) -> String {
    let KnownProperties {
        accepted, refused, ..
    } = resource_type.known_properties();
    let is_refused = |name: &str| refused.iter().any(|(path, _)| path == name);
    let mut accepted: Vec<&str> = accepted
        .iter()
        .copied()
        .filter(|name| !is_refused(name))
        .collect();
    accepted.sort_unstable();
    let mut text = format!(
        "## {}\n\nAccepted: {}.\n",
        resource_type.type_name(),
        names(accepted)
    );
    if !refused.is_empty() {
        let mut rows: Vec<Vec<String>> = refused
            .iter()
            .map(|(path, why)| vec![format!("`{path}`"), (*why).to_owned()])
            .collect();
        rows.sort();
        rows.dedup();
        text += &format!("\n{}", table(&["refused", "because"], rows));
    }
    text
}

fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(':', "")
}

/// Each property alone: `check` must judge it as the page says.
fn the_page_says_what_the_check_does(resource_type: &dyn ResourceType) {
    let KnownProperties {
        accepted, refused, ..
    } = resource_type.known_properties();
    let problem = |name: &str| {
        let given: Properties = [(name.to_owned(), json!({"Fn::GetAtt": ["Some", "Thing"]}))]
            .into_iter()
            .collect();
        let problems = resource_type.check(&given);
        problems
            .into_iter()
            .find(|problem| problem.path == [name])
            .map(|problem| problem.message)
    };
    let is_refused = |name: &str| refused.iter().any(|(path, _)| path == name);
    for name in accepted.iter().filter(|name| !is_refused(name)) {
        assert_eq!(problem(name), None, "{} {name}", resource_type.type_name());
    }
    let top_level = refused
        .iter()
        .filter(|(path, _)| !path.contains('.') && !accepted.contains(&path.as_str()));
    for (name, reason) in top_level {
        let message = problem(name).unwrap_or_default();
        assert!(
            message.contains(reason),
            "{} {name}: {message}",
            resource_type.type_name()
        );
    }
}

const SERVERLESS: &str = "\
# Keys of serverless.yml

What becomes of each key. *Honoured* keys do what the Serverless Framework documents, though not every
value of each may be there yet; what is not is refused with its place. Some become a property that its
[resource type](cloudformation.md) refuses, `kmsKeyArn` for example. Keys *without effect* are let
pass because nothing here depends on them. *Refused* keys are errors when they ask for something (`false`, null,
empty lists and empty mappings do not). Any other key is a warning, or an error with
`configValidationMode: error`. [serverless.yml](../serverless-yml.md) says how the file is read.

";

#[test]
fn serverless_yml() {
    let words = vocabulary();
    let mappings: Vec<String> = words.mappings.iter().map(mapping).collect();
    let refused_sources = words.refused_sources.iter();
    let rows = refused_sources.map(|(source, what)| vec![format!("`{source}`"), (*what).to_owned()]);
    let page = format!(
        "{SERVERLESS}{}\n## Events\n\nServed: {}. Refused by name: {}.\n\n\
         ## Variables\n\nSources: {}, and literal fallbacks. Refused, unless a fallback follows:\n\n{}\n\
         ## Plugins\n\nNo plugin is run. These need no warning, because the builds do their work or say what is missing: {}.\n\n\
         Nor do these: their settings are read here, or a node has no use for them: {}.\n\nAny other is named in a warning.\n",
        mappings.join("\n"),
        names(words.served_events.iter().map(|(name, _)| *name)),
        names(words.refused_events.iter().copied()),
        names(words.sources.iter().copied()),
        table(&["source", "would read"], rows),
        names(words.built_plugins.iter().copied()),
        names(words.needless_plugins.iter().copied()),
    );
    check("compatibility/serverless-yml.md", &page);
}

fn mapping(known: &KnownKeys) -> String {
    let with = |meaning: Meaning| {
        let keys = known.keys.iter().filter(move |(_, found)| *found == meaning);
        names(keys.map(|(key, _)| *key))
    };
    let title = match known.path.as_str() {
        "" => "Top level".to_owned(),
        path => format!("`{path}`"),
    };
    let mut text = format!("## {title}\n\nHonoured: {}.\n", with(Meaning::Honoured));
    let without_effect = with(Meaning::NoEffect);
    if !without_effect.is_empty() {
        text += &format!("\nWithout effect: {without_effect}.\n");
    }
    let refused = known.keys.iter().filter_map(|(key, meaning)| match meaning {
        Meaning::Refused(hint) => Some(vec![format!("`{key}`"), (*hint).to_owned()]),
        Meaning::Honoured | Meaning::NoEffect => None,
    });
    let refused: Vec<Vec<String>> = refused.collect();
    if !refused.is_empty() {
        text += &format!("\n{}", table(&["refused", "instead"], refused));
    }
    text
}
