//! The CloudFormation types: topics, subscriptions, and policies of topics.

mod policy;
mod subscription;
mod topic;

use std::sync::Arc;

use serde_json::Value;
use tradewind_model::resource::{Properties, ResourceError, ResourceType, optional_text};

use crate::attributes::Given;
use crate::service::SnsService;

/// `AWS::SNS::Topic`, `AWS::SNS::Subscription` and `AWS::SNS::TopicPolicy`.
pub(crate) fn types(service: &SnsService) -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(topic::TopicType::new(service.clone())),
        Arc::new(subscription::SubscriptionType::new(service.clone())),
        Arc::new(policy::TopicPolicyType::new(service.clone())),
    ]
}

/// The attributes of these names; documents may be objects or their text.
fn given(properties: &Properties, texts: &[&str], documents: &[&str]) -> Result<Given, ResourceError> {
    let mut given = Given::new();
    for name in texts {
        if let Some(text) = optional_text(properties, name)? {
            given.insert((*name).to_owned(), text);
        }
    }
    for name in documents {
        match properties.get(*name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => drop(given.insert((*name).to_owned(), text.clone())),
            Some(document) => drop(given.insert((*name).to_owned(), document.to_string())),
        }
    }
    Ok(given)
}
