//! Statements of a topic's policy. Policies are kept, not evaluated.

use serde_json::{Value, json};
use tradewind_model::AccountId;
use tradewind_wire::Params;

use super::{Answer, attributes::default_policy};
use crate::error::SnsError;
use crate::model::Topic;
use crate::names::TopicArn;
use crate::protocol::{list, required};
use crate::service::SnsService;

/// Actions a permission may name.
const ACTIONS: &[&str] = &[
    "AddPermission",
    "DeleteTopic",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "Publish",
    "Receive",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
];

impl SnsService {
    pub(super) async fn add_permission(&self, params: &Params) -> Answer {
        let arn: TopicArn = required(params, "TopicArn")?.parse()?;
        let label = required(params, "Label")?;
        let (accounts, actions) = (list(params, "AWSAccountId"), list(params, "ActionName"));
        if let Some(unknown) = actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) {
            let text = format!("Policy statement action out of service scope! ({unknown})");
            return Err(SnsError::InvalidParameter(text));
        }
        if accounts.is_empty()
            || accounts
                .iter()
                .any(|account| account.parse::<AccountId>().is_err())
        {
            return Err(SnsError::invalid("AWSAccountId", "twelve digits each"));
        }
        let principals: Vec<_> = accounts
            .iter()
            .map(|account| format!("arn:aws:iam::{account}:root"))
            .collect();
        let statement = json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": one_or_many(principals)},
            "Action": one_or_many(actions.iter().map(|action| format!("SNS:{action}")).collect()),
            "Resource": arn.to_string(),
        });
        let change = |statements: &mut Vec<Value>| {
            if statements.iter().any(|statement| statement["Sid"] == label) {
                return Err(SnsError::InvalidParameter("Statement already exists".into()));
            }
            statements.push(statement);
            Ok(())
        };
        self.change_policy(&arn, change).await
    }

    pub(super) async fn remove_permission(&self, params: &Params) -> Answer {
        let arn: TopicArn = required(params, "TopicArn")?.parse()?;
        let label = required(params, "Label")?;
        let change = |statements: &mut Vec<Value>| {
            statements.retain(|statement| statement["Sid"] != label);
            Ok(())
        };
        self.change_policy(&arn, change).await
    }

    async fn change_policy(
        &self,
        arn: &TopicArn,
        change: impl FnOnce(&mut Vec<Value>) -> Result<(), SnsError>,
    ) -> Answer {
        let decide = |topic: Option<&Topic>| {
            let mut topic = topic.ok_or(SnsError::TopicDoesNotExist)?.clone();
            let policy = topic.attributes.get("Policy").map(str::to_owned);
            let policy = policy.unwrap_or_else(|| default_policy(arn));
            let mut document: Value =
                serde_json::from_str(&policy).map_err(|error| SnsError::Internal(error.to_string()))?;
            let statement = &mut document["Statement"];
            if !statement.is_array() {
                *statement = Value::Array(vec![statement.take()]);
            }
            change(statement.as_array_mut().unwrap_or(&mut Vec::new()))?;
            topic.attributes.change("Policy", &document.to_string())?;
            Ok(Some(topic))
        };
        self.change_topic(arn, decide).await?;
        Ok(None)
    }
}

fn one_or_many(mut texts: Vec<String>) -> Value {
    match texts.len() {
        1 => texts.remove(0).into(),
        _ => texts.into(),
    }
}
