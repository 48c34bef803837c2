//! The forms in which a message reaches its subscribers. SNS developer guide, "Message and JSON formats" and
//! "Verifying the signatures of messages".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tradewind_events::{AttributeValue, MessageAttribute};
use tradewind_model::Timestamp;

use crate::error::SnsError;
use crate::model::{Protocol, Subscription, Topic};
use crate::names::{SubscriptionArn, TopicArn};
use crate::publication::Publication;
use crate::signing::{SignatureVersion, Signer};

/// What every notification of a node has in common.
#[derive(Clone, Debug)]
pub(crate) struct Stationery {
    pub(crate) signer: Signer,
    /// Where endpoints reach this node.
    pub(crate) base_url: String,
}

/// One publication on its way to many subscriptions: each text is signed once.
pub(crate) struct Notifications<'p> {
    stationery: &'p Stationery,
    topic: &'p Topic,
    publication: &'p Publication,
    signatures: Vec<(String, String)>,
}

impl Stationery {
    fn certificate_url(&self) -> String {
        format!("{}{}", self.base_url, self.signer.path())
    }

    /// Ends a subscription when it is visited.
    fn unsubscribe_url(&self, subscription: &SubscriptionArn) -> String {
        let base = &self.base_url;
        format!("{base}/?Action=Unsubscribe&SubscriptionArn={subscription}&Version=2010-03-31")
    }

    /// Confirms a subscription when it is visited.
    pub(crate) fn subscribe_url(&self, topic: &TopicArn, token: &str) -> String {
        let base = &self.base_url;
        format!("{base}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}&Version=2010-03-31")
    }

    /// What asks an endpoint to confirm.
    pub(crate) fn confirmation(
        &self,
        (id, topic, token): (&str, &Topic, &str),
        at: Timestamp,
    ) -> Result<String, SnsError> {
        let (version, topic) = (topic.attributes.signature, &topic.arn);
        let message = format!(
            "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the \
             SubscribeURL included in this message."
        );
        let (url, topic, at) = (
            self.subscribe_url(topic, token),
            topic.to_string(),
            at.to_rfc3339(),
        );
        let signed = [
            ("Message", &*message),
            ("MessageId", id),
            ("SubscribeURL", &url),
            ("Timestamp", &at),
            ("Token", token),
            ("TopicArn", &topic),
            ("Type", "SubscriptionConfirmation"),
        ];
        let signature = self.signer.sign(&canonical(&signed), version)?;
        Ok(document(&[
            ("Type", "SubscriptionConfirmation"),
            ("MessageId", id),
            ("Token", token),
            ("TopicArn", &topic),
            ("Message", &message),
            ("SubscribeURL", &url),
            ("Timestamp", &at),
            ("SignatureVersion", version.name()),
            ("Signature", &signature),
            ("SigningCertURL", &self.certificate_url()),
        ]))
    }
}

impl Stationery {
    /// What asks a reader of mail to confirm.
    pub(crate) fn confirmation_letter(&self, topic: &TopicArn, token: &str) -> String {
        let url = self.subscribe_url(topic, token);
        format!(
            "Somebody subscribed this address to the topic\n{topic}\n\nTo confirm it, visit within two days\n\
             {url}\n\nIf you did not ask for it, do nothing: then nothing more is sent.\n"
        )
    }
}

impl<'p> Notifications<'p> {
    pub(crate) fn new(stationery: &'p Stationery, topic: &'p Topic, publication: &'p Publication) -> Self {
        Self {
            stationery,
            topic,
            publication,
            signatures: Vec::new(),
        }
    }

    fn version(&self) -> SignatureVersion {
        self.topic.attributes.signature
    }

    /// The signature of the publication with this text.
    fn signature(&mut self, text: &str) -> Result<String, SnsError> {
        if let Some((_, signature)) = self.signatures.iter().find(|(signed, _)| signed == text) {
            return Ok(signature.clone());
        }
        let (id, at) = (self.publication.id.to_string(), self.publication.at.to_rfc3339());
        let topic = self.topic.arn.to_string();
        let mut fields = vec![("Message", text), ("MessageId", &*id)];
        fields.extend(
            self.publication
                .subject
                .as_deref()
                .map(|subject| ("Subject", subject)),
        );
        fields.extend([
            ("Timestamp", &*at),
            ("TopicArn", &*topic),
            ("Type", "Notification"),
        ]);
        let signature = self.stationery.signer.sign(&canonical(&fields), self.version())?;
        self.signatures.push((text.to_owned(), signature.clone()));
        Ok(signature)
    }

    /// The JSON document that queues and endpoints get. Those of FIFO topics have a sequence number and no
    /// signature.
    pub(crate) fn document(&mut self, subscription: &Subscription) -> Result<String, SnsError> {
        let publication = self.publication;
        let text = publication.text(subscription.endpoint.protocol);
        let (id, at) = (publication.id.to_string(), publication.at.to_rfc3339());
        let topic = self.topic.arn.to_string();
        let sequence = publication.sequence.map(sequence_text);
        let signature = match sequence {
            None => Some(self.signature(text)?),
            Some(_) => None,
        };
        let certificate_url = self.stationery.certificate_url();
        let unsubscribe_url = self.stationery.unsubscribe_url(&subscription.arn);
        let mut fields = vec![("Type", "Notification"), ("MessageId", &*id)];
        fields.extend(sequence.as_deref().map(|sequence| ("SequenceNumber", sequence)));
        fields.push(("TopicArn", &topic));
        fields.extend(publication.subject.as_deref().map(|subject| ("Subject", subject)));
        fields.extend([("Message", text), ("Timestamp", &*at)]);
        if let Some(signature) = &signature {
            fields.extend([
                ("SignatureVersion", self.version().name()),
                ("Signature", signature),
                ("SigningCertURL", &certificate_url),
            ]);
        }
        fields.push(("UnsubscribeURL", &unsubscribe_url));
        Ok(with_attributes(document(&fields), &publication.attributes))
    }

    /// What readers of mail get.
    pub(crate) fn letter(&self, subscription: &Subscription) -> String {
        let text = self.publication.text(subscription.endpoint.protocol);
        let url = self.stationery.unsubscribe_url(&subscription.arn);
        format!("{text}\n\n--\nTo get no more messages of this topic, visit\n{url}\n")
    }

    /// The event that functions get.
    pub(crate) fn event(&mut self, subscription: &Subscription) -> Result<String, SnsError> {
        let publication = self.publication;
        let text = publication.text(Protocol::Lambda);
        let attributes = publication.attributes.iter();
        let attributes: Map<String, Value> = attributes
            .map(|attribute| (attribute.name.clone(), attribute_json(attribute)))
            .collect();
        let event = json!({"Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription.arn.to_string(),
            "Sns": {
                "Type": "Notification",
                "MessageId": publication.id.to_string(),
                "TopicArn": self.topic.arn.to_string(),
                "Subject": publication.subject,
                "Message": text,
                "Timestamp": publication.at.to_rfc3339(),
                "SignatureVersion": self.version().name(),
                "Signature": self.signature(text)?,
                "SigningCertUrl": self.stationery.certificate_url(),
                "UnsubscribeUrl": self.stationery.unsubscribe_url(&subscription.arn),
                "MessageAttributes": attributes,
            },
        }]});
        Ok(event.to_string())
    }
}

/// As clients see a place in the order: twenty digits.
pub(crate) fn sequence_text(sequence: u64) -> String {
    format!("{sequence:020}")
}

/// Names and values, each followed by a line break.
fn canonical(fields: &[(&str, &str)]) -> String {
    let lines = fields.iter().map(|(name, value)| format!("{name}\n{value}\n"));
    lines.collect()
}

/// An object of texts in SNS's layout.
fn document(fields: &[(&str, &str)]) -> String {
    let line = |(name, value): &(&str, &str)| format!("  \"{name}\" : {}", Value::from(*value));
    let lines: Vec<String> = fields.iter().map(line).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn with_attributes(mut document: String, attributes: &[MessageAttribute]) -> String {
    if attributes.is_empty() {
        return document;
    }
    let line = |attribute: &MessageAttribute| {
        let name = Value::from(attribute.name.as_str());
        format!("    {name} : {}", attribute_json(attribute))
    };
    let lines: Vec<String> = attributes.iter().map(line).collect();
    document.truncate(document.len() - "\n}".len());
    document + &format!(",\n  \"MessageAttributes\" : {{\n{}\n  }}\n}}", lines.join(",\n"))
}

fn attribute_json(attribute: &MessageAttribute) -> Value {
    let value = match &attribute.value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Binary(bytes) => STANDARD.encode(bytes),
    };
    json!({"Type": attribute.data_type, "Value": value})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_the_layout_of_sns_and_are_json() {
        let attributes = [MessageAttribute {
            name: "shop".into(),
            data_type: "String".into(),
            value: AttributeValue::Text("\"north\"".into()),
        }];
        let text = with_attributes(
            document(&[("Type", "Notification"), ("Message", "a\n\"b\"")]),
            &attributes,
        );
        let expected = "{\n  \"Type\" : \"Notification\",\n  \"Message\" : \"a\\n\\\"b\\\"\",\n  \
            \"MessageAttributes\" : {\n    \"shop\" : {\"Type\":\"String\",\"Value\":\"\\\"north\\\"\"}\n  }\n}";
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }

    #[test]
    fn what_is_signed_is_names_and_values_on_lines() {
        assert_eq!(
            canonical(&[("Message", "m"), ("Type", "t")]),
            "Message\nm\nType\nt\n"
        );
    }
}
