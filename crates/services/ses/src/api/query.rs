//! The older query API: forms in, XML out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use tradewind_model::RequestId;
use tradewind_wire::{
    Body, Caller, Params, parse_query, query_error, query_response, query_response_without_result, read_body,
    xml_element,
};

use super::{MAX_REQUEST_BYTES, identity, tell};
use crate::error::SesError;
use crate::letter::Draft;
use crate::operation::QueryOperation;
use crate::raw::{self, RawGiven};
use crate::send::Call;
use crate::service::SesService;

const NAMESPACE: &str = "http://ses.amazonaws.com/doc/2010-12-01/";

/// What an operation answers: the inside of its result, or nothing.
type Answer = Result<Option<String>, SesError>;

impl SesService {
    /// Answers a request of the query API.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a change may be half made. Call it in a task that is not dropped.
    pub async fn handle_query<B>(&self, request: Request<B>, caller: Caller) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let id = RequestId::random();
        let call = Call {
            account: caller.account,
            region: caller.region,
        };
        let params = read(request).await;
        let answer = match &params {
            Ok(params) => self.perform(&call, params).await,
            Err(error) => Err(error.clone()),
        };
        let action = params.as_ref().ok().and_then(Params::action).unwrap_or_default();
        match answer {
            Ok(Some(inner)) => query_response(action, &inner, NAMESPACE, &id),
            Ok(None) => query_response_without_result(action, NAMESPACE, &id),
            Err(error) => {
                tell(&error, &id);
                query_error(&error.to_query(), NAMESPACE, &id)
            }
        }
    }

    async fn perform(&self, call: &Call, params: &Params) -> Answer {
        let action = params.action().unwrap_or_default();
        let operation = QueryOperation::named(action);
        let operation = operation.ok_or_else(|| SesError::UnknownOperation(format!("`{action}`")))?;
        match operation {
            QueryOperation::DeleteIdentity => self.query_delete(call, params).await,
            QueryOperation::ListIdentities => Ok(Some(self.query_list(call, params))),
            QueryOperation::SendEmail => self.query_send(call, params).await,
            QueryOperation::SendRawEmail => self.query_send_raw(call, params).await,
            QueryOperation::VerifyDomainIdentity => {
                self.query_verify(call, params, "Domain").await?;
                Ok(Some(xml_element("VerificationToken", "verified-at-once")))
            }
            QueryOperation::VerifyEmailIdentity => self.query_verify(call, params, "EmailAddress").await,
            _ => Err(SesError::NotImplemented(action.to_owned())),
        }
    }

    async fn query_send(&self, call: &Call, params: &Params) -> Answer {
        refuse(params, "Tags.member.1.Name")?;
        let text = |name: &str| params.get(name).map(str::to_owned);
        let draft = Draft {
            from: required(params, "Source")?.to_owned(),
            to: list(params, "Destination.ToAddresses"),
            cc: list(params, "Destination.CcAddresses"),
            bcc: list(params, "Destination.BccAddresses"),
            reply_to: list(params, "ReplyToAddresses"),
            bounces: text("ReturnPath"),
            subject: required(params, "Message.Subject.Data")?.to_owned(),
            text: text("Message.Body.Text.Data"),
            html: text("Message.Body.Html.Data"),
            headers: Vec::new(),
        };
        let id = self.new_id();
        let letter = draft.write(&id, self.now())?;
        self.send(call, &id, &letter).await?;
        Ok(Some(xml_element("MessageId", &id)))
    }

    async fn query_send_raw(&self, call: &Call, params: &Params) -> Answer {
        refuse(params, "Tags.member.1.Name")?;
        let data = STANDARD.decode(required(params, "RawMessage.Data")?);
        let data =
            data.map_err(|_not_base64| SesError::BadRequest("RawMessage.Data is not base64.".into()))?;
        let given = RawGiven {
            from: params.get("Source").map(str::to_owned),
            to: list(params, "Destinations"),
            bounces: None,
        };
        let id = self.new_id();
        let letter = raw::letter(&data, &given, &id, self.now())?;
        self.send(call, &id, &letter).await?;
        Ok(Some(xml_element("MessageId", &id)))
    }

    async fn query_verify(&self, call: &Call, params: &Params, member: &str) -> Answer {
        let key = identity(call, required(params, member)?)?;
        match self.record(&key, std::collections::BTreeMap::new()).await {
            Ok(()) | Err(SesError::AlreadyExists(_)) => Ok(Some(String::new())),
            Err(error) => Err(error),
        }
    }

    async fn query_delete(&self, call: &Call, params: &Params) -> Answer {
        match self
            .remove(&identity(call, required(params, "Identity")?)?, |_any| true)
            .await
        {
            Ok(()) | Err(SesError::NotFound(_)) => Ok(Some(String::new())),
            Err(error) => Err(error),
        }
    }

    fn query_list(&self, call: &Call, params: &Params) -> String {
        let kind = params.get("IdentityType");
        let all = self.identities_of(&call.account, &call.region);
        let wanted = all.iter().filter(|name| match kind {
            Some("Domain") => name.is_domain(),
            Some("EmailAddress") => !name.is_domain(),
            _ => true,
        });
        let members: String = wanted.map(|name| xml_element("member", name.as_str())).collect();
        format!("<Identities>{members}</Identities>")
    }
}

async fn read<B>(request: Request<B>) -> Result<Params, SesError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    // each `+`, `/` and `=` of base64 is escaped here
    let body = read_body(body, 2 * MAX_REQUEST_BYTES).await;
    let body = body.map_err(|error| SesError::Malformed(error.to_string()))?;
    let params = parse_query(parts.uri.query().unwrap_or_default(), &body);
    params.map_err(|error| SesError::Malformed(error.to_string()))
}

/// What is refused of the members that both ways of sending have.
fn refuse(params: &Params, tags: &str) -> Result<(), SesError> {
    let refused = [
        ("ConfigurationSetName", "there are no configuration sets"),
        (tags, "no events are published that would have them"),
        ("SourceArn", "an account sends from its own identities only"),
        ("FromArn", "an account sends from its own identities only"),
        ("ReturnPathArn", "an account sends from its own identities only"),
    ];
    match refused
        .into_iter()
        .find(|(member, _)| params.get(member).is_some())
    {
        Some((member, reason)) => Err(SesError::unsupported(member, reason)),
        None => Ok(()),
    }
}

fn required<'p>(params: &'p Params, member: &str) -> Result<&'p str, SesError> {
    params
        .get(member)
        .ok_or_else(|| SesError::BadRequest(format!("{member} is required.")))
}

fn list(params: &Params, name: &str) -> Vec<String> {
    let members = params.members(&format!("{name}.member"));
    members
        .iter()
        .filter_map(|member| member.get("").map(str::to_owned))
        .collect()
}
