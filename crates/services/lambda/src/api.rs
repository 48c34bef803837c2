//! The REST-JSON API: one request in, one operation, one answer or one error out.

pub(crate) mod aliases;
pub(crate) mod concurrency;
mod create_function;
pub(crate) mod delete_function;
pub(crate) mod event_invoke;
mod get;
mod invoke;
mod invoke_stream;
pub(crate) mod layer_permissions;
pub(crate) mod layers;
mod management;
mod mappings;
pub(crate) mod package;
pub(crate) mod permissions;
pub(crate) mod provisioned;
mod recursion;
pub(crate) mod tags;
mod update_function_code;
mod update_function_configuration;
pub(crate) mod urls;
pub(crate) mod versions;

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde::Serialize;
use tracing::Instrument as _;
use tradewind_model::{Qualifier, RequestId, limits};
use tradewind_wire::{Body, Caller, Params, ReadBodyError, parse_query, read_body, rest_json_error};

use crate::error::{LambdaError, Violations};
use crate::names::{Scope, Shape, Target};
use crate::operation::{Operation, Route, route};
use crate::service::LambdaService;
use crate::settings::Members;
use crate::token;

/// Largest request of an operation that brings a package: 50 MB in base64 and the other members.
const UPLOAD_BYTES: usize = 70_167_211;
/// Largest request of every other operation but Invoke.
const REQUEST_BYTES: usize = 1024 * 1024;
/// The limit as the service's text writes it; what it enforces is 100 bytes more.
pub(crate) const SYNC_LIMIT_IN_TEXT: usize = limits::SYNC_PAYLOAD_BYTES - 100;

/// A request whose operation is known and whose body is here.
#[derive(Debug)]
pub(crate) struct Call {
    scope: Scope,
    route: Route,
    params: Params,
    headers: HeaderMap,
    body: Bytes,
    request_id: RequestId,
}

type Answer = Result<Response<Body>, LambdaError>;

/// What is kept by qualifier, as far as a page shows it, and the `NextMarker` where there is more.
type PageByQualifier<'m, T> = (Vec<(&'m Qualifier, &'m T)>, Option<String>);

impl LambdaService {
    /// Answers one request of the Lambda API.
    ///
    /// # Cancel safety
    /// If the future is dropped, a change it began still runs to its end.
    pub async fn handle<B>(&self, request: Request<B>, caller: Caller) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let request_id = RequestId::random();
        let span = tracing::info_span!(
            "request",
            service = "lambda",
            operation = tracing::field::Empty,
            account = %caller.account,
            %request_id,
        );
        match self
            .answer(request, caller, &request_id)
            .instrument(span.clone())
            .await
        {
            Ok(mut response) => {
                if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
                    response.headers_mut().insert("x-amzn-requestid", value);
                }
                response
            }
            Err(error) => {
                span.in_scope(|| log(&error));
                rest_json_error(&error.wire(), &request_id)
            }
        }
    }

    async fn answer<B>(&self, request: Request<B>, caller: Caller, request_id: &RequestId) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        let route =
            route(parts.method.as_str(), parts.uri.path(), query).ok_or(LambdaError::UnknownOperation)?;
        let operation = route.operation;
        tracing::Span::current().record("operation", operation.entry().name);
        let params = parse_query(query, b"").map_err(|error| LambdaError::WrongType {
            detail: error.to_string(),
        })?;
        let _upload = match operation {
            Operation::CreateFunction | Operation::PublishLayerVersion | Operation::UpdateFunctionCode => {
                Some(self.uploads().acquire().await.map_err(LambdaError::internal)?)
            }
            _ => None,
        };
        let body = read_body(body, body_limit(operation))
            .await
            .map_err(|error| body_error(&error, operation))?;
        let call = Call {
            scope: Scope {
                account: caller.account,
                region: caller.region,
            },
            route,
            params,
            headers: parts.headers,
            body,
            request_id: request_id.clone(),
        };
        Box::pin(dispatch(self, call)).await
    }
}

/// The node's own failures are for its operator; what a client did wrong is not.
fn log(error: &LambdaError) {
    match error {
        LambdaError::Internal { cause } => tracing::error!(%cause, "the operation failed"),
        LambdaError::DiskFull => tracing::error!("the disk is full"),
        other => tracing::debug!(error = %other, "the operation was refused"),
    }
}

fn body_limit(operation: Operation) -> usize {
    match operation {
        Operation::CreateFunction | Operation::PublishLayerVersion | Operation::UpdateFunctionCode => {
            UPLOAD_BYTES
        }
        Operation::Invoke | Operation::InvokeWithResponseStream => limits::SYNC_PAYLOAD_BYTES,
        _ => REQUEST_BYTES,
    }
}

fn body_error(error: &ReadBodyError, operation: Operation) -> LambdaError {
    match error {
        ReadBodyError::TooLarge { .. } if operation == Operation::Invoke => LambdaError::PayloadTooLarge {
            limit: SYNC_LIMIT_IN_TEXT,
        },
        ReadBodyError::TooLarge { limit } => LambdaError::RequestTooLarge {
            limit: *limit,
            operation: operation.entry().name,
        },
        ReadBodyError::Interrupted { reason } => LambdaError::RequestInterrupted {
            reason: reason.clone(),
        },
    }
}

async fn dispatch(service: &LambdaService, call: Call) -> Answer {
    match call.route.operation {
        Operation::AddPermission => permissions::add(service, call).await,
        Operation::CreateAlias => aliases::create(service, call).await,
        Operation::CreateFunction => create_function::create_function(service, call).await,
        Operation::DeleteAlias => aliases::delete(service, call).await,
        Operation::DeleteFunction => delete_function::delete_function(service, call).await,
        Operation::GetAlias => aliases::get(service, &call),
        Operation::GetFunction => get::get_function(service, &call),
        Operation::GetFunctionConfiguration => get::get_function_configuration(service, &call),
        Operation::GetPolicy => permissions::get(service, &call),
        Operation::Invoke => invoke::invoke(service, call).await,
        Operation::ListAliases => aliases::list(service, &call),
        Operation::ListFunctions => get::list_functions(service, &call),
        Operation::ListTags => tags::list(service, &call),
        Operation::ListVersionsByFunction => versions::list(service, &call),
        Operation::PublishVersion => versions::publish(service, call).await,
        Operation::RemovePermission => permissions::remove(service, call).await,
        Operation::TagResource => tags::tag(service, call).await,
        Operation::UntagResource => tags::untag(service, call).await,
        Operation::UpdateAlias => aliases::update(service, call).await,
        Operation::UpdateFunctionCode => update_function_code::update_function_code(service, call).await,
        Operation::UpdateFunctionConfiguration => update_function_configuration::update(service, call).await,
        Operation::PutFunctionConcurrency => concurrency::put(service, call).await,
        Operation::GetFunctionConcurrency => concurrency::get(service, &call),
        Operation::DeleteFunctionConcurrency => concurrency::delete(service, call).await,
        Operation::GetAccountSettings => concurrency::account_settings(service, &call),
        Operation::PutProvisionedConcurrencyConfig => provisioned::put(service, call).await,
        Operation::GetProvisionedConcurrencyConfig => provisioned::get(service, &call),
        Operation::ListProvisionedConcurrencyConfigs => provisioned::list(service, &call),
        Operation::DeleteProvisionedConcurrencyConfig => provisioned::delete(service, call).await,
        Operation::CreateFunctionUrlConfig => urls::create(service, call).await,
        Operation::UpdateFunctionUrlConfig => urls::update(service, call).await,
        Operation::GetFunctionUrlConfig => urls::get(service, &call),
        Operation::ListFunctionUrlConfigs => urls::list(service, &call),
        Operation::DeleteFunctionUrlConfig => urls::delete(service, call).await,
        Operation::GetFunctionCodeSigningConfig => management::code_signing(service, &call),
        Operation::GetRuntimeManagementConfig => management::runtime_management(service, &call),
        Operation::PutFunctionEventInvokeConfig => event_invoke::put(service, call).await,
        Operation::UpdateFunctionEventInvokeConfig => event_invoke::update(service, call).await,
        Operation::GetFunctionEventInvokeConfig => event_invoke::get(service, &call),
        Operation::ListFunctionEventInvokeConfigs => event_invoke::list(service, &call),
        Operation::DeleteFunctionEventInvokeConfig => event_invoke::delete(service, call).await,
        Operation::PutFunctionRecursionConfig => recursion::put(service, call).await,
        Operation::GetFunctionRecursionConfig => recursion::get(service, &call),
        Operation::PublishLayerVersion => layers::publish(service, call).await,
        Operation::GetLayerVersion => layers::get(service, &call),
        Operation::GetLayerVersionByArn => layers::get_by_arn(service, &call),
        Operation::ListLayers => layers::list(service, &call),
        Operation::ListLayerVersions => layers::list_versions(service, &call),
        Operation::DeleteLayerVersion => layers::delete(service, call).await,
        Operation::AddLayerVersionPermission => layer_permissions::add(service, call).await,
        Operation::GetLayerVersionPolicy => layer_permissions::get(service, &call),
        Operation::RemoveLayerVersionPermission => layer_permissions::remove(service, call).await,
        Operation::InvokeWithResponseStream => invoke_stream::invoke(service, call).await,
        Operation::CreateEventSourceMapping => mappings::create(service, call).await,
        Operation::GetEventSourceMapping => mappings::get(service, &call),
        Operation::ListEventSourceMappings => mappings::list(service, &call),
        Operation::UpdateEventSourceMapping => mappings::update(service, call).await,
        Operation::DeleteEventSourceMapping => mappings::delete(service, call).await,
        missing => Err(LambdaError::NotImplemented {
            operation: missing.entry().name,
        }),
    }
}

impl Call {
    /// The function of the path, with the `Qualifier` parameter.
    fn target(&self, shape: Shape) -> Result<Target, LambdaError> {
        Target::parse(
            shape,
            self.route.first(),
            self.params.get("Qualifier"),
            &self.scope,
        )
    }

    /// The members of the body; none if it is empty.
    fn members(&self) -> Result<Members, LambdaError> {
        if self.body.is_empty() {
            return Ok(Members::new());
        }
        serde_json::from_slice(&self.body).map_err(|error| body_is_wrong(&error))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `MaxItems`, within `1..=10000` as asked for and at most `page` as answered.
    fn page_size(&self, page: usize) -> Result<usize, LambdaError> {
        Ok(self.page_size_within(page, 10_000)?.min(page))
    }

    /// One page of what is kept by qualifier, and the `NextMarker` of `operation` where there is more.
    fn page_by_qualifier<'m, T>(
        &self,
        all: &'m BTreeMap<Qualifier, T>,
        operation: &str,
    ) -> Result<PageByQualifier<'m, T>, LambdaError> {
        let page = self.page_size(get::PAGE)?;
        let start: Bound<Qualifier> = match self.params.get("Marker") {
            Some(marker) => {
                let last = token::decode(operation, marker)?;
                Bound::Excluded(last.parse().map_err(|_no_qualifier| LambdaError::InvalidMarker)?)
            }
            None => Bound::Unbounded,
        };
        let mut rest = all.range((start, Bound::Unbounded));
        let shown: Vec<_> = rest.by_ref().take(page).collect();
        let last = shown.last().filter(|_| rest.next().is_some());
        let marker = last.map(|(last, _)| token::encode(operation, &last.to_string()));
        Ok((shown, marker))
    }

    /// `MaxItems`, within `1..=most`; `page` if it is not given.
    fn page_size_within(&self, page: usize, most: usize) -> Result<usize, LambdaError> {
        let Some(text) = self.params.get("MaxItems") else {
            return Ok(page);
        };
        let Ok(number) = text.parse::<usize>() else {
            let detail = format!("`MaxItems` must be a number, not `{text}`");
            return Err(LambdaError::WrongType { detail });
        };
        let constraint = match number {
            0 => "Member must have value greater than or equal to 1".to_owned(),
            number if number <= most => return Ok(number),
            _ => format!("Member must have value less than or equal to {most}"),
        };
        let mut violations = Violations::default();
        violations.add(&["MaxItems"], text.to_owned(), constraint);
        Err(LambdaError::Validation(violations))
    }
}

/// A body that is no JSON, or JSON of the wrong shape.
fn body_is_wrong(error: &serde_json::Error) -> LambdaError {
    let detail = error.to_string();
    match error.classify() {
        serde_json::error::Category::Data => LambdaError::WrongType { detail },
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => LambdaError::InvalidBody { detail },
    }
}

/// A text member of the body that may be absent.
fn optional_text(members: &Members, name: &str) -> Result<Option<String>, LambdaError> {
    match members.get(name) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(LambdaError::WrongType {
            detail: format!("`{name}` must be a string"),
        }),
    }
}

/// A truth value of the body; false if absent.
fn flag(members: &Members, name: &str) -> Result<bool, LambdaError> {
    match members.get(name) {
        None | Some(serde_json::Value::Null) => Ok(false),
        Some(serde_json::Value::Bool(value)) => Ok(*value),
        Some(_) => Err(LambdaError::WrongType {
            detail: format!("`{name}` must be true or false"),
        }),
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(value).map_err(LambdaError::internal)?;
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}

fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    Ok(response)
}

#[cfg(test)]
mod tests;
