//! `kafka` and `msk` events: event source mappings of topics.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::{invoked_alias, invoked_arn};
use super::role;
use crate::serverless::model::{
    Definition, Event, EventSource, Function, KafkaAccess, KafkaCluster, KafkaEvent,
};
use crate::serverless::names::normalise_name;
use crate::serverless::read::name_of;

/// Properties of a mapping and the settings they come from.
const WRITTEN_AS: [(&str, &str); 14] = [
    ("AmazonManagedKafkaEventSourceConfig", "consumerGroupId"),
    ("BatchSize", "batchSize"),
    ("DestinationConfig", "destinations"),
    ("Enabled", "enabled"),
    ("EventSourceArn", "arn"),
    ("FilterCriteria", "filterPatterns"),
    ("MaximumBatchingWindowInSeconds", "maximumBatchingWindow"),
    ("ProvisionedPollerConfig", "provisionedPollerConfig"),
    ("SelfManagedEventSource", "bootstrapServers"),
    ("SelfManagedKafkaEventSourceConfig", "consumerGroupId"),
    ("SourceAccessConfigurations", "accessConfigurations"),
    ("StartingPosition", "startingPosition"),
    ("StartingPositionTimestamp", "startingPositionTimestamp"),
    ("Topics", "topic"),
];
/// How much of a name a logical id takes; of a topic alone twice as much.
const LONGEST: usize = 79;

/// The events `kafka`, then the events `msk`, as in the reference.
pub(super) fn compile(builder: &mut Builder<'_>) {
    for is_msk in [false, true] {
        for (function, event, kafka) in all(builder.definition) {
            if matches!(kafka.cluster, KafkaCluster::Msk { .. }) == is_msk {
                one(builder, function, event, kafka);
            }
        }
    }
}

fn one(builder: &mut Builder<'_>, function: &Function, event: &Event, kafka: &KafkaEvent) {
    let id = logical_id(function, kafka);
    let mut depends_on = Vec::from_iter(role::made_here(builder.definition, function));
    depends_on.extend(invoked_alias(function));
    let resource = json!({
        "Type": "AWS::Lambda::EventSourceMapping",
        "DependsOn": depends_on,
        "Properties": properties(function, kafka),
    });
    builder.add(&id, resource, &event.span);
    for (property, key) in WRITTEN_AS {
        builder.locate(&id, property, &event.node, key);
    }
}

fn logical_id(function: &Function, event: &KafkaEvent) -> String {
    let topic = normalise_name(&event.topic);
    match &event.cluster {
        KafkaCluster::SelfManaged { .. } => {
            let topic: String = topic.chars().take(2 * LONGEST).collect();
            format!("{}EventSourceMappingKafka{topic}", function.id)
        }
        KafkaCluster::Msk { arn, .. } => {
            let cut = |name: String| name.chars().take(LONGEST).collect::<String>();
            let (cluster, topic) = (cut(normalise_name(cluster_name(arn))), cut(topic));
            format!("{}EventSourceMappingMSK{cluster}{topic}", function.id)
        }
    }
}

/// `arn:…:cluster/NAME/UUID`, or what an expression refers to.
fn cluster_name(arn: &Value) -> &str {
    let text = arn.as_str().or_else(|| arn.get("Fn::Sub")?.as_str());
    let in_text = text.and_then(|text| text.split('/').nth(1));
    in_text.or_else(|| name_of(arn)).unwrap_or("Cluster")
}

fn properties(function: &Function, event: &KafkaEvent) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value);
        }
    };
    set("FunctionName", Some(invoked_arn(function)));
    set("StartingPosition", Some(event.starting_position.into()));
    set("StartingPositionTimestamp", event.starting_timestamp.clone());
    set("Topics", Some(json!([event.topic])));
    set("BatchSize", event.batch_size.map(Value::from));
    // the reference leaves out a window of no length
    let window = event.batching_window.filter(|seconds| *seconds > 0);
    set("MaximumBatchingWindowInSeconds", window.map(Value::from));
    set("Enabled", event.enabled.map(Value::from));
    let group = event.consumer_group.as_ref();
    let group = group.map(|group| json!({ "ConsumerGroupId": group }));
    match &event.cluster {
        KafkaCluster::SelfManaged {
            bootstrap_servers,
            access,
        } => {
            let endpoints = json!({ "KafkaBootstrapServers": bootstrap_servers });
            set("SelfManagedEventSource", Some(json!({ "Endpoints": endpoints })));
            set(
                "SourceAccessConfigurations",
                Some(access.iter().map(configuration).collect()),
            );
            set("SelfManagedKafkaEventSourceConfig", group);
        }
        KafkaCluster::Msk { arn, secret } => {
            set("EventSourceArn", Some(arn.clone()));
            set("AmazonManagedKafkaEventSourceConfig", group);
            let secret = secret.as_ref();
            set(
                "SourceAccessConfigurations",
                secret.map(|secret| json!([{"Type": "SASL_SCRAM_512_AUTH", "URI": secret}])),
            );
        }
    }
    let filters = event
        .filter_patterns
        .iter()
        .map(|pattern| json!({ "Pattern": pattern }));
    let filters: Vec<Value> = filters.collect();
    set(
        "FilterCriteria",
        (!filters.is_empty()).then(|| json!({ "Filters": filters })),
    );
    set("ProvisionedPollerConfig", event.pollers.map(pollers));
    let failures = event.on_failure.as_ref();
    set(
        "DestinationConfig",
        failures.map(|arn| json!({"OnFailure": {"Destination": arn}})),
    );
    properties
}

fn configuration((access, value): &(KafkaAccess, Value)) -> Value {
    let uri = match value.as_str() {
        Some(text) => format!("{}{text}", access.prefix).into(),
        None => value.clone(),
    };
    json!({"Type": access.name, "URI": uri})
}

fn pollers((least, most): (Option<u64>, Option<u64>)) -> Value {
    let mut pollers = Map::new();
    for (name, count) in [("MinimumPollers", least), ("MaximumPollers", most)] {
        if let Some(count) = count {
            pollers.insert(name.to_owned(), count.into());
        }
    }
    pollers.into()
}

/// What the role must allow, function by function: to read what brokers ask for, and to reach them; then
/// to find clusters of MSK, and to reach those; then to send batches that are given up.
pub(super) fn statements(definition: &Definition) -> Vec<Value> {
    let of = |function: &Function| -> Vec<&KafkaEvent> {
        let events = all(definition).filter(|(of, ..)| of.key == function.key);
        events.map(|(_, _, event)| event).collect()
    };
    let functions: Vec<Vec<&KafkaEvent>> = definition.functions.iter().map(of).collect();
    let mut statements = Vec::new();
    functions
        .iter()
        .for_each(|events| statements.extend(of_brokers(events)));
    functions
        .iter()
        .for_each(|events| statements.extend(of_clusters(events)));
    for arn in functions
        .iter()
        .flatten()
        .filter_map(|event| event.on_failure.as_ref())
    {
        let statement = sending(arn);
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    statements
}

fn of_brokers(events: &[&KafkaEvent]) -> Vec<Value> {
    let (mut secrets, mut in_network) = (Vec::new(), false);
    for event in events {
        let KafkaCluster::SelfManaged { access, .. } = &event.cluster else {
            continue;
        };
        in_network |= access.iter().any(|(access, _)| access.is_of_network());
        let of_login = access.iter().filter(|(access, _)| !access.is_of_network());
        secrets.extend(of_login.map(|(_, secret)| secret.clone()));
    }
    let reading =
        json!({"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": secrets});
    let reading = (!secrets.is_empty()).then_some(reading);
    reading.into_iter().chain(in_network.then(reaching)).collect()
}

fn of_clusters(events: &[&KafkaEvent]) -> Vec<Value> {
    let arn = |event: &&KafkaEvent| match &event.cluster {
        KafkaCluster::Msk { arn, .. } => Some(arn.clone()),
        KafkaCluster::SelfManaged { .. } => None,
    };
    let clusters: Vec<Value> = events.iter().filter_map(arn).collect();
    if clusters.is_empty() {
        return Vec::new();
    }
    let actions = ["kafka:DescribeCluster", "kafka:GetBootstrapBrokers"];
    vec![
        json!({"Effect": "Allow", "Action": actions, "Resource": clusters}),
        reaching(),
    ]
}

fn reaching() -> Value {
    let actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVpcs",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups",
    ];
    json!({"Effect": "Allow", "Action": actions, "Resource": "*"})
}

/// What an expression gives is taken for a queue: the others are written as ARNs.
fn sending(arn: &Value) -> Value {
    let service = arn.as_str().and_then(|text| text.split(':').nth(2));
    let (action, resource) = match service {
        Some("sns") => ("sns:Publish", arn.clone()),
        Some("s3") => (
            "s3:PutObject",
            json!(format!("{}/*", arn.as_str().unwrap_or_default())),
        ),
        Some("kafka") => ("kafka-cluster:WriteData", arn.clone()),
        _ => ("sqs:SendMessage", arn.clone()),
    };
    json!({"Effect": "Allow", "Action": [action], "Resource": [resource]})
}

fn all(definition: &Definition) -> impl Iterator<Item = (&Function, &Event, &KafkaEvent)> {
    definition
        .events()
        .filter_map(|(function, event)| match &event.source {
            EventSource::Kafka(kafka) | EventSource::Msk(kafka) => Some((function, event, kafka)),
            _ => None,
        })
}
