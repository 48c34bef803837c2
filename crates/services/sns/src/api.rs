//! The operations: a form in, XML out.

mod attributes;
mod permissions;
mod publish;
mod subscriptions;
mod tags;
mod topics;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use tradewind_events::Trace;
use tradewind_model::{AccountId, Region, RequestId};
use tradewind_wire::{
    Body, Caller, Params, ReadBodyError, Support, WireError, parse_query, query_error, query_response,
    query_response_without_result, read_body, xml_element,
};

pub(crate) use subscriptions::Subscribing;
pub(crate) use tags::check as check_tags;

use crate::error::SnsError;
use crate::operation::Operation;
use crate::protocol::{MAX_PARAMETERS, NAMESPACE};
use crate::service::SnsService;

/// The longest request: a batch of messages, each byte escaped in a form.
const MAX_REQUEST_BYTES: usize = 2 * 1024 * 1024;
/// Names on a page of a list. SNS API reference, `ListTopics`.
const PAGE: usize = 100;

/// Who calls.
pub(crate) struct Call {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// Whether the request was signed: those of visitors of a URL are not.
    pub(crate) is_signed: bool,
    pub(crate) trace: Trace,
}

/// What an operation answers: what stands in its result, or that it has none.
pub(crate) type Answer = Result<Option<String>, SnsError>;

impl SnsService {
    /// Answers a request.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a change may be half made. Call it in a task that is not dropped.
    pub async fn handle<B>(&self, request: Request<B>, caller: Caller) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let id = RequestId::random();
        let (parts, body) = request.into_parts();
        let call = self.call(&parts, caller);
        let answer = match read(&parts, body).await {
            Ok((action, params)) => {
                let answer = self.perform(&call, &action, &params).await;
                answer.map(|answer| (action, answer))
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok((action, Some(xml))) => query_response(&action, &xml, NAMESPACE, &id),
            Ok((action, None)) => query_response_without_result(&action, NAMESPACE, &id),
            Err(error) => {
                if let SnsError::Internal(text) = &error {
                    tracing::error!(request_id = %id, error = %text, "an SNS request failed");
                }
                query_error(&error.to_wire(), NAMESPACE, &id)
            }
        }
    }

    fn call(&self, parts: &Parts, caller: Caller) -> Call {
        let header = parts.headers.get("x-amzn-trace-id");
        let header = header.and_then(|header| header.to_str().ok());
        Call {
            account: caller.account,
            region: caller.region,
            is_signed: caller.access_key.is_some(),
            trace: Trace::from_header(header, self.now()),
        }
    }

    #[rustfmt::skip]
    async fn perform(&self, call: &Call, action: &str, params: &Params) -> Answer {
        let Some((operation, support)) = Operation::named(action) else {
            let text = format!("Could not find operation {action} for version 2010-03-31");
            return Err(SnsError::Operation(WireError::new(400, "InvalidAction", text)));
        };
        if support == Support::Missing {
            let text = format!("the operation `{action}` of SNS is not implemented by this node");
            return Err(SnsError::Operation(WireError::new(501, "NotImplemented", text)));
        }
        match operation {
            Operation::AddPermission => self.add_permission(params).await,
            Operation::ConfirmSubscription => self.confirm_subscription(call, params).await,
            Operation::CreateTopic => self.create_topic(call, params).await,
            Operation::DeleteTopic => self.delete_topic_of(params).await,
            Operation::GetSubscriptionAttributes => self.get_subscription_attributes(params),
            Operation::GetTopicAttributes => self.get_topic_attributes(params),
            Operation::ListSubscriptions => self.list_subscriptions(call, params),
            Operation::ListSubscriptionsByTopic => self.list_subscriptions_by_topic(params),
            Operation::ListTagsForResource => self.list_tags(params),
            Operation::ListTopics => self.list_topics(call, params),
            Operation::Publish => self.publish_one(call, params).await,
            Operation::PublishBatch => self.publish_batch(call, params).await,
            Operation::RemovePermission => self.remove_permission(params).await,
            Operation::SetSubscriptionAttributes => self.set_subscription_attributes(params).await,
            Operation::SetTopicAttributes => self.set_topic_attributes(params).await,
            Operation::Subscribe => self.subscribe(params).await,
            Operation::TagResource => self.tag_resource(params).await,
            Operation::Unsubscribe => self.unsubscribe(call, params).await,
            Operation::UntagResource => self.untag_resource(params).await,
            _ => Err(SnsError::Internal(format!("`{action}` is said to be served and is not"))),
        }
    }
}

/// The name of the operation and its parameters.
async fn read<B>(parts: &Parts, body: B) -> Result<(String, Params), SnsError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let body = read_body(body, MAX_REQUEST_BYTES)
        .await
        .map_err(|error| match error {
            ReadBodyError::TooLarge { .. } => SnsError::InvalidParameter("Message too long".into()),
            ReadBodyError::Interrupted { .. } => SnsError::Malformed(error.to_string()),
        })?;
    let params = parse_query(parts.uri.query().unwrap_or_default(), &body);
    let params = params.map_err(|error| SnsError::Malformed(error.to_string()))?;
    if params.iter().nth(MAX_PARAMETERS).is_some() {
        let text = format!("a form has at most {MAX_PARAMETERS} parameters");
        return Err(SnsError::Malformed(text));
    }
    let action = params.action().ok_or(SnsError::MissingParameter("Action"))?;
    Ok((action.to_owned(), params))
}

/// The page of sorted `names` that `NextToken` asks for: at most a hundred, and the token of the next.
fn page(params: &Params, names: impl Iterator<Item = String>) -> Result<(Vec<String>, String), SnsError> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    const VERSION: &str = "1:";
    let decode = |token: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        text.strip_prefix(VERSION).map(str::to_owned)
    };
    let after = match params.get("NextToken").filter(|token| !token.is_empty()) {
        Some(token) => decode(token).ok_or_else(|| SnsError::InvalidParameter("NextToken".into()))?,
        None => String::new(),
    };
    let mut rest = names.filter(|name| *name > after);
    let page: Vec<String> = rest.by_ref().take(PAGE).collect();
    let next = page.last().filter(|_| rest.next().is_some());
    let next = next.map(|last| URL_SAFE_NO_PAD.encode(format!("{VERSION}{last}")));
    let token = next.map_or_else(String::new, |token| xml_element("NextToken", &token));
    Ok((page, token))
}

#[cfg(test)]
mod tests;
