//! What a function says of a batch of a queue's messages: which of them failed ("Reporting batch item failures
//! for Lambda functions with an Amazon SQS trigger"). Event source mappings and pipes read it alike.

use std::collections::HashSet;

use serde_json::Value;

/// A record of a batch, as answers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchItem<'a> {
    /// What `itemIdentifier` names it by: the message id.
    pub id: &'a str,
    /// The message group, if the source is ordered.
    pub group: Option<&'a str>,
}

/// What becomes of the records of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All are done.
    Done,
    /// None is: the answer says so, or cannot be understood.
    Failed,
    /// Those at these positions failed; the others are done.
    Partly(Vec<usize>),
}

/// The elements of `batchItemFailures` in the answer to a batch, whatever the source names its records by. None,
/// which fails the whole batch, for what is no answer of that kind; no such member and null are an empty list.
#[must_use]
pub fn batch_item_failures(answer: &[u8]) -> Option<Vec<Value>> {
    match serde_json::from_slice(answer).ok()? {
        Value::Null => Some(Vec::new()),
        Value::Object(mut members) => match members.remove("batchItemFailures") {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(failures)) => Some(failures),
            Some(_) => None,
        },
        _ => None,
    }
}

/// Reads `batchItemFailures` of the answer to a batch of messages.
///
/// No such member, null and the empty list mean success. An answer that is no JSON object, and an identifier
/// that is empty, no text, or of no record fail the whole batch. Of an ordered source a record that comes
/// after a failed one of its group failed, too: it must not leave before that one.
#[must_use]
pub fn verdict(answer: &[u8], items: &[BatchItem<'_>]) -> Verdict {
    let Some(failures) = batch_item_failures(answer) else {
        return Verdict::Failed;
    };
    let Some(named) = failures.iter().map(identifier).collect::<Option<HashSet<_>>>() else {
        return Verdict::Failed;
    };
    let known: HashSet<&str> = items.iter().map(|item| item.id).collect();
    match named {
        none if none.is_empty() => Verdict::Done,
        named if named.is_subset(&known) => Verdict::Partly(with_those_behind(&named, items)),
        _ => Verdict::Failed,
    }
}

fn identifier(failure: &Value) -> Option<&str> {
    failure
        .get("itemIdentifier")?
        .as_str()
        .filter(|id| !id.is_empty())
}

fn with_those_behind(named: &HashSet<&str>, items: &[BatchItem<'_>]) -> Vec<usize> {
    let mut stopped: HashSet<&str> = HashSet::new();
    let mut failed = Vec::new();
    for (position, item) in items.iter().enumerate() {
        let is_behind = item.group.is_some_and(|group| stopped.contains(group));
        if is_behind || named.contains(item.id) {
            failed.push(position);
            stopped.extend(item.group);
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn three() -> [BatchItem<'static>; 3] {
        ["a", "b", "c"].map(|id| BatchItem { id, group: None })
    }

    #[test]
    fn answers_that_mean_success() {
        for answer in [
            "null",
            "{}",
            r#"{"batchItemFailures":null}"#,
            r#"{"batchItemFailures":[]}"#,
            r#"{"x":1}"#,
        ] {
            assert_eq!(verdict(answer.as_bytes(), &three()), Verdict::Done, "{answer}");
        }
    }

    #[test]
    fn answers_that_fail_the_whole_batch() {
        for answer in [
            "",
            "no json",
            "[]",
            r#""text""#,
            r#"{"batchItemFailures":"a"}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":[{}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#,
            r#"{"batchItemFailures":[{"itemidentifier":"a"}]}"#,
        ] {
            assert_eq!(verdict(answer.as_bytes(), &three()), Verdict::Failed, "{answer}");
        }
    }

    #[test]
    fn those_that_are_named_failed() {
        let answer = br#"{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"},{"itemIdentifier":"a"}]}"#;
        assert_eq!(verdict(answer, &three()), Verdict::Partly(vec![0, 2]));
    }

    proptest! {
        /// Whatever fails in a FIFO queue's batch: what is acked of a group is a beginning of it.
        #[test]
        fn of_a_group_only_a_beginning_is_done(
            groups in prop::collection::vec(0_u8..3, 1..20), failing in prop::collection::vec(any::<bool>(), 20),
        ) {
            let names: Vec<(String, String)> = groups.iter().enumerate()
                .map(|(i, group)| (i.to_string(), group.to_string())).collect();
            let items: Vec<BatchItem<'_>> = names.iter()
                .map(|(id, group)| BatchItem { id, group: Some(group) }).collect();
            let failures: Vec<Value> = (0..items.len()).filter(|i| failing[*i])
                .map(|i| serde_json::json!({"itemIdentifier": i.to_string()})).collect();
            let answer = serde_json::json!({"batchItemFailures": failures}).to_string();
            let failed = match verdict(answer.as_bytes(), &items) {
                Verdict::Done => vec![],
                Verdict::Partly(failed) => failed,
                Verdict::Failed => unreachable!("all names are known"),
            };
            for position in 0..items.len() {
                let earlier_failed = (0..position).any(|i| failing[i] && groups[i] == groups[position]);
                prop_assert_eq!(failed.contains(&position), failing[position] || earlier_failed);
            }
        }
    }
}
