//! Making, listing and deleting topics.

use tradewind_wire::{Params, xml_element};

use super::{Answer, Call, check_tags, page};
use crate::attributes::TopicAttributes;
use crate::error::SnsError;
use crate::model::Topic;
use crate::names::{TopicArn, TopicName};
use crate::protocol::{map, members, required, tags};
use crate::service::SnsService;

impl SnsService {
    pub(super) async fn create_topic(&self, call: &Call, params: &Params) -> Answer {
        let name: TopicName = required(params, "Name")?.parse()?;
        if params
            .get("DataProtectionPolicy")
            .is_some_and(|policy| !policy.is_empty())
        {
            return Err(SnsError::refused(
                "DataProtectionPolicy",
                "data protection is not served",
            ));
        }
        let attributes = TopicAttributes::new(name.is_fifo(), &map(params, "Attributes"))?;
        let tags = tags(params);
        check_tags(&tags)?;
        let arn = TopicArn {
            account: call.account.clone(),
            region: call.region.clone(),
            name,
        };
        let differs = |what: &str| {
            let reason = format!("Topic already exists with different {what}");
            Err(SnsError::invalid(
                if what == "tags" { "Tags" } else { "Attributes" },
                &reason,
            ))
        };
        let decide = |existing: Option<&Topic>| match existing {
            Some(topic) if !topic.attributes.agrees_with(&attributes) => differs("attributes"),
            Some(topic) if !tags.is_empty() && topic.tags != tags => differs("tags"),
            Some(_) => Ok(None),
            None => Ok(Some(Topic {
                arn: arn.clone(),
                attributes: attributes.clone(),
                tags: tags.clone(),
                owner: None,
                policy_owner: None,
            })),
        };
        let topic = self.change_topic(&arn, decide).await?;
        Ok(Some(xml_element("TopicArn", &topic.arn.to_string())))
    }

    pub(super) async fn delete_topic_of(&self, params: &Params) -> Answer {
        let arn = required(params, "TopicArn")?.parse()?;
        self.delete_topic(&arn, |_topic| true).await?;
        Ok(None)
    }

    pub(super) fn list_topics(&self, call: &Call, params: &Params) -> Answer {
        let (arns, token) = self.registry(|registry| {
            let own = registry.topics_of(&call.account, &call.region);
            page(params, own.map(|topic| topic.arn.to_string()))
        })?;
        let topics = members("Topics", arns.iter().map(|arn| xml_element("TopicArn", arn)));
        Ok(Some(topics + &token))
    }
}
