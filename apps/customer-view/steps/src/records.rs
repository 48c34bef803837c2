//! The records of an event source mapping's batch.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bus::Entry;
use crate::failure::Failure;
use crate::rejected::{Problem, Rejection};
use crate::seal::Sealed;

/// A record's envelope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Envelope {
    /// `view.normal/1`, …
    pub schema: String,
    /// The event's id.
    pub event: String,
    /// The system.
    pub source: String,
    /// The account.
    pub account: String,
    /// When it happened.
    pub at: String,
    /// The personal part.
    pub sealed: Sealed,
}

impl Envelope {
    /// What the seal is bound to.
    #[must_use]
    pub fn bound_to(&self) -> String {
        format!("{}|{}|{}", self.source, self.account, self.event)
    }
}

/// A record of a batch.
#[derive(Clone, Debug)]
pub struct Record<T> {
    /// Its partition as the mapping calls it.
    pub name: String,
    topic: String,
    partition: i64,
    /// Where in the partition.
    pub offset: i64,
    event: Option<String>,
    token: Option<String>,
    /// What it says; steps read what steps wrote, so `None` is a broken one.
    pub value: Option<T>,
}

/// All records in the order of their partitions; tombstones are left out. Tokens are made by `token`.
pub fn read<T: DeserializeOwned>(event: &Value, token: impl Fn(&Value) -> Option<String>) -> Vec<Record<T>> {
    let partitions = event["records"].as_object().into_iter().flatten();
    let records = partitions.flat_map(|(name, records)| {
        let records = records.as_array().into_iter().flatten();
        records.map(move |record| (name, record))
    });
    let record = |(name, record): (&String, &Value)| {
        let bytes = STANDARD.decode(record["value"].as_str()?).unwrap_or_default();
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        Some(Record {
            name: name.clone(),
            topic: record["topic"].as_str().unwrap_or_default().to_owned(),
            partition: record["partition"].as_i64().unwrap_or_default(),
            offset: record["offset"].as_i64().unwrap_or_default(),
            event: value["event"].as_str().map(str::to_owned),
            token: token(&value),
            value: serde_json::from_value(value).ok(),
        })
    };
    records.filter_map(record).collect()
}

/// What became of a record.
#[derive(Debug)]
pub enum Outcome {
    /// It says this to the next step; nothing, if its account was erased.
    On(Vec<Entry>),
    /// It is broken, or about someone who was erased.
    Rejected(Problem),
    /// It comes again.
    Stopped,
}

impl Outcome {
    /// Of the work on a record. What stops it is told to the function's log.
    #[must_use]
    pub fn of<T>(record: &Record<T>, done: Result<Vec<Entry>, Failure>) -> Self {
        match done {
            Ok(entries) => Self::On(entries),
            Err(Failure::Broken(problem)) => Self::Rejected(problem),
            Err(failure) => {
                log(&format!("{}@{}: {failure}", record.name, record.offset));
                Self::Stopped
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "a function's log")]
fn log(line: &str) {
    eprintln!("{line}");
}

/// What a batch came to: what is to be told, and where partitions were stopped.
#[derive(Debug, Default)]
pub struct Done {
    /// To the next step.
    pub entries: Vec<Entry>,
    /// To the queue.
    pub rejections: Vec<Rejection>,
    /// Records that say nothing to the next step.
    pub dropped: usize,
    stopped: BTreeMap<String, i64>,
}

impl Done {
    /// Of records in the order in which they were worked on. With `is_ahead`, what is behind a record that comes again
    /// is told all the same, because it is done.
    #[must_use]
    pub fn of<T>(step: &'static str, outcomes: Vec<(Record<T>, Outcome)>, is_ahead: bool) -> Self {
        let mut done = Self::default();
        for (record, outcome) in &outcomes {
            if matches!(outcome, Outcome::Stopped) {
                let first = done.stopped.entry(record.name.clone()).or_insert(record.offset);
                *first = record.offset.min(*first);
            }
        }
        for (record, outcome) in outcomes {
            let comes_again = |first: &i64| record.offset >= *first;
            if !is_ahead && done.stopped.get(&record.name).is_some_and(comes_again) {
                continue;
            }
            match outcome {
                Outcome::On(entries) => {
                    done.dropped += usize::from(entries.is_empty());
                    done.entries.extend(entries);
                }
                Outcome::Rejected(problem) => done.rejections.push(rejection(step, record, problem)),
                Outcome::Stopped => {}
            }
        }
        done
    }

    /// The function's answer: the mapping has the rest come again.
    #[must_use]
    pub fn answer(&self) -> Value {
        let failure = |(name, offset): (&String, &i64)| json!({"itemIdentifier": {"partition": name, "offset": offset}});
        let failures: Vec<Value> = self.stopped.iter().map(failure).collect();
        json!({"on": self.entries.len(), "rejected": self.rejections.len(), "dropped": self.dropped, "batchItemFailures": failures})
    }
}

fn rejection<T>(step: &'static str, record: Record<T>, problem: Problem) -> Rejection {
    Rejection {
        reason: problem.reason,
        code: problem.code,
        step,
        at: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        event: record.event,
        token: record.token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Value {
        let record = |offset: i64, value: Value| json!({"topic": "t", "partition": 0, "offset": offset, "value": STANDARD.encode(value.to_string())});
        json!({"eventSource": "aws:kafka", "records": {
            "t-0": [record(1, json!("a")), {"topic": "t", "value": null}, record(2, json!({"event": "e"})), record(3, json!("b"))],
            "t-1": [record(1, json!("c"))]}})
    }

    fn said(record: &Record<String>) -> Vec<Entry> {
        let key = record.value.clone().unwrap();
        vec![Entry {
            step: "resolve",
            topic: "t",
            key,
            value: Value::Null,
        }]
    }

    #[test]
    fn records_come_in_order_without_tombstones() {
        let records = read::<String>(&batch(), |_| None);
        let values: Vec<_> = records.iter().map(|record| record.value.as_deref()).collect();
        assert_eq!(values, [Some("a"), None, Some("b"), Some("c")]);
    }

    #[test]
    fn a_broken_record_is_rejected_and_what_is_behind_goes_on() {
        let judge = |record: Record<String>| {
            let done = match record.value {
                Some(_) => Ok(said(&record)),
                None => Err(Failure::broken("not-json", "it is not")),
            };
            let outcome = Outcome::of(&record, done);
            (record, outcome)
        };
        let records = read::<String>(&batch(), |_| Some("token".to_owned()));
        let done = Done::of("resolve", records.into_iter().map(judge).collect(), false);
        assert_eq!(done.entries.len(), 3);
        let rejected = json!(done.rejections[0]);
        assert_eq!(
            (&rejected["event"], &rejected["token"], &rejected["offset"]),
            (&json!("e"), &json!("token"), &json!(2))
        );
        assert_eq!(done.answer()["batchItemFailures"], json!([]));
    }

    #[test]
    fn what_stops_has_all_behind_it_come_again() {
        let outcomes = || {
            let judge = |record: Record<String>| {
                let done = match record.value {
                    Some(_) => Ok(said(&record)),
                    None => Err(Failure::Contended("p".to_owned())),
                };
                let outcome = Outcome::of(&record, done);
                (record, outcome)
            };
            read::<String>(&batch(), |_| None)
                .into_iter()
                .map(judge)
                .collect()
        };
        let keys = |done: &Done| {
            done.entries
                .iter()
                .map(|entry| entry.key.clone())
                .collect::<Vec<_>>()
        };
        let done = Done::of("resolve", outcomes(), false);
        assert_eq!(keys(&done), ["a", "c"]);
        let again = json!([{"itemIdentifier": {"partition": "t-0", "offset": 2}}]);
        assert_eq!(done.answer()["batchItemFailures"], again);
        assert_eq!(keys(&Done::of("merge", outcomes(), true)), ["a", "b", "c"]);
    }
}
