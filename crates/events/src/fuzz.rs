//! Hostile patterns, policies, schedules and templates, and events that meet them.

use std::hint::black_box;

use serde_json::{Value, json};
use tradewind_fuzz::fuzz;
use tradewind_model::Timestamp;

use crate::filter_policy::{FilterPolicy, FilterPolicyScope};
use crate::pattern::Pattern;
use crate::schedule::{ScheduleExpression, TimeZone};
use crate::transform::{InputTransformer, RuleContext};

fn event() -> Value {
    json!({
        "source": "shop.orders", "detail-type": "OrderPlaced", "account": "000000000000", "resources": ["a", "b"],
        "detail": {"total": 12.5, "items": [{"sku": "mug", "count": 2}, {"sku": null}], "ip": "10.0.0.1", "gift": true},
    })
}

/// Two texts in one input, parted by a NUL.
fn two(input: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(input).into_owned();
    match text.split_once('\0') {
        Some((first, second)) => (first.to_owned(), second.to_owned()),
        None => (text, event().to_string()),
    }
}

const MATCHERS: &[&str] = &[
    "{\"prefix\":",
    "{\"suffix\":",
    "{\"wildcard\":",
    "{\"anything-but\":",
    "{\"numeric\":[",
    "{\"exists\":",
    "{\"cidr\":",
    "{\"equals-ignore-case\":",
    "\"$or\":",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\"=\"",
    "\">\"",
    "\"<=\"",
    "*",
    "\\\\*",
    "null",
    "true",
    "\"10.0.0.0/8\"",
    "\"::/0\"",
    "\"a\"",
    "\\ud800",
];

#[test]
fn fuzz_event_pattern() {
    let seeds = [
        r#"{"source":["shop.orders"],"detail":{"total":[{"numeric":[">",0,"<=",100]}]}}"#,
        r#"{"detail":{"items":{"sku":[{"wildcard":"m*g*"},{"prefix":"m"},{"suffix":"g"}]},"ip":[{"cidr":"10.0.0.0/24"}]}}"#,
        r#"{"$or":[{"source":[{"anything-but":["a","b"]}]},{"detail":{"gift":[true,null,{"exists":false}]}}]}"#,
        r#"{"source":[{"anything-but":{"wildcard":"*a*b*"}},{"equals-ignore-case":"SHOP"},{"prefix":{"equals-ignore-case":"S"}}]}"#,
    ];
    let event = event();
    fuzz(&seeds, MATCHERS, |input| {
        let (pattern, other) = two(input);
        if let Ok(pattern) = Pattern::parse(&pattern) {
            black_box(pattern.matches(&event));
            if let Ok(other) = serde_json::from_str(&other) {
                black_box(pattern.matches(&other));
            }
        }
    });
}

#[test]
fn fuzz_filter_policy() {
    let seeds = [
        r#"{"kind":["order",{"prefix":"ret"}],"total":[{"numeric":[">=",10]}],"gift":[{"exists":true}]}"#,
        r#"{"detail":{"items":{"sku":["mug"]}},"$or":[{"a":["b"]},{"c":[{"anything-but":"d"}]}]}"#,
    ];
    let event = event();
    fuzz(&seeds, MATCHERS, |input| {
        let (policy, body) = two(input);
        for scope in [
            FilterPolicyScope::MessageAttributes,
            FilterPolicyScope::MessageBody,
        ] {
            if let Ok(policy) = FilterPolicy::parse(&policy, scope) {
                black_box(policy.matches_attributes(&[]));
                black_box(policy.matches_body(&event));
                if let Ok(body) = serde_json::from_str(&body) {
                    black_box(policy.matches_body(&body));
                }
            }
        }
    });
}

#[test]
fn fuzz_schedule() {
    let seeds = [
        "rate(5 minutes)",
        "rate(1 day)",
        "cron(0/15 8-18 ? * MON-FRI *)",
        "cron(0 10 L * ? 2026-2030)",
        "cron(59 23 29 2 ? *)",
        "cron(0 0 ? * 6#3 *)",
        "cron(0 0 15W * ? *)",
        "at(2026-11-21T23:59:59)",
    ];
    let words = [
        "rate(",
        "cron(",
        "at(",
        "L",
        "W",
        "#",
        "/",
        "-",
        ",",
        "*",
        "?",
        "MON",
        "FEB",
        "2199",
        "1970",
        " minutes)",
        "T",
    ];
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
        .map(|name| TimeZone::named(name).unwrap());
    fuzz(&seeds, &words, |input| {
        let Ok(schedule) = ScheduleExpression::parse(&String::from_utf8_lossy(input)) else {
            return;
        };
        assert_eq!(
            ScheduleExpression::parse(schedule.as_str()).as_ref(),
            Ok(&schedule)
        );
        for zone in &zones {
            for now in [0, 1_700_000_000_000, 4_102_444_799_999, 7_258_118_400_000] {
                let mut now = Timestamp::from_millis(now);
                for _ in 0..3 {
                    let Some(next) = schedule.next_after(now, zone) else {
                        break;
                    };
                    assert!(next > now, "{next:?} is not after {now:?}");
                    now = next;
                }
            }
        }
    });
}

#[test]
fn fuzz_input_transformer() {
    let seeds = [
        "$.detail.items[0].sku\0{\"sku\": <value>, \"at\": \"<aws.events.event.ingestion-time>\"}",
        "$.detail['items'][*]\0\"all of \\\"<value>\\\" \\\\<value>\"",
        "$\0\"<aws.events.rule-name> said <value>\" \"and <value>\"",
    ];
    let words = [
        "$.",
        "[*]",
        "['",
        "']",
        "[0]",
        "[18446744073709551616]",
        "<value>",
        "<aws.events.event>",
        "<",
        ">",
        "\"",
        "\\",
    ];
    let event = event();
    let context = RuleContext {
        rule_name: "orders",
        rule_arn: "arn:aws:events:us-east-1:000000000000:rule/orders",
        ingestion_time: "2026-01-01T00:00:00Z",
    };
    fuzz(&seeds, &words, |input| {
        let (path, template) = two(input);
        if let Ok(transformer) = InputTransformer::parse([("value", &*path)], &template) {
            black_box(transformer.apply(&event, context));
        }
    });
}

#[test]
fn fuzz_batch_response() {
    let seeds = [
        r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#,
        r#"{"batchItemFailures":[]}"#,
        "null",
        "\"\"",
    ];
    fuzz(
        &seeds,
        &["itemIdentifier", "batchItemFailures", "\"\"", "[", "{"],
        |input| {
            black_box(crate::batch_response::batch_item_failures(input));
        },
    );
}
