//! `kafka` and `msk` events.

use serde_json::Value;

use super::expression::{self, ArnOf};
use super::section::{Problems, Section};
use super::sqs::filter_patterns;
use crate::diagnostic::Diagnostic;
use crate::serverless::model::{KafkaAccess, KafkaCluster, KafkaEvent};
use crate::yaml::{Content, Entry, Node};

/// The first is the reference's default.
const POSITIONS: [&str; 3] = ["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"];
const LONGEST_GROUP: usize = 200;

const CLUSTER: ArnOf = ArnOf {
    what: "a cluster",
    services: &["kafka"],
    example: "for example `arn:aws:kafka:us-east-1:000000000000:cluster/main/00000000-0000-0000-0000-000000000000-1`; \
              `tradewind serve --kafka main=HOST:PORT` says where it is",
};

const SECRET: ArnOf = ArnOf {
    what: "a secret",
    services: &["secretsmanager"],
    example: "for example `arn:aws:secretsmanager:us-east-1:000000000000:secret:kafka`, or `!Ref Login` for a secret \
              below `resources`",
};

const FAILURES: ArnOf = ArnOf {
    what: "a queue, a topic or a bucket",
    services: &["sqs", "sns", "s3", "kafka"],
    example: "for example `arn:aws:sqs:us-east-1:000000000000:failed`, or `!GetAtt Failed.Arn` for a queue below \
              `resources`",
};

/// Reads one `kafka` event; none when it is wrong.
pub(super) fn kafka(entry: &Entry, path: &str, problems: &mut Problems) -> Option<KafkaEvent> {
    let mut section = Section::new(&entry.node, path, problems);
    let bootstrap_servers = bootstrap_servers(&mut section, problems);
    let access = access(&mut section, problems);
    let cluster = bootstrap_servers.map(|bootstrap_servers| KafkaCluster::SelfManaged {
        bootstrap_servers,
        access,
    });
    mapping(section, cluster, problems)
}

/// Reads one `msk` event; none when it is wrong.
pub(super) fn msk(entry: &Entry, path: &str, problems: &mut Problems) -> Option<KafkaEvent> {
    let mut section = Section::new(&entry.node, path, problems);
    if section.given("arn").is_none() {
        section.missing("arn", CLUSTER.example, problems);
    }
    let arn = expression::arn(&mut section, "arn", CLUSTER, problems);
    let secret = expression::arn(&mut section, "saslScram512", SECRET, problems);
    let cluster = arn.map(|arn| KafkaCluster::Msk { arn, secret });
    mapping(section, cluster, problems)
}

/// What both have.
fn mapping(
    mut section: Section<'_>,
    cluster: Option<KafkaCluster>,
    problems: &mut Problems,
) -> Option<KafkaEvent> {
    if section.given("topic").is_none() {
        section.missing("topic", "write `topic: name`", problems);
    }
    let topic = section.text("topic", problems);
    let starting_position = section.one_of("startingPosition", &POSITIONS, problems);
    let starting_position = starting_position.unwrap_or(POSITIONS[0]);
    let starting_timestamp = timestamp(&mut section, starting_position, problems);
    let batch_size = section.integer_in("batchSize", 1..=10_000, problems);
    let batching_window = section.integer_in("maximumBatchingWindow", 0..=300, problems);
    let enabled = section.boolean("enabled", problems);
    let consumer_group = section.short_text("consumerGroupId", LONGEST_GROUP, problems);
    let filter_patterns = filter_patterns(&mut section, problems);
    let pollers = pollers(&mut section, problems);
    let on_failure = section
        .section("destinations", problems)
        .and_then(|mut destinations| {
            let arn = expression::arn(&mut destinations, "onFailure", FAILURES, problems);
            destinations.finish(problems);
            arn
        });
    section.finish(problems);
    Some(KafkaEvent {
        cluster: cluster?,
        topic: topic?,
        starting_position,
        starting_timestamp,
        batch_size,
        batching_window,
        enabled,
        consumer_group,
        filter_patterns,
        pollers,
        on_failure,
    })
}

fn bootstrap_servers(section: &mut Section<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    const EXAMPLE: &str = "write `bootstrapServers: [\"kafka.example:9092\"]`";
    if section.given("bootstrapServers").is_none() {
        section.missing("bootstrapServers", EXAMPLE, problems);
    }
    let servers = section.texts("bootstrapServers", problems)?;
    if servers.is_empty() {
        section.missing("bootstrapServers.0", EXAMPLE, problems);
        return None;
    }
    Some(servers)
}

/// In the order in which they are written, which is that of the mapping. The reference insists on some; a broker
/// that asks for nothing needs none.
fn access(section: &mut Section<'_>, problems: &mut Problems) -> Vec<(KafkaAccess, Value)> {
    let Some(mut written) = section.section("accessConfigurations", problems) else {
        return Vec::new();
    };
    let node = section.get("accessConfigurations").and_then(Node::as_map);
    let order =
        |access: &KafkaAccess| node.and_then(|map| map.iter().position(|entry| entry.key == access.key));
    let mut kinds: Vec<_> = KafkaAccess::ALL.to_vec();
    kinds.sort_by_key(order);
    let network = |key| {
        KafkaAccess::ALL
            .iter()
            .any(|access| access.key == key && written.given(key).is_some())
    };
    let (subnet, group) = (network("vpcSubnet"), network("vpcSecurityGroup"));
    for (given, missing) in [(subnet, "vpcSecurityGroup"), (group, "vpcSubnet")] {
        if given && !(subnet && group) {
            written.missing(missing, "give both, or neither", problems);
        }
    }
    let mut found = Vec::new();
    for access in kinds {
        let Some(node) = written.get(access.key) else {
            continue;
        };
        let path = written.path_of(access.key);
        found.extend(
            values(node, access, &path, problems)
                .into_iter()
                .map(|value| (access, value)),
        );
    }
    written.finish(problems);
    found
}

fn values(node: &Node, access: KafkaAccess, path: &str, problems: &mut Problems) -> Vec<Value> {
    let items = match &node.content {
        Content::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let value = |item: &Node| match access.is_of_network() {
        true => item.scalar_text().map(Value::from).or_else(|| {
            let message = format!("`{path}` holds {}, not text", item.kind());
            problems.error(&item.span, message);
            None
        }),
        false => expression::arn_of_node(item, path, SECRET, problems),
    };
    items.iter().filter_map(value).collect()
}

fn timestamp(section: &mut Section<'_>, position: &str, problems: &mut Problems) -> Option<Value> {
    let Some(node) = section.get("startingPositionTimestamp") else {
        if position == "AT_TIMESTAMP" {
            section.missing(
                "startingPositionTimestamp",
                "give it in seconds since 1970",
                problems,
            );
        }
        return None;
    };
    let number = node.scalar_text().and_then(|text| text.trim().parse().ok());
    if number.is_none() {
        section.wrong("startingPositionTimestamp", node, "seconds since 1970", problems);
    } else if position != "AT_TIMESTAMP" {
        let problem = Diagnostic::error(format!(
            "`{}` needs `startingPosition: AT_TIMESTAMP`",
            section.path_of("startingPositionTimestamp")
        ));
        problems.add(problem.at(&node.span));
    }
    number.map(Value::Number)
}

fn pollers(section: &mut Section<'_>, problems: &mut Problems) -> Option<(Option<u64>, Option<u64>)> {
    let mut pollers = section.section("provisionedPollerConfig", problems)?;
    let least = pollers.integer_in("minimumPollers", 1..=200, problems);
    let most = pollers.integer_in("maximumPollers", 1..=2000, problems);
    pollers.finish(problems);
    Some((least, most))
}
