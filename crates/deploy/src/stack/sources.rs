//! What invokes functions, as the resources of stacks say it: one line for each source.
//!
//! Read from the properties as they were resolved, so it is also right for resources that nobody wrote as an event
//! of a serverless.yml. What was set up past the stacks does not show.

use serde::Serialize;
use serde_json::Value;
use tradewind_model::resource::Properties;

use super::tables::ResourceRow;

/// Something that invokes a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventSource {
    /// The function's ARN, perhaps with an alias behind it.
    pub function: String,
    /// The word that serverless.yml has for it: `sqs`, `s3`, …
    pub kind: &'static str,
    /// Which one, in a line.
    pub source: String,
    /// False for what is switched off.
    pub enabled: bool,
}

/// The sources that one resource makes.
pub(crate) fn of(row: &ResourceRow) -> Vec<EventSource> {
    let properties = &row.properties;
    match row.resource_type.as_str() {
        "AWS::Lambda::EventSourceMapping" => mapping(properties).into_iter().collect(),
        "AWS::S3::Bucket" => notifications(&row.state.physical_id, properties),
        "Tradewind::S3::BucketNotification" => {
            let bucket = text(properties, "Bucket").unwrap_or_default();
            notifications(bucket, properties)
        }
        "AWS::SNS::Topic" => subscriptions(&row.state.physical_id, properties),
        "AWS::SNS::Subscription" => subscription(properties).into_iter().collect(),
        "AWS::Events::Rule" => rule(properties),
        "AWS::Scheduler::Schedule" => schedule(properties).into_iter().collect(),
        "AWS::Logs::SubscriptionFilter" => filter(properties).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn mapping(properties: &Properties) -> Option<EventSource> {
    let arn = text(properties, "EventSourceArn");
    let topic = properties
        .get("Topics")
        .and_then(|topics| topics.get(0)?.as_str());
    let (kind, source) = match (arn, topic) {
        (None, topic) => ("kafka", topic?.to_owned()),
        (Some(arn), Some(topic)) => ("msk", format!("{} {topic}", cluster_of(arn))),
        (Some(arn), None) => (queue_or_stream(arn)?, name_of(arn).to_owned()),
    };
    Some(EventSource {
        function: text(properties, "FunctionName")?.to_owned(),
        kind,
        source,
        enabled: properties.get("Enabled").is_none_or(|enabled| !is_false(enabled)),
    })
}

fn queue_or_stream(arn: &str) -> Option<&'static str> {
    Some(match arn.split(':').nth(2)? {
        "sqs" => "sqs",
        _ => "stream",
    })
}

/// The name in `arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID`.
fn cluster_of(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or(arn)
}

fn is_false(value: &Value) -> bool {
    value == false || value == "false"
}

fn notifications(bucket: &str, properties: &Properties) -> Vec<EventSource> {
    let configurations = properties
        .get("NotificationConfiguration")
        .and_then(|notification| notification.get("LambdaConfigurations")?.as_array());
    let notified = |configuration: &Value| {
        let rules = configuration
            .pointer("/Filter/S3Key/Rules")
            .and_then(Value::as_array);
        let rules = rules.into_iter().flatten().filter_map(|rule| {
            let (name, value) = (rule.get("Name")?.as_str()?, rule.get("Value")?.as_str()?);
            Some(format!(" {} {value}", name.to_ascii_lowercase()))
        });
        let event = configuration.get("Event")?.as_str()?;
        Some(EventSource {
            function: configuration.get("Function")?.as_str()?.to_owned(),
            kind: "s3",
            source: format!("{bucket} {event}{}", rules.collect::<String>()),
            enabled: true,
        })
    };
    configurations
        .into_iter()
        .flatten()
        .filter_map(notified)
        .collect()
}

fn subscriptions(topic: &str, properties: &Properties) -> Vec<EventSource> {
    let embedded = properties.get("Subscription").and_then(Value::as_array);
    let subscribed = |subscription: &Value| {
        let protocol = subscription.get("Protocol")?.as_str()?;
        (protocol == "lambda").then_some(())?;
        Some(EventSource {
            function: subscription.get("Endpoint")?.as_str()?.to_owned(),
            kind: "sns",
            source: name_of(topic).to_owned(),
            enabled: true,
        })
    };
    embedded.into_iter().flatten().filter_map(subscribed).collect()
}

fn subscription(properties: &Properties) -> Option<EventSource> {
    (text(properties, "Protocol")? == "lambda").then_some(())?;
    let filter = properties.get("FilterPolicy").map(|policy| format!(" {policy}"));
    Some(EventSource {
        function: text(properties, "Endpoint")?.to_owned(),
        kind: "sns",
        source: format!(
            "{}{}",
            name_of(text(properties, "TopicArn")?),
            filter.unwrap_or_default()
        ),
        enabled: true,
    })
}

fn rule(properties: &Properties) -> Vec<EventSource> {
    let bus = text(properties, "EventBusName").map_or("default", name_of);
    let (kind, source) = match (
        text(properties, "ScheduleExpression"),
        properties.get("EventPattern"),
    ) {
        (Some(expression), None) => ("schedule", expression.to_owned()),
        (_, Some(pattern)) => ("eventBridge", format!("{bus} {pattern}")),
        (None, None) => return Vec::new(),
    };
    let targets = properties.get("Targets").and_then(Value::as_array);
    let arns = targets
        .into_iter()
        .flatten()
        .filter_map(|target| target.get("Arn")?.as_str());
    arns.filter(|arn| arn.split(':').nth(2) == Some("lambda"))
        .map(|arn| EventSource {
            function: arn.to_owned(),
            kind,
            source: source.clone(),
            enabled: is_enabled(properties),
        })
        .collect()
}

fn schedule(properties: &Properties) -> Option<EventSource> {
    let expression = text(properties, "ScheduleExpression")?;
    let timezone = text(properties, "ScheduleExpressionTimezone").map(|zone| format!(" {zone}"));
    Some(EventSource {
        function: properties.get("Target")?.get("Arn")?.as_str()?.to_owned(),
        kind: "schedule",
        source: format!("{expression}{}", timezone.unwrap_or_default()),
        enabled: is_enabled(properties),
    })
}

fn is_enabled(properties: &Properties) -> bool {
    text(properties, "State") != Some("DISABLED")
}

fn filter(properties: &Properties) -> Option<EventSource> {
    let pattern = text(properties, "FilterPattern").filter(|pattern| !pattern.is_empty());
    let pattern = pattern.map(|pattern| format!(" {pattern}")).unwrap_or_default();
    Some(EventSource {
        function: text(properties, "DestinationArn")?.to_owned(),
        kind: "cloudwatchLog",
        source: format!("{}{pattern}", text(properties, "LogGroupName")?),
        enabled: true,
    })
}

fn text<'p>(properties: &'p Properties, name: &str) -> Option<&'p str> {
    properties.get(name)?.as_str()
}

/// The last part of an ARN, or a name as it is.
fn name_of(arn: &str) -> &str {
    arn.rsplit([':', '/']).next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tradewind_model::resource::ResourceState;

    use super::*;
    use crate::stack::StackStatus;

    fn sources(resource_type: &str, physical_id: &str, properties: Value) -> Vec<String> {
        let row = ResourceRow {
            logical_id: "R".into(),
            generated_name: "r".into(),
            resource_type: resource_type.into(),
            position: 0,
            status: StackStatus::CreateComplete,
            properties: properties.as_object().unwrap().clone(),
            state: ResourceState {
                physical_id: physical_id.into(),
                ..ResourceState::default()
            },
            retain: false,
        };
        let line = |source: EventSource| {
            assert_eq!(source.function, FUNCTION);
            let state = if source.enabled { "" } else { " (off)" };
            format!("{} {}{state}", source.kind, source.source)
        };
        of(&row).into_iter().map(line).collect()
    }

    const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

    #[test]
    fn a_mapping_of_kafka_says_its_topic() {
        let cluster = "arn:aws:kafka:us-east-1:000000000000:cluster/main/0-1";
        let named = json!({"EventSourceArn": cluster, "Topics": ["orders"], "FunctionName": FUNCTION});
        let servers = json!({"Topics": ["orders"], "FunctionName": FUNCTION,
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:1"]}}});
        let mapping = |properties| sources("AWS::Lambda::EventSourceMapping", "uuid", properties);
        assert_eq!(mapping(named), ["msk main orders"]);
        assert_eq!(mapping(servers), ["kafka orders"]);
    }

    #[test]
    fn each_type_says_what_invokes() {
        let queue = "arn:aws:sqs:us-east-1:000000000000:orders";
        let mapping = json!({"EventSourceArn": queue, "FunctionName": FUNCTION, "Enabled": false});
        assert_eq!(
            sources("AWS::Lambda::EventSourceMapping", "uuid", mapping),
            ["sqs orders (off)"]
        );
        let configuration = json!({"Event": "s3:ObjectCreated:*", "Function": FUNCTION,
            "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".jpg"}]}}});
        let bucket = json!({"NotificationConfiguration": {"LambdaConfigurations": [configuration]}});
        assert_eq!(
            sources("AWS::S3::Bucket", "photos", bucket),
            ["s3 photos s3:ObjectCreated:* suffix .jpg"]
        );
        let topic = "arn:aws:sns:us-east-1:000000000000:news";
        let embedded = json!({"Subscription": [
            {"Protocol": "lambda", "Endpoint": FUNCTION}, {"Protocol": "sqs", "Endpoint": queue}]});
        assert_eq!(sources("AWS::SNS::Topic", topic, embedded), ["sns news"]);
        let own = json!({"Protocol": "lambda", "Endpoint": FUNCTION, "TopicArn": topic, "FilterPolicy": {"a": ["b"]}});
        assert_eq!(
            sources("AWS::SNS::Subscription", "arn", own),
            [r#"sns news {"a":["b"]}"#]
        );
        let group = json!({"LogGroupName": "/a", "FilterPattern": "ERROR", "DestinationArn": FUNCTION});
        assert_eq!(
            sources("AWS::Logs::SubscriptionFilter", "x", group),
            ["cloudwatchLog /a ERROR"]
        );
    }

    #[test]
    fn rules_and_schedules_say_when_or_what() {
        let targets = json!([{"Arn": FUNCTION}, {"Arn": "arn:aws:sqs:us-east-1:000000000000:q"}]);
        let timed = json!({"ScheduleExpression": "rate(1 day)", "State": "DISABLED", "Targets": targets});
        assert_eq!(
            sources("AWS::Events::Rule", "x", timed),
            ["schedule rate(1 day) (off)"]
        );
        let pattern =
            json!({"EventPattern": {"source": ["shop"]}, "EventBusName": "orders", "Targets": targets});
        assert_eq!(
            sources("AWS::Events::Rule", "x", pattern),
            [r#"eventBridge orders {"source":["shop"]}"#]
        );
        let schedule = json!({"ScheduleExpression": "cron(0 8 * * ? *)", "ScheduleExpressionTimezone": "Europe/Berlin",
            "Target": {"Arn": FUNCTION}});
        assert_eq!(
            sources("AWS::Scheduler::Schedule", "x", schedule),
            ["schedule cron(0 8 * * ? *) Europe/Berlin"]
        );
    }
}
