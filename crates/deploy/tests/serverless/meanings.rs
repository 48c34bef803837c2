//! What has the right form and cannot be: told before anything is built, with its place.

use crate::{SMALL, loaded, problems};

/// What stands below the events of a function, and what is said of it.
const CANNOT_BE: [(&str, &str); 15] = [
    (
        "- schedule: cron(0 0 12 * * ? *)",
        "7:19: `functions.a.events.0.schedule` is `cron(0 0 12 * * ? *)`, not a schedule | `cron` has six fields, minutes \
         to year, here are 7; AWS's cron has no seconds",
    ),
    (
        "- schedule: cron(0 99 * * ? *)",
        "7:19: `functions.a.events.0.schedule` is `cron(0 99 * * ? *)`, not a schedule | ",
    ),
    ("- schedule: cron(0 12 * * * *)", "7:19: "),
    (
        "- schedule: {rate: at(2030-02-30T00:00:00), method: scheduler}",
        "7:26: `functions.a.events.0.schedule.rate` is `at(2030-02-30T00:00:00)`, not a schedule",
    ),
    (
        "- schedule: {rate: rate(1 hour), method: scheduler, timezone: Europe/Berln}",
        "7:69: `functions.a.events.0.schedule.timezone` is `Europe/Berln`, not a time zone | did you mean `Europe/Berlin`?",
    ),
    (
        "- schedule: {rate: rate(1 hour), method: scheduler, timezone: Mars}",
        "not a time zone | write a name of the IANA database",
    ),
    (
        "- s3: {bucket: b, event: 's3:ObjectCreatd:*'}",
        "7:32: `functions.a.events.0.s3.event` is `s3:ObjectCreatd:*`, not an event of a bucket | did you mean \
         `s3:ObjectCreated:*`?",
    ),
    (
        "- s3: {bucket: b, event: 's3:ObjectRestore:Post'}",
        "7:32: `functions.a.events.0.s3.event` is `s3:ObjectRestore:Post`, which never happens on a node | remove",
    ),
    (
        "- s3: {bucket: b, event: created}",
        "not an event of a bucket | for example",
    ),
    (
        "- eventBridge: {pattern: {source: [shop], detail: {total: [{numeric: ['>', '5']}]}}}",
        "7:76: `functions.a.events.0.eventBridge.pattern` cannot be matched: Value of > must be numeric",
    ),
    (
        "- eventBridge: {pattern: {source: shop}}",
        "7:41: `functions.a.events.0.eventBridge.pattern` cannot be matched: \"source\" must be an object or an array | \
         values stand in lists",
    ),
    (
        "- cloudwatchEvent: {event: {detail: {a: [{prefx: x}]}}}",
        "`functions.a.events.0.cloudwatchEvent.event` cannot be matched: ",
    ),
    (
        "- sqs: {arn: 'arn:aws:sqs:us-east-1:000000000000:q', filterPatterns: [{body: [1]}, {body: 1}]}",
        "7:97: `functions.a.events.0.sqs.filterPatterns.1` cannot be matched: \"body\" must be an object or an array",
    ),
    (
        "- sns: {topicName: t, filterPolicy: {shop: north}}",
        "7:50: `functions.a.events.0.sns.filterPolicy` cannot be matched: \"shop\" must be an object or an array",
    ),
    (
        "- sns: {topicName: t, filterPolicy: {shop: {name: [north]}}}",
        "`functions.a.events.0.sns.filterPolicy` cannot be matched: ",
    ),
];

#[tokio::test]
async fn what_cannot_be_is_told_at_its_place() {
    for (event, expected) in CANNOT_BE {
        let found = problems(&format!("{SMALL}      {event}\n")).await;
        assert_eq!(found.len(), 1, "{event}: {found:?}");
        assert!(
            found[0].contains(expected),
            "{event}:\n  {}\ninstead of\n  {expected}",
            found[0]
        );
    }
}

#[tokio::test]
async fn what_is_known_later_is_not_judged_before() {
    for event in [
        "- eventBridge: {pattern: {source: [{Ref: Source}]}}",
        "- sns: {topicName: t, filterPolicyScope: MessageBody, filterPolicy: {shop: {name: [north]}}}",
        "- schedule: {rate: {Ref: Rate}}",
    ] {
        loaded(&format!("{SMALL}      {event}\n")).await;
    }
}
