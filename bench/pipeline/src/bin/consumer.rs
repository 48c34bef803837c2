//! A plain consumer loop: `consumer BOOTSTRAP TOPIC GROUP BATCH COUNT`. Offsets are committed after each batch.

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use serde_json::{Value, json};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic, group, batch, count] = &arguments[..] else {
        anyhow::bail!("consumer BOOTSTRAP TOPIC GROUP BATCH COUNT");
    };
    let (batch, count): (u64, u64) = (batch.parse()?, count.parse()?);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[topic])?;
    let (mut records, mut total, mut begun) = (0, 0, None);
    while records < count {
        let (got, sum) = one_batch(&consumer, batch.min(count - records))?;
        records += got;
        total += sum;
        if got > 0 {
            consumer.commit_consumer_state(CommitMode::Sync)?;
        }
        // the first tenth is not counted: connections, and the group's first meeting
        if begun.is_none() && records >= count / 10 {
            begun = Some((Instant::now(), records));
        }
    }
    let (at, before) = begun.context("nothing was read")?;
    let counted = u32::try_from(records - before)?;
    let per_second = f64::from(counted) / at.elapsed().as_secs_f64();
    println!("{}", json!({"perSecond": per_second, "total": total}));
    Ok(())
}

/// As many records as are there, up to a batch; how many, and their sum.
fn one_batch(consumer: &BaseConsumer, batch: u64) -> Result<(u64, u64)> {
    let (mut got, mut sum) = (0, 0);
    while got < batch {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            break;
        };
        let message = message?;
        let value: Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        sum += value["amount"].as_u64().unwrap_or_default();
        got += 1;
    }
    Ok((got, sum))
}
