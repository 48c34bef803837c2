//! The CloudFormation types: `AWS::SES::EmailIdentity`.

use std::sync::Arc;

use serde_json::Map;
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    ResourceType, optional_tags, required_text,
};

use crate::error::SesError;
use crate::model::{Identity, IdentityKey, IdentityName, check_tags};
use crate::service::SesService;

const REFUSED: &[(&str, &str)] = &[
    ("ConfigurationSetAttributes", "there are no configuration sets"),
    ("DkimAttributes", "mail is signed by the relay, if at all"),
    ("DkimSigningAttributes", "mail is signed by the relay, if at all"),
    ("FeedbackAttributes", "bounces go to the envelope's sender"),
    ("MailFromAttributes", "the envelope is from the sender"),
];

/// `AWS::SES::EmailIdentity`.
pub(crate) fn types(service: &SesService) -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(EmailIdentityType {
        service: service.clone(),
    })]
}

/// Identities of stacks.
#[derive(Debug)]
struct EmailIdentityType {
    service: SesService,
}

fn key(context: &ResourceContext, name: &str) -> Result<IdentityKey, SesError> {
    Ok(IdentityKey {
        account: context.account.clone(),
        region: context.region.clone(),
        name: IdentityName::parse(name)?,
    })
}

impl ResourceHandler for EmailIdentityType {
    fn type_name(&self) -> &'static str {
        "AWS::SES::EmailIdentity"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(&["EmailIdentity", "Tags"])
            .refusing("", REFUSED)
            .requiring(&["EmailIdentity"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["EmailIdentity"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let key = key(context, &required_text(properties, "EmailIdentity")?)?;
        let tags = optional_tags(properties, "Tags")?;
        check_tags(&tags)?;
        let owner = Some(context.owner());
        let decide = |existing: Option<Identity>| match existing {
            Some(found) if found.owner != owner => Err(SesError::OfAnother(key.name.to_string())),
            _ => Ok(Identity { tags, owner }),
        };
        self.service.change(&key, decide).await?;
        Ok(ResourceState {
            physical_id: key.name.to_string(),
            reference: None,
            attributes: Map::new(),
        })
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let key = key(context, &current.physical_id)?;
        let owner = Some(context.owner());
        match self.service.remove(&key, |found| found.owner == owner).await {
            Ok(()) | Err(SesError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
