//! `SendEmail` of the API v2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::SesError;
use crate::letter::Draft;
use crate::raw::{self, RawGiven};
use crate::send::Call;
use crate::service::SesService;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEmail {
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    feedback_forwarding_email_address: Option<String>,
    content: Option<Content>,
    from_email_address_identity_arn: Option<Value>,
    feedback_forwarding_email_address_identity_arn: Option<Value>,
    email_tags: Option<Value>,
    configuration_set_name: Option<Value>,
    endpoint_id: Option<Value>,
    tenant_name: Option<Value>,
    list_management_options: Option<Value>,
    configuration_overrides: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Option<Simple>,
    raw: Option<Raw>,
    template: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Text,
    body: Body,
    #[serde(default)]
    headers: Vec<Header>,
    attachments: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

/// Text of any charset: JSON has it as Unicode, and mail goes as UTF-8.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Header {
    name: String,
    value: String,
}

impl SendEmail {
    fn check(&self) -> Result<(), SesError> {
        let is_given = |value: &Option<Value>| {
            let value = value.as_ref();
            value
                .is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
        };
        let authorization = "an account sends from its own identities only";
        let refused = [
            (
                &self.from_email_address_identity_arn,
                "FromEmailAddressIdentityArn",
                authorization,
            ),
            (
                &self.feedback_forwarding_email_address_identity_arn,
                "FeedbackForwardingEmailAddressIdentityArn",
                authorization,
            ),
            (
                &self.email_tags,
                "EmailTags",
                "no events are published that would have them",
            ),
            (
                &self.configuration_set_name,
                "ConfigurationSetName",
                "there are no configuration sets",
            ),
            (&self.endpoint_id, "EndpointId", "there is one region"),
            (&self.tenant_name, "TenantName", "there are no tenants"),
            (
                &self.list_management_options,
                "ListManagementOptions",
                "there are no contact lists",
            ),
            (
                &self.configuration_overrides,
                "ConfigurationOverrides",
                "nothing is tracked",
            ),
        ];
        match refused.into_iter().find(|(value, ..)| is_given(value)) {
            Some((_, what, reason)) => Err(SesError::unsupported(what, reason)),
            None => Ok(()),
        }
    }

    fn draft(self, simple: Simple) -> Result<Draft, SesError> {
        if simple
            .attachments
            .is_some_and(|attachments| !attachments.is_empty())
        {
            let reason = "send them as `Raw`, a whole MIME message";
            return Err(SesError::unsupported("Attachments", reason));
        }
        let from = self
            .from_email_address
            .ok_or_else(|| missing("FromEmailAddress"))?;
        Ok(Draft {
            from,
            to: self.destination.to_addresses,
            cc: self.destination.cc_addresses,
            bcc: self.destination.bcc_addresses,
            reply_to: self.reply_to_addresses,
            bounces: self.feedback_forwarding_email_address,
            subject: simple.subject.data,
            text: simple.body.text.map(|text| text.data),
            html: simple.body.html.map(|html| html.data),
            headers: simple
                .headers
                .into_iter()
                .map(|header| (header.name, header.value))
                .collect(),
        })
    }

    fn given(self) -> RawGiven {
        let Destination {
            to_addresses,
            cc_addresses,
            bcc_addresses,
        } = self.destination;
        RawGiven {
            from: self.from_email_address,
            to: [to_addresses, cc_addresses, bcc_addresses].concat(),
            bounces: self.feedback_forwarding_email_address,
        }
    }
}

fn missing(member: &str) -> SesError {
    SesError::BadRequest(format!("{member} is required."))
}

impl SesService {
    pub(super) async fn send_email(&self, call: &Call, mut request: SendEmail) -> Result<Value, SesError> {
        request.check()?;
        let id = self.new_id();
        let content = request.content.take().ok_or_else(|| missing("Content"))?;
        let letter = match (content.simple, content.raw, content.template) {
            (Some(simple), None, None) => request.draft(simple)?.write(&id, self.now())?,
            (None, Some(raw), None) => {
                let data = STANDARD.decode(&raw.data);
                let data =
                    data.map_err(|_not_base64| SesError::Malformed("Raw.Data is not base64".into()))?;
                raw::letter(&data, &request.given(), &id, self.now())?
            }
            (None, None, Some(_)) => {
                return Err(SesError::unsupported("Template", "write the text yourself"));
            }
            _ => {
                return Err(SesError::BadRequest(
                    "Content has to have one of Simple, Raw and Template.".into(),
                ));
            }
        };
        self.send(call, &id, &letter).await?;
        Ok(json!({"MessageId": id}))
    }
}
