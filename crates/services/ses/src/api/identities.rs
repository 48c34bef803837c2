//! Identities of the API v2.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_wire::{page_of, read_page_token};

use super::identity;
use crate::error::SesError;
use crate::model::{Identity, IdentityKey, IdentityName, check_tags};
use crate::send::Call;
use crate::service::SesService;

const MAX_PAGE: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateIdentity {
    email_identity: Option<String>,
    tags: Option<Value>,
    dkim_signing_attributes: Option<Value>,
    configuration_set_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListIdentities {
    filter: Option<BTreeMap<String, String>>,
    next_token: Option<String>,
    page_size: Option<usize>,
}

/// The tags of a list of `{Key, Value}`.
fn parse_tags(given: Option<&Value>) -> Result<BTreeMap<String, String>, SesError> {
    let pair = |tag: &Value| {
        let text = |name: &str| tag.get(name).and_then(Value::as_str).map(str::to_owned);
        text("Key").zip(text("Value"))
    };
    let tags = match given {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(list) => list.as_array().and_then(|list| list.iter().map(pair).collect()),
    };
    let tags =
        tags.ok_or_else(|| SesError::BadRequest("Tags is a list of objects with Key and Value.".into()))?;
    check_tags(&tags)?;
    Ok(tags)
}

/// An identity is verified as soon as it is there.
fn view(name: &IdentityName) -> Value {
    json!({
        "IdentityType": name.kind(), "VerifiedForSendingStatus": true,
        "DkimAttributes": {"SigningEnabled": false, "Status": "NOT_STARTED", "Tokens": []},
    })
}

impl SesService {
    /// Records an identity that is not there yet.
    pub(super) async fn record(
        &self,
        key: &IdentityKey,
        tags: BTreeMap<String, String>,
    ) -> Result<(), SesError> {
        self.change(key, |existing| match existing {
            Some(_) => Err(SesError::AlreadyExists(key.name.to_string())),
            None => Ok(Identity { tags, owner: None }),
        })
        .await
    }

    pub(super) async fn create_email_identity(
        &self,
        call: &Call,
        request: CreateIdentity,
    ) -> Result<Value, SesError> {
        let key = identity(call, request.email_identity.as_deref().unwrap_or_default())?;
        if request.dkim_signing_attributes.is_some() {
            let reason = "mail is signed by the relay, if at all";
            return Err(SesError::unsupported("DkimSigningAttributes", reason));
        }
        if request.configuration_set_name.is_some() {
            let reason = "there are no configuration sets";
            return Err(SesError::unsupported("ConfigurationSetName", reason));
        }
        self.record(&key, parse_tags(request.tags.as_ref())?).await?;
        Ok(view(&key.name))
    }

    pub(super) fn get_email_identity(&self, call: &Call, name: &str) -> Result<Value, SesError> {
        let key = identity(call, name)?;
        let found = self.identity(&key)?;
        let mut view = view(&key.name);
        let tags: Vec<Value> = found
            .tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        view["Tags"] = json!(tags);
        view["Policies"] = json!({});
        view["FeedbackForwardingStatus"] = json!(false);
        view["VerificationStatus"] = json!("SUCCESS");
        Ok(view)
    }

    pub(super) async fn delete_email_identity(&self, call: &Call, name: &str) -> Result<Value, SesError> {
        self.remove(&identity(call, name)?, |_any| true).await?;
        Ok(json!({}))
    }

    pub(super) fn list_email_identities(
        &self,
        call: &Call,
        request: &ListIdentities,
    ) -> Result<Value, SesError> {
        const OPERATION: &str = "ListEmailIdentities";
        if request.filter.as_ref().is_some_and(|filter| !filter.is_empty()) {
            return Err(SesError::unsupported("Filter", "all identities are alike"));
        }
        let size = request.page_size.unwrap_or(MAX_PAGE);
        if !(1..=MAX_PAGE).contains(&size) {
            return Err(SesError::BadRequest(format!(
                "PageSize has to be 1 to {MAX_PAGE}."
            )));
        }
        let read = |token| {
            let invalid = |_no_token| SesError::BadRequest("NextToken is not valid.".into());
            read_page_token(OPERATION, token).map_err(invalid)
        };
        let after = request.next_token.as_deref().map(read).transpose()?;
        let all = self.identities_of(&call.account, &call.region).into_iter();
        let rest = all.filter(|name| after.as_deref().is_none_or(|after| name.as_str() > after));
        let (page, next) = page_of(OPERATION, rest, ToString::to_string, size);
        let page: Vec<Value> = page.iter().map(entry).collect();
        let mut answer = json!({"EmailIdentities": page});
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }
}

fn entry(name: &IdentityName) -> Value {
    json!({
        "IdentityType": name.kind(), "IdentityName": name, "SendingEnabled": true, "VerificationStatus": "SUCCESS",
    })
}
