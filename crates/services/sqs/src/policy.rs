//! Statements that `AddPermission` writes into a queue's policy. Policies are kept, not evaluated.

use serde_json::{Value, json};

use crate::error::SqsError;
use crate::names::QueueArn;

/// Actions a permission may name: those that a queue's owner can share.
const ACTIONS: &[&str] = &[
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];
/// Statements that `AddPermission` may make of a queue's policy.
const MAX_STATEMENTS: usize = 20;
const MAX_ACTIONS: usize = 7;

/// The policy with one more statement.
pub(crate) fn with_statement(
    policy: Option<&str>,
    queue: &QueueArn,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<String, SqsError> {
    let mut document = read(policy, queue)?;
    let statements = statements(&mut document)?;
    if statements.iter().any(|statement| statement["Sid"] == label) {
        return Err(SqsError::value(label, "Label", "Already exists."));
    }
    if statements.len() >= MAX_STATEMENTS {
        return Err(SqsError::OverLimit(format!(
            "{} statements were found, maximum allowed is {MAX_STATEMENTS}.",
            statements.len() + 1
        )));
    }
    if actions.len() > MAX_ACTIONS {
        return Err(SqsError::OverLimit(format!(
            "{} Actions were found, maximum allowed is {MAX_ACTIONS}.",
            actions.len()
        )));
    }
    if let Some(unknown) = actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) {
        let reason = format!(
            "Only the queue owner is allowed to invoke this action, or there is none: one of {}.",
            ACTIONS.join(", ")
        );
        return Err(SqsError::value(format!("SQS:{unknown}"), "ActionName", &reason));
    }
    if let Some(wrong) = accounts
        .iter()
        .find(|account| account.parse::<tradewind_model::AccountId>().is_err())
    {
        return Err(SqsError::value(wrong, "PrincipalId", "Unable to verify."));
    }
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_many(accounts, |account| format!("arn:aws:iam::{account}:root"))},
        "Action": one_or_many(actions, |action| format!("SQS:{action}")),
        "Resource": queue.to_string(),
    }));
    Ok(document.to_string())
}

/// The policy without the statement of that label; none when it was the last.
pub(crate) fn without_statement(
    policy: Option<&str>,
    queue: &QueueArn,
    label: &str,
) -> Result<Option<String>, SqsError> {
    let mut document = read(policy, queue)?;
    let statements = statements(&mut document)?;
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != label);
    if statements.len() == before {
        return Err(SqsError::value(label, "Label", "can't find label."));
    }
    let is_empty = statements.is_empty();
    Ok((!is_empty).then(|| document.to_string()))
}

fn read(policy: Option<&str>, queue: &QueueArn) -> Result<Value, SqsError> {
    let Some(text) = policy else {
        let id = format!("{queue}/SQSDefaultPolicy");
        return Ok(json!({"Version": "2008-10-17", "Id": id, "Statement": []}));
    };
    serde_json::from_str(text).map_err(|error| SqsError::Internal(error.to_string()))
}

/// The statements as a list: a policy may have a single one without.
fn statements(document: &mut Value) -> Result<&mut Vec<Value>, SqsError> {
    let statement = &mut document["Statement"];
    if !statement.is_array() {
        *statement = Value::Array(vec![statement.take()]);
    }
    statement
        .as_array_mut()
        .ok_or_else(|| SqsError::Internal("a policy has no statements".into()))
}

fn one_or_many(texts: &[String], write: impl Fn(&str) -> String) -> Value {
    match texts {
        [one] => write(one).into(),
        many => many.iter().map(|text| write(text)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> QueueArn {
        "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_permission_is_a_statement_as_sqs_writes_it() {
        let accounts = texts(&["111111111111", "222222222222"]);
        let policy = with_statement(None, &queue(), "label", &accounts, &texts(&["ReceiveMessage"])).unwrap();
        let document: Value = serde_json::from_str(&policy).unwrap();
        let expected = json!({
            "Version": "2008-10-17",
            "Id": "arn:aws:sqs:us-east-1:000000000000:q/SQSDefaultPolicy",
            "Statement": [{
                "Sid": "label",
                "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"]},
                "Action": "SQS:ReceiveMessage",
                "Resource": "arn:aws:sqs:us-east-1:000000000000:q",
            }]
        });
        assert_eq!(document, expected);
        let error = with_statement(Some(&policy), &queue(), "label", &accounts, &texts(&["*"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Value label for parameter Label is invalid. Reason: Already exists."
        );
        assert_eq!(without_statement(Some(&policy), &queue(), "label").unwrap(), None);
        let error = without_statement(Some(&policy), &queue(), "other").unwrap_err();
        assert!(error.to_string().ends_with("can't find label."), "{error}");
    }

    #[test]
    fn statements_of_others_stay() {
        let own = "{\"Statement\": {\"Sid\": \"mine\", \"Effect\": \"Deny\"}}";
        let both = with_statement(
            Some(own),
            &queue(),
            "l",
            &texts(&["111111111111"]),
            &texts(&["*"]),
        )
        .unwrap();
        let left = without_statement(Some(&both), &queue(), "l").unwrap().unwrap();
        let left: Value = serde_json::from_str(&left).unwrap();
        assert_eq!(left["Statement"][0]["Sid"], "mine");
    }

    #[test]
    fn what_cannot_be_shared_is_refused() {
        let one = texts(&["111111111111"]);
        assert!(with_statement(None, &queue(), "l", &one, &texts(&["DeleteQueue"])).is_err());
        assert!(with_statement(None, &queue(), "l", &texts(&["1"]), &texts(&["*"])).is_err());
    }
}
