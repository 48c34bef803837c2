//! How many events a second one core matches with a set of rules (`cargo xtask bench events`).
//!
//! The clock is the processor time of this thread, so that neighbours cost caches and not time slices. Each
//! line that is printed is a JSON object: the kind of rules, how many, how the event came, events a second.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::{Value, json};
use tradewind_events::pattern::{Pattern, RuleSet};

/// Events are of these many sources, types and customers.
const SOURCES: usize = 20;
const TYPES: usize = 10;
const CUSTOMERS: usize = 10_000;
/// So many different events are taken in turn.
const EVENTS: usize = 1000;

#[derive(Debug, Parser)]
struct Arguments {
    /// Seconds of processor time a measurement
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Numbers of rules
    #[arg(long, value_delimiter = ',', default_value = "1,100,1000,10000")]
    rules: Vec<usize>,
    /// Kinds of rules
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "mixed,exact,prefix,suffix,equals-ignore-case,wildcard,numeric,anything-but"
    )]
    kinds: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let events: Vec<Value> = (0..EVENTS).map(event).collect();
    let texts: Vec<String> = events.iter().map(Value::to_string).collect();
    let bytes = texts.iter().map(String::len).sum::<usize>() / EVENTS;
    for kind in &arguments.kinds {
        for count in &arguments.rules {
            let rules = rules(kind, *count)?;
            let matched: usize = events.iter().map(|event| rules.matching(event).len()).sum();
            let read = per_second(arguments.seconds, |at| {
                let found = rules.matching_bytes(texts[at % EVENTS].as_bytes());
                found.map_or(0, |found| found.len())
            })?;
            let parsed = per_second(arguments.seconds, |at| rules.matching(&events[at % EVENTS]).len())?;
            println!(
                "{}",
                json!({
                    "kind": kind, "rules": count, "eventBytes": bytes, "matches": matched / EVENTS,
                    "fromBytes": read, "fromValues": parsed,
                })
            );
        }
    }
    Ok(())
}

/// An event of a shop, with the envelope that a bus gives it.
fn event(number: usize) -> Value {
    let random = scattered(number);
    let customer = random % CUSTOMERS;
    let status = ["placed", "paid", "shipped", "returned"][random % 4];
    json!({
        "version": "0",
        "id": format!("{random:08x}-1428-4cd3-a780-95db273d1602"),
        "detail-type": format!("Order Status Change {}", random % TYPES),
        "source": format!("com.example.shop{}", random / TYPES % SOURCES),
        "account": "123456789012",
        "time": "2026-11-11T21:29:54Z",
        "region": "us-east-1",
        "resources": [format!("arn:aws:dynamodb:us-east-1:123456789012:table/orders-{}", random % 7)],
        "detail": {
            "order": format!("o-{random}"),
            "customer": format!("customer-{customer}@example.com"),
            "status": status,
            "total": customer,
            "currency": "EUR",
            "address": {"city": "Example City", "street": "1 Example Street", "country": "DE", "ip": format!("10.{}.{}.7", random % 256, random / 256 % 256)},
            "items": ["keyboard", "mouse", "a rather long name of a thing that somebody sells"],
            "note": "Please leave it with the neighbours; they know. Thank you very much, and have a nice day!",
            "vip": random.is_multiple_of(3),
        },
    })
}

/// A number that looks random and is the same each time (a step of SplitMix64).
fn scattered(number: usize) -> usize {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 24
}

fn rules(kind: &str, count: usize) -> Result<RuleSet<usize>> {
    let mut rules = RuleSet::new();
    for number in 0..count {
        let pattern = pattern(kind, number)?.to_string();
        rules.insert(number, Pattern::parse(&pattern)?);
    }
    Ok(rules)
}

/// The rule `number` of its kind: each is for another customer, so an event matches few.
fn pattern(kind: &str, number: usize) -> Result<Value> {
    let kinds = [
        "exact",
        "prefix",
        "suffix",
        "equals-ignore-case",
        "wildcard",
        "numeric",
        "anything-but",
    ];
    let customer = format!("customer-{number}@");
    Ok(match kind {
        "mixed" => {
            let mut rule = pattern(kinds[number % kinds.len()], number)?;
            rule["source"] = json!([format!("com.example.shop{}", number % SOURCES)]);
            rule
        }
        "exact" => json!({"detail": {"customer": [format!("{customer}example.com")]}}),
        "prefix" => json!({"detail": {"customer": [{"prefix": customer}]}}),
        "suffix" => json!({"detail": {"customer": [{"suffix": format!("-{number}@example.com")}]}}),
        "equals-ignore-case" => {
            json!({"detail": {"customer": [{"equals-ignore-case": format!("{customer}EXAMPLE.com")}]}})
        }
        "wildcard" => json!({"detail": {"customer": [{"wildcard": format!("cust*-{number}@*.com")}]}}),
        "numeric" => json!({"detail": {"total": [{"numeric": [">=", number, "<", number + 2]}]}}),
        "anything-but" => json!({"detail": {
            "customer": [format!("{customer}example.com")],
            "status": [{"anything-but": ["placed", "paid"]}],
        }}),
        other => anyhow::bail!("no rules of the kind {other}"),
    })
}

/// Calls `run` with 0, 1, 2, … for so much processor time.
fn per_second(seconds: f64, mut run: impl FnMut(usize) -> usize) -> Result<f64> {
    for at in 0..EVENTS {
        black_box(run(at));
    }
    let begin = processor_seconds()?;
    let mut done = 0_u32;
    loop {
        for at in 0..EVENTS {
            black_box(run(at));
        }
        done += 1;
        let took = processor_seconds()? - begin;
        if took >= seconds {
            ensure!(took > 0.0, "the clock stands still");
            return Ok((f64::from(done) * 1000.0 / took).round());
        }
    }
}

/// Processor time of this thread.
fn processor_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().context("an empty schedstat")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}
