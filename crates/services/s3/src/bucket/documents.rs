//! The documents that properties of `AWS::S3::Bucket` are: parsed, checked like those of the API.

mod lifecycle;
mod shapes;

use s3s::S3Error;
use s3s::dto::{
    AccessControlPolicy, BucketLifecycleConfiguration, CORSConfiguration, NotificationConfiguration,
    ObjectLockConfiguration, OwnershipControls, PublicAccessBlockConfiguration,
    ServerSideEncryptionConfiguration, Tag, Tagging, WebsiteConfiguration,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tradewind_model::resource::{Properties, optional_tags};

use crate::configuration::{self, Document};
use crate::error::BucketError;
use crate::{lifecycle as rules, lock, notification, website};

/// A property that is a document, and its kind in the table.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("AccessControl", AccessControlPolicy::KIND),
    ("BucketEncryption", ServerSideEncryptionConfiguration::KIND),
    ("CorsConfiguration", CORSConfiguration::KIND),
    ("LifecycleConfiguration", BucketLifecycleConfiguration::KIND),
    ("NotificationConfiguration", NotificationConfiguration::KIND),
    ("ObjectLockConfiguration", ObjectLockConfiguration::KIND),
    ("OwnershipControls", OwnershipControls::KIND),
    (
        "PublicAccessBlockConfiguration",
        PublicAccessBlockConfiguration::KIND,
    ),
    ("Tags", Tagging::KIND),
    ("WebsiteConfiguration", WebsiteConfiguration::KIND),
];

/// What the properties say, as rows of the table.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Documents {
    /// Kind and document.
    pub(super) rows: Vec<(&'static str, String)>,
    /// Where notifications go: those queues have to exist.
    pub(super) notification: Option<NotificationConfiguration>,
}

impl Documents {
    /// The documents of the properties.
    ///
    /// # Errors
    /// When a property has the wrong form, or S3 would refuse its document.
    pub(super) fn of(properties: &Properties, account: &str) -> Result<Self, BucketError> {
        let mut documents = Self::default();
        documents.access(properties, account)?;
        if let Some(given) = parse::<shapes::Encryption>(properties, "BucketEncryption")? {
            documents.add("BucketEncryption", &given.into(), configuration::check_encryption)?;
        }
        if let Some(given) = parse::<shapes::Cors>(properties, "CorsConfiguration")? {
            documents.add("CorsConfiguration", &given.into(), configuration::check_cors)?;
        }
        if let Some(given) = parse::<lifecycle::Lifecycle>(properties, "LifecycleConfiguration")? {
            let document = given.into_document()?;
            documents.add(
                "LifecycleConfiguration",
                &rules::named(document),
                rules::rules::check,
            )?;
        }
        if let Some(given) = parse::<shapes::Notification>(properties, "NotificationConfiguration")? {
            let document = notification::named(given.into());
            documents.add("NotificationConfiguration", &document, notification::check)?;
            documents.notification = Some(document);
        }
        documents.object_lock(properties)?;
        if let Some(given) = parse::<shapes::Website>(properties, "WebsiteConfiguration")? {
            documents.add("WebsiteConfiguration", &given.into(), website::check)?;
        }
        documents.tags(properties)?;
        Ok(documents)
    }

    fn access(&mut self, properties: &Properties, account: &str) -> Result<(), BucketError> {
        if let Some(name) = properties.get("AccessControl") {
            let owner = configuration::owner_of(account);
            let grants = name.as_str().and_then(canned);
            let grants = grants.and_then(|name| configuration::bucket_canned(name, &owner));
            let document = AccessControlPolicy {
                grants: Some(grants.ok_or(BucketError::Shape {
                    property: "AccessControl",
                    expected: "the name of a canned ACL, such as `Private` or `PublicRead`",
                })?),
                owner: Some(owner),
            };
            self.add("AccessControl", &document, |_| Ok(()))?;
        }
        if let Some(given) = parse::<shapes::Ownership>(properties, "OwnershipControls")? {
            self.add("OwnershipControls", &given.into(), configuration::check_ownership)?;
        }
        if let Some(given) = parse::<shapes::PublicAccess>(properties, "PublicAccessBlockConfiguration")? {
            let document = PublicAccessBlockConfiguration::from(given);
            self.add("PublicAccessBlockConfiguration", &document, |_| Ok(()))?;
        }
        Ok(())
    }

    fn object_lock(&mut self, properties: &Properties) -> Result<(), BucketError> {
        const PROPERTY: &str = "ObjectLockConfiguration";
        match parse::<shapes::ObjectLock>(properties, PROPERTY)? {
            Some(given) => self.add(PROPERTY, &given.into(), lock::check),
            None if is_locked(properties) => self.add(PROPERTY, &lock::enabled(), lock::check),
            None => Ok(()),
        }
    }

    fn tags(&mut self, properties: &Properties) -> Result<(), BucketError> {
        let tags = optional_tags(properties, "Tags")?;
        if tags.is_empty() {
            return Ok(());
        }
        let tag = |(key, value)| Tag {
            key: Some(key),
            value: Some(value),
        };
        let tag_set = tags.into_iter().map(tag).collect();
        self.add("Tags", &Tagging { tag_set }, |tagging| {
            configuration::check_bucket_tags(&tagging.tag_set)
        })
    }

    fn add<D: Document>(
        &mut self,
        property: &'static str,
        document: &D,
        check: impl FnOnce(&D) -> Result<(), S3Error>,
    ) -> Result<(), BucketError> {
        let refused = |source: S3Error| BucketError::Document {
            property,
            message: source.message().unwrap_or(source.code().as_str()).to_owned(),
        };
        check(document).map_err(refused)?;
        self.rows
            .push((D::KIND, configuration::print(document).map_err(refused)?));
        Ok(())
    }
}

/// Whether the bucket is made with object lock.
pub(super) fn is_locked(properties: &Properties) -> bool {
    let enabled = properties.get("ObjectLockEnabled");
    enabled.is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("true"))
}

fn parse<T: DeserializeOwned>(
    properties: &Properties,
    property: &'static str,
) -> Result<Option<T>, BucketError> {
    let Some(value) = properties.get(property) else {
        return Ok(None);
    };
    let parsed = T::deserialize(Value::clone(value));
    parsed.map(Some).map_err(|error| BucketError::Document {
        property,
        message: error.to_string(),
    })
}

/// The canned ACL of a name in a template's spelling.
fn canned(name: &str) -> Option<&'static str> {
    Some(match name {
        "Private" | "BucketOwnerRead" | "BucketOwnerFullControl" | "AwsExecRead" => "private",
        "PublicRead" => "public-read",
        "PublicReadWrite" => "public-read-write",
        "AuthenticatedRead" => "authenticated-read",
        "LogDeliveryWrite" => "log-delivery-write",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
