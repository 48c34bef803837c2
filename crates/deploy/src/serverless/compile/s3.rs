//! `s3` events: the buckets they make or are added to, with what these notify, and who may invoke.
//!
//! A bucket waits for the permissions, because what a bucket notifies is checked when it is set.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::{invoked_alias, invoked_arn};
use super::intrinsics::{join, permission, reference};
use crate::serverless::model::{Event, EventSource, Function, S3Event};
use crate::serverless::names::normalise_name;

type Notification<'p> = (&'p Function, &'p Event, &'p S3Event);

pub(super) fn compile(builder: &mut Builder<'_>) {
    let all: Vec<Notification<'_>> = builder
        .definition
        .events()
        .filter_map(|(function, event)| match &event.source {
            EventSource::S3(s3) => Some((function, event, s3)),
            _ => None,
        })
        .collect();
    let (attached, notifications): (Vec<Notification<'_>>, Vec<Notification<'_>>) =
        all.iter().copied().partition(|(.., s3)| s3.existing.is_some());
    for key in in_order(notifications.iter().map(|(.., s3)| s3.bucket.as_str())) {
        let of_bucket: Vec<_> = notifications
            .iter()
            .filter(|(.., s3)| s3.bucket == key)
            .copied()
            .collect();
        bucket(builder, key, &of_bucket);
    }
    for function in &builder.definition.functions {
        let of_function = all.iter().filter(|(of, ..)| of.key == function.key);
        let mut permitted: Vec<&str> = Vec::new();
        for (_, event, s3) in of_function {
            if !permitted.contains(&s3.bucket.as_str()) {
                permitted.push(&s3.bucket);
                permit(builder, function, event, s3);
            }
        }
    }
    attach(builder, &attached);
}

/// Each once, in the order of their first appearance.
fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// The notifications that a function adds to buckets that are there: one resource a bucket, which leaves what
/// others have set alone. The framework runs a function of its own for that, under the same logical ids.
fn attach(builder: &mut Builder<'_>, attached: &[Notification<'_>]) {
    for function in &builder.definition.functions {
        let of_function: Vec<_> = attached
            .iter()
            .filter(|(of, ..)| of.key == function.key)
            .collect();
        let buckets = in_order(of_function.iter().map(|(.., s3)| s3.bucket.as_str()));
        for (index, key) in buckets.into_iter().enumerate() {
            let of_bucket: Vec<_> = of_function.iter().filter(|(.., s3)| s3.bucket == key).collect();
            let Some((_, first, s3)) = of_bucket.first() else {
                continue;
            };
            let configurations: Value = of_bucket
                .iter()
                .map(|(_, _, s3)| notified(function, s3))
                .collect();
            let mut depends_on = vec![permission_id(function, key)];
            depends_on.extend(invoked_alias(function));
            let resource = json!({
                "Type": "Tradewind::S3::BucketNotification",
                "Properties": {
                    "Bucket": s3.existing,
                    "NotificationConfiguration": {"LambdaConfigurations": configurations},
                },
                "DependsOn": depends_on,
            });
            let id = format!("{}CustomS3{}", function.id, index + 1);
            builder.add(&id, resource, &first.span);
            builder.locate(&id, "Bucket", &first.node, "bucket");
        }
    }
}

fn bucket(builder: &mut Builder<'_>, key: &str, notifications: &[Notification<'_>]) {
    let Some((_, first, _)) = notifications.first() else {
        return;
    };
    let id = format!("S3Bucket{}", normalise_name(key));
    let mut properties = Map::new();
    properties.insert("BucketName".into(), name(builder, key).into());
    let settings = builder.definition.buckets.get(key);
    properties.extend(
        settings
            .map(|settings| settings.properties.clone())
            .unwrap_or_default(),
    );
    let configuration = properties.entry("NotificationConfiguration").or_insert(json!({}));
    if let Some(configuration) = configuration.as_object_mut() {
        let functions = notifications
            .iter()
            .map(|(function, _, s3)| notified(function, s3));
        configuration.insert("LambdaConfigurations".into(), functions.collect());
    }
    let mut depends_on: Vec<String> = Vec::new();
    for (function, ..) in notifications {
        let needed = [Some(permission_id(function, key)), invoked_alias(function)];
        for id in needed.into_iter().flatten() {
            if !depends_on.contains(&id) {
                depends_on.push(id);
            }
        }
    }
    let written: Vec<String> = properties.keys().cloned().collect();
    let resource = json!({"Type": "AWS::S3::Bucket", "Properties": properties, "DependsOn": depends_on});
    builder.add(&id, resource, &first.span);
    builder.locate(&id, "BucketName", &first.node, "bucket");
    builder.locate_in_provider(&id, "BucketName", &["s3", key, "name"]);
    for property in written {
        for key_as_written in [lower_first(&property), property.clone()] {
            builder.locate_in_provider(&id, &property, &["s3", key, &key_as_written]);
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_lowercase);
    first.chain(chars.clone()).collect()
}

fn notified(function: &Function, event: &S3Event) -> Value {
    let mut notified = json!({"Event": event.event, "Function": invoked_arn(function)});
    if !event.rules.is_empty() {
        let rules = event.rules.iter();
        let rules: Value = rules
            .map(|(name, value)| json!({"Name": name, "Value": value}))
            .collect();
        notified["Filter"] = json!({"S3Key": {"Rules": rules}});
    }
    notified
}

fn permit(builder: &mut Builder<'_>, function: &Function, event: &Event, s3: &S3Event) {
    let own = format!(":s3:::{}", name(builder, &s3.bucket));
    let mut arn = vec![json!("arn:"), reference("AWS::Partition")];
    match &s3.existing {
        None => arn.push(json!(own)),
        Some(bucket) => arn.extend([json!(":s3:::"), bucket.clone()]),
    }
    let mut permission = permission(function, json!("s3.amazonaws.com"), join("", arn));
    permission["Properties"]["SourceAccount"] = reference("AWS::AccountId");
    builder.add(&permission_id(function, &s3.bucket), permission, &event.span);
}

fn permission_id(function: &Function, bucket: &str) -> String {
    format!("{}LambdaPermission{}S3", function.id, normalise_name(bucket))
}

/// The name that `provider.s3` gives the bucket, else the one it is called by.
fn name(builder: &Builder<'_>, key: &str) -> String {
    let settings = builder.definition.buckets.get(key);
    let given = settings.and_then(|settings| settings.name.clone());
    given.unwrap_or_else(|| key.to_owned())
}
