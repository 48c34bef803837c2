//! Publishing.

use std::collections::BTreeSet;

use tradewind_wire::{Params, xml_element};

use super::{Answer, Call};
use crate::error::SnsError;
use crate::model::Topic;
use crate::names::TopicArn;
use crate::notification::sequence_text;
use crate::protocol::{members, message_attributes, required};
use crate::publication::{Draft, MAX_BYTES, Publication};
use crate::service::{Published, SnsService};

const MAX_ENTRIES: usize = 10;
const MAX_ID: usize = 80;

/// A message of a batch.
struct Entry {
    id: String,
    draft: Result<Draft, SnsError>,
}

fn draft(params: &Params) -> Result<Draft, SnsError> {
    let owned = |name: &str| params.get(name).map(str::to_owned);
    Ok(Draft {
        message: required(params, "Message")?.to_owned(),
        subject: owned("Subject"),
        structure: owned("MessageStructure"),
        attributes: message_attributes(params)?,
        group: owned("MessageGroupId"),
        deduplication_id: owned("MessageDeduplicationId"),
    })
}

/// The ARN of the topic; other targets are refused by name.
fn target(params: &Params) -> Result<TopicArn, SnsError> {
    if params.get("PhoneNumber").is_some() {
        return Err(SnsError::refused("PhoneNumber", "text messages are not served"));
    }
    let (topic, target) = (params.get("TopicArn"), params.get("TargetArn"));
    let (name, arn) = match (topic, target) {
        (Some(arn), _) => ("TopicArn", arn),
        (None, Some(arn)) => ("TargetArn", arn),
        (None, None) => {
            let reason = "no value for required parameter";
            return Err(SnsError::invalid("TopicArn or TargetArn", reason));
        }
    };
    if arn.contains(":endpoint/") {
        return Err(SnsError::refused("TargetArn", "mobile push is not served"));
    }
    TopicArn::parse(arn, name)
}

impl SnsService {
    pub(super) async fn publish_one(&self, call: &Call, params: &Params) -> Answer {
        let topic = self.topic(&target(params)?)?;
        let publication = draft(params)?.check(&topic, self.now(), call.trace.clone())?;
        let published = self.publish(&topic, vec![publication]).await?;
        let shown = published.first().map(published_xml);
        Ok(Some(shown.unwrap_or_default()))
    }

    pub(super) async fn publish_batch(&self, call: &Call, params: &Params) -> Answer {
        let topic = self.topic(&required(params, "TopicArn")?.parse()?)?;
        let entries = entries(params)?;
        let (mut ids, mut publications, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for Entry { id, draft } in entries {
            match self.check_entry(call, &topic, draft) {
                Ok(publication) => {
                    ids.push(id);
                    publications.push(publication);
                }
                Err(error) => failed.push(failure(&id, &error)),
            }
        }
        let published = match publications.is_empty() {
            true => Vec::new(),
            false => self.publish(&topic, publications).await?,
        };
        let successes = ids.iter().zip(&published);
        let successful = successes.map(|(id, one)| xml_element("Id", id) + &published_xml(one));
        let successful = members("Successful", successful);
        Ok(Some(successful + &members("Failed", failed.into_iter())))
    }

    fn check_entry(
        &self,
        call: &Call,
        topic: &Topic,
        draft: Result<Draft, SnsError>,
    ) -> Result<Publication, SnsError> {
        draft?.check(topic, self.now(), call.trace.clone())
    }
}

fn entries(params: &Params) -> Result<Vec<Entry>, SnsError> {
    let given = params.members("PublishBatchRequestEntries.member");
    if given.is_empty() {
        return Err(SnsError::EmptyBatchRequest);
    }
    if given.len() > MAX_ENTRIES {
        return Err(SnsError::TooManyEntriesInBatchRequest);
    }
    let mut ids = BTreeSet::new();
    let mut entries = Vec::new();
    let mut bytes = 0;
    for entry in &given {
        let id = required(entry, "Id")?;
        if !is_entry_id(id) {
            return Err(SnsError::InvalidBatchEntryId);
        }
        if !ids.insert(id) {
            return Err(SnsError::BatchEntryIdsNotDistinct);
        }
        let draft = draft(entry);
        bytes += draft.as_ref().map_or(0, Draft::bytes);
        entries.push(Entry {
            id: id.to_owned(),
            draft,
        });
    }
    if bytes > MAX_BYTES {
        return Err(SnsError::BatchRequestTooLong);
    }
    Ok(entries)
}

fn is_entry_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain)
}

fn published_xml(published: &Published) -> String {
    let id = xml_element("MessageId", &published.message_id.to_string());
    match published.sequence {
        Some(sequence) => id + &xml_element("SequenceNumber", &sequence_text(sequence)),
        None => id,
    }
}

fn failure(id: &str, error: &SnsError) -> String {
    [
        ("Id", id),
        ("Code", error.code()),
        ("Message", &error.to_string()),
        ("SenderFault", if error.is_senders() { "true" } else { "false" }),
    ]
    .iter()
    .map(|(name, value)| xml_element(name, value))
    .collect()
}
