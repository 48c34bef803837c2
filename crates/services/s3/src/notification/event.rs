//! Events of objects, and their form on the wire (S3 User Guide, "Event message structure", 2.1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use tradewind_model::{RequestId, Timestamp};

use super::Audience;

/// What of a key is sent as it is; a space becomes `+`.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/')
    .remove(b' ');

/// The address of every client: a node listens on loopback only.
const SOURCE: &str = "127.0.0.1";

/// Something that happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventName {
    Put,
    Post,
    Copy,
    CompleteMultipartUpload,
    Delete,
    DeleteMarkerCreated,
    TaggingPut,
    TaggingDelete,
    AclPut,
    ExpirationDelete,
    ExpirationDeleteMarkerCreated,
}

impl EventName {
    /// The name in messages: without the `s3:` of configurations.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Post => "ObjectCreated:Post",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
            Self::DeleteMarkerCreated => "ObjectRemoved:DeleteMarkerCreated",
            Self::TaggingPut => "ObjectTagging:Put",
            Self::TaggingDelete => "ObjectTagging:Delete",
            Self::AclPut => "ObjectAcl:Put",
            Self::ExpirationDelete => "LifecycleExpiration:Delete",
            Self::ExpirationDeleteMarkerCreated => "LifecycleExpiration:DeleteMarkerCreated",
        }
    }

    /// `detail-type` and `reason` on the event bus.
    fn on_bus(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Put => ("Object Created", Some("PutObject")),
            Self::Post => ("Object Created", Some("POST Object")),
            Self::Copy => ("Object Created", Some("CopyObject")),
            Self::CompleteMultipartUpload => ("Object Created", Some("CompleteMultipartUpload")),
            Self::Delete | Self::DeleteMarkerCreated => ("Object Deleted", Some("DeleteObject")),
            Self::ExpirationDelete | Self::ExpirationDeleteMarkerCreated => {
                ("Object Deleted", Some("Lifecycle Expiration"))
            }
            Self::TaggingPut => ("Object Tags Added", None),
            Self::TaggingDelete => ("Object Tags Deleted", None),
            Self::AclPut => ("Object ACL Updated", None),
        }
    }

    fn is_expiration(self) -> bool {
        matches!(self, Self::ExpirationDelete | Self::ExpirationDeleteMarkerCreated)
    }

    /// `deletion-type` on the event bus.
    fn deletion(self) -> Option<&'static str> {
        match self {
            Self::Delete | Self::ExpirationDelete => Some("Permanently Deleted"),
            Self::DeleteMarkerCreated | Self::ExpirationDeleteMarkerCreated => Some("Delete Marker Created"),
            _ => None,
        }
    }
}

/// What is told with an event, the same to all.
pub(super) struct Telling<'a> {
    pub(super) audience: &'a Audience,
    pub(super) now: Timestamp,
    pub(super) request: &'a RequestId,
    pub(super) sequencer: &'a str,
}

/// An event that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectEvent<'a> {
    pub(crate) name: EventName,
    pub(crate) key: &'a str,
    /// Bytes; absent where nothing is there any more.
    pub(crate) size: Option<u64>,
    /// Without quotes.
    pub(crate) e_tag: Option<&'a str>,
    /// Absent in a bucket that was never versioned.
    pub(crate) version_id: Option<&'a str>,
}

impl ObjectEvent<'_> {
    /// The message that tells of it to a function, a queue or a topic.
    pub(super) fn body(&self, telling: &Telling<'_>, configuration_id: &str) -> String {
        let Telling {
            audience: of,
            now,
            request,
            sequencer,
        } = telling;
        json!({"Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": of.region,
            "eventTime": now.to_rfc3339(),
            "eventName": self.name.as_str(),
            "userIdentity": {"principalId": format!("AWS:{}", of.account)},
            "requestParameters": {"sourceIPAddress": SOURCE},
            "responseElements": {
                "x-amz-request-id": request.as_str(),
                "x-amz-id-2": request.as_str(),
            },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": configuration_id,
                "bucket": {
                    "name": of.bucket,
                    "ownerIdentity": {"principalId": of.account},
                    "arn": format!("arn:aws:s3:::{}", of.bucket),
                },
                "object": self.object(sequencer),
            },
        }]})
        .to_string()
    }

    /// The event for the bus (S3 User Guide, "EventBridge event message structure").
    pub(super) fn for_bus(&self, telling: &Telling<'_>) -> String {
        let Telling {
            audience: of,
            now,
            request,
            sequencer,
        } = telling;
        let (detail_type, reason) = self.name.on_bus();
        let mut object = Map::new();
        object.insert("key".into(), self.key.into());
        if let Some(size) = self.size {
            object.insert("size".into(), size.into());
        }
        if let Some(e_tag) = self.e_tag {
            object.insert("etag".into(), e_tag.into());
        }
        if let Some(version_id) = self.version_id {
            object.insert("version-id".into(), version_id.into());
        }
        object.insert("sequencer".into(), (*sequencer).into());
        let mut detail = json!({
            "version": "0",
            "bucket": {"name": of.bucket},
            "object": object,
            "request-id": request.as_str(),
        });
        if self.name.is_expiration() {
            detail["requester"] = "s3.amazonaws.com".into();
        } else {
            detail["requester"] = of.account.as_str().into();
            detail["source-ip-address"] = SOURCE.into();
        }
        if let Some(reason) = reason {
            detail["reason"] = reason.into();
        }
        if let Some(kind) = self.name.deletion() {
            detail["deletion-type"] = kind.into();
        }
        json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": detail_type,
            "source": "aws.s3",
            "account": of.account,
            "time": to_the_second(*now),
            "region": of.region,
            "resources": [format!("arn:aws:s3:::{}", of.bucket)],
            "detail": detail,
        })
        .to_string()
    }

    fn object(&self, sequencer: &str) -> Value {
        let mut object = Map::new();
        object.insert("key".into(), encode(self.key).into());
        if let Some(size) = self.size {
            object.insert("size".into(), size.into());
        }
        if let Some(e_tag) = self.e_tag {
            object.insert("eTag".into(), e_tag.into());
        }
        if let Some(version_id) = self.version_id {
            object.insert("versionId".into(), version_id.into());
        }
        object.insert("sequencer".into(), sequencer.into());
        object.into()
    }
}

/// A key as events carry it.
fn encode(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string().replace(' ', "+")
}

/// `2026-11-20T23:08:00Z`: how events of a bus write a time.
fn to_the_second(at: Timestamp) -> String {
    let seconds = Timestamp::from_millis(at.as_millis().div_euclid(1000) * 1000);
    seconds.to_rfc3339().replace(".000Z", "Z")
}

/// The message that says to a queue that it was chosen.
pub(super) fn test_body(bucket: &str, now: Timestamp, request: &RequestId) -> String {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": now.to_rfc3339(),
        "Bucket": bucket,
        "RequestId": request.to_string(),
        "HostId": request.to_string(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> ObjectEvent<'static> {
        ObjectEvent {
            name: EventName::Put,
            key: "a b/ü+1.jpg",
            size: Some(3),
            e_tag: Some("900150983cd24fb0d6963f7d28e17f72"),
            version_id: None,
        }
    }

    #[test]
    fn an_event_has_the_form_of_version_2_1() {
        let audience = Audience::new("000000000000", "eu-west-1", "orders", None);
        let telling = Telling {
            audience: &audience,
            now: Timestamp::from_millis(0),
            request: &RequestId::random(),
            sequencer: "00",
        };
        let body = event().body(&telling, "mine");
        let record: Value = serde_json::from_str(&body).unwrap();
        let record = &record["Records"][0];
        assert_eq!(record["eventTime"], "1970-01-01T00:00:00.000Z");
        assert_eq!(record["eventName"], "ObjectCreated:Put");
        assert_eq!(record["s3"]["configurationId"], "mine");
        assert_eq!(record["s3"]["bucket"]["arn"], "arn:aws:s3:::orders");
        assert_eq!(
            record["s3"]["object"],
            json!({"key": "a+b/%C3%BC%2B1.jpg", "size": 3,
                "eTag": "900150983cd24fb0d6963f7d28e17f72", "sequencer": "00"})
        );
    }

    #[test]
    fn a_removal_tells_no_size() {
        let gone = ObjectEvent {
            name: EventName::Delete,
            size: None,
            e_tag: None,
            version_id: Some("v"),
            ..event()
        };
        assert_eq!(
            gone.object("01"),
            json!({"key": "a+b/%C3%BC%2B1.jpg", "versionId": "v", "sequencer": "01"})
        );
    }

    #[test]
    fn an_event_on_the_bus_has_the_form_of_eventbridge() {
        let audience = Audience::new("000000000000", "eu-west-1", "orders", None);
        let request = RequestId::random();
        let telling = Telling {
            audience: &audience,
            now: Timestamp::from_millis(999),
            request: &request,
            sequencer: "00",
        };
        let told =
            |event: ObjectEvent<'_>| -> Value { serde_json::from_str(&event.for_bus(&telling)).unwrap() };
        let mut made = told(event());
        assert_eq!(made["id"].take().as_str().unwrap().len(), 36);
        let expected = json!({
            "version": "0", "id": null, "detail-type": "Object Created", "source": "aws.s3",
            "account": "000000000000", "time": "1970-01-01T00:00:00Z", "region": "eu-west-1",
            "resources": ["arn:aws:s3:::orders"],
            "detail": {
                "version": "0", "bucket": {"name": "orders"},
                "object": {"key": "a b/ü+1.jpg", "size": 3, "etag": "900150983cd24fb0d6963f7d28e17f72",
                    "sequencer": "00"},
                "request-id": request.as_str(), "requester": "000000000000",
                "source-ip-address": "127.0.0.1", "reason": "PutObject",
            },
        });
        assert_eq!(made, expected);
        let expired = told(ObjectEvent {
            name: EventName::ExpirationDeleteMarkerCreated,
            version_id: Some("v"),
            ..event()
        });
        let detail = &expired["detail"];
        assert_eq!(
            (&expired["detail-type"], &detail["reason"]),
            (&json!("Object Deleted"), &json!("Lifecycle Expiration"))
        );
        assert_eq!(detail["deletion-type"], "Delete Marker Created");
        assert_eq!(
            (detail.get("source-ip-address"), &detail["requester"]),
            (None, &json!("s3.amazonaws.com"))
        );
    }
}
