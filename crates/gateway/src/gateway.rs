//! The way of a request: API, stage, route, body, function, answer.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::ACCEPT;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use tradewind_compute::{Engine, InvokeError, InvokeRequest};
use tradewind_model::{AccountId, Clock, Region, limits};
use tradewind_observe::usage::Meter;
use tradewind_wire::{Body, Caller, CallerDefaults, ReadBodyError, read_body};

use crate::api::{
    Api, ApiId, ApiKind, Integration, InvokeMode, LambdaIntegration, PayloadFormat, UrlAuth, UrlSettings,
};
use crate::compiled::{CompiledApi, CompiledRoute, CompiledStage};
use crate::drain::drain;
use crate::event::{EventInput, write_event};
use crate::failure::Failure;
use crate::identity::{Identity, TRACE_HEADER};
use crate::reply::{self, Malformed, Reply};
use crate::stream;
use crate::target::{Front, Target};

/// API Gateway quotas: request line and headers together.
const HEADER_BYTES: usize = 10_240;

/// What a gateway is told about its node.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Host and port under which `{api}.execute-api.` resolves to this node, `localhost:4566`. Events
    /// of requests that came by path carry it, so that URLs made of them work.
    pub base_domain: String,
    /// Whose APIs these are.
    pub account: AccountId,
    /// Where they are.
    pub region: Region,
    /// The time.
    pub clock: Clock,
}

/// The HTTP data plane. A cheap clone; all clones serve the same APIs.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

struct Shared {
    engine: Engine,
    config: GatewayConfig,
    apis: ArcSwap<Apis>,
    meter: OnceLock<Meter>,
}

type Apis = HashMap<Box<str>, Arc<CompiledApi>>;

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("config", &self.0.config)
            .field("apis", &self.0.apis.load().len())
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway without APIs.
    #[must_use]
    pub fn new(engine: Engine, config: GatewayConfig) -> Self {
        Self(Arc::new(Shared {
            engine,
            config,
            apis: ArcSwap::default(),
            meter: OnceLock::new(),
        }))
    }

    /// Requests to APIs that are put from now on are counted by `meter`; only the first call decides by which.
    pub fn count_in(&self, meter: Meter) {
        self.0.meter.get_or_init(|| meter);
    }

    /// The account, region and domain it serves.
    #[must_use]
    pub fn config(&self) -> &GatewayConfig {
        &self.0.config
    }

    /// Which API the request names by host or path, if it names one.
    #[must_use]
    pub fn claims(&self, parts: &Parts) -> Option<Target> {
        Target::of(parts)
    }

    /// Serves `api` from now on, in place of what had its id. Requests under way end as they began.
    pub fn put_api(&self, api: Api) {
        let meter = self.0.meter.get().cloned().unwrap_or_default();
        let api = Arc::new(CompiledApi::new(api).counted_in(&meter, &self.0.config.region));
        self.0.apis.rcu(|apis| {
            let mut apis = Apis::clone(apis);
            apis.insert(api.id.clone(), Arc::clone(&api));
            apis
        });
    }

    /// Serves the API no longer.
    pub fn remove_api(&self, id: &ApiId) {
        self.0.apis.rcu(|apis| {
            let mut apis = Apis::clone(apis);
            apis.remove(id.as_str());
            apis
        });
    }

    /// Answers a request that [`Gateway::claims`] claimed.
    ///
    /// # Cancel safety
    /// Dropping the future ends the wait, not the invocation.
    pub async fn handle<B>(&self, target: Target, request: Request<B>, peer: SocketAddr) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let (parts, body) = request.into_parts();
        let identity = Identity::new(self.0.config.clock.now(), &parts.headers);
        let api = self.0.apis.load().get(target.api()).cloned();
        let Some(api) = api.filter(|api| front_of(api.kind) == target.front()) else {
            drain(&parts.headers, body).await;
            let kind = match target.front() {
                Front::Api => ApiKind::Rest,
                Front::FunctionUrl => ApiKind::FunctionUrl(UrlSettings::default()),
            };
            let reply = Failure::Forbidden.answer(kind);
            return finish(reply.into(), kind, &identity, false);
        };
        let call = Call {
            gateway: &self.0,
            parts: &parts,
            api: &api,
            target: &target,
            identity: &identity,
            peer,
        };
        let asked = body.size_hint().lower();
        let response = call.answer(body).await;
        api.count(asked.max(response.body().size_hint().lower()));
        response
    }
}

/// A response of which the body may still be on its way.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Self {
        Self {
            status: reply.status,
            headers: reply.headers,
            body: Body::full(reply.body),
        }
    }
}

/// Where a request was led.
struct Way<'a> {
    stage: &'a CompiledStage,
    route: &'a CompiledRoute,
    path: &'a str,
    captures: &'a [&'a str],
    signer: Option<&'a Caller>,
}

/// One request on its way.
struct Call<'a> {
    gateway: &'a Shared,
    parts: &'a Parts,
    api: &'a CompiledApi,
    target: &'a Target,
    identity: &'a Identity,
    peer: SocketAddr,
}

impl Call<'_> {
    async fn answer<B>(&self, body: B) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let kind = self.api.kind;
        let Some((stage, path)) = self.api.stage(self.target.path(self.parts.uri.path())) else {
            let failure = self.refuse(body, no_stage(kind)).await;
            return finish(failure.answer(kind).into(), kind, self.identity, false);
        };
        let headers = &self.parts.headers;
        if let Some(reply) = stage
            .cors
            .as_ref()
            .and_then(|cors| cors.preflight(&self.parts.method, headers))
        {
            return finish(reply.into(), kind, self.identity, false);
        }
        let answered = self.route(stage, path, body).await;
        let integrated = answered.is_ok();
        let mut answer = answered.unwrap_or_else(|failure| failure.answer(kind).into());
        if let Some(cors) = &stage.cors {
            cors.apply(headers, &mut answer.headers);
        }
        finish(answer, kind, self.identity, integrated)
    }

    async fn route<B>(&self, stage: &CompiledStage, path: &str, body: B) -> Result<Answered, Failure>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        if header_bytes(self.parts) > HEADER_BYTES {
            return Err(self.refuse(body, Failure::HeadersTooLarge).await);
        }
        let caller = match self.signer() {
            Ok(caller) => caller,
            Err(forbidden) => return Err(self.refuse(body, forbidden).await),
        };
        let Some((route, captures)) = stage.route(&self.parts.method, path) else {
            return Err(self.refuse(body, Failure::NoRoute).await);
        };
        let body = self.read(body).await?;
        match &route.integration {
            Integration::Mock(mock) => Ok(mock.answer(&self.parts.headers).into()),
            Integration::Lambda(lambda) => {
                let way = Way {
                    stage,
                    route,
                    path,
                    captures: &captures,
                    signer: caller.as_ref(),
                };
                let event = self.event(&way, lambda, &body);
                if self.is_streamed() {
                    let invocation = self
                        .gateway
                        .engine
                        .invoke_streaming(&lambda.function, self.request(event));
                    return stream::answer(
                        invocation
                            .await
                            .map_err(|error| self.not_invoked(lambda, &error))?,
                    )
                    .await;
                }
                let payload = self.invoke(lambda, event).await?;
                let reply = self.map_reply(stage, lambda, &payload);
                reply.map(Answered::from).map_err(|Malformed| {
                    tracing::debug!(request_id = %self.identity.request, function = %lambda.function, "malformed proxy response");
                    Failure::BadReply
                })
            }
        }
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Failure>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limits::HTTP_BODY_BYTES {
            return Err(self.refuse(body, Failure::BodyTooLarge).await);
        }
        read_body(body, limits::HTTP_BODY_BYTES)
            .await
            .map_err(body_failure)
    }

    async fn refuse<B>(&self, body: B, failure: Failure) -> Failure
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        drain(&self.parts.headers, body).await;
        failure
    }

    fn is_streamed(&self) -> bool {
        matches!(
            self.api.kind,
            ApiKind::FunctionUrl(UrlSettings {
                mode: InvokeMode::ResponseStream,
                ..
            })
        )
    }

    /// Who signed the request, where it has to be signed. The signature itself is not verified.
    fn signer(&self) -> Result<Option<Caller>, Failure> {
        let ApiKind::FunctionUrl(UrlSettings {
            auth: UrlAuth::Iam, ..
        }) = self.api.kind
        else {
            return Ok(None);
        };
        let config = &self.gateway.config;
        let defaults = CallerDefaults {
            account: config.account.clone(),
            region: config.region.clone(),
        };
        let signer = tradewind_wire::caller(self.parts, &defaults).ok();
        let signed = signer.filter(|caller| caller.access_key.is_some());
        signed.map(Some).ok_or(Failure::Forbidden)
    }

    fn event(&self, way: &Way<'_>, lambda: &LambdaIntegration, body: &[u8]) -> Vec<u8> {
        let config = &self.gateway.config;
        let input = EventInput {
            parts: self.parts,
            body,
            api: self.api,
            stage: way.stage,
            route: way.route,
            captures: way.captures,
            path: way.path,
            signer: way.signer,
            domain: &self.target.domain(&config.base_domain),
            account: config.account.as_str(),
            identity: self.identity,
            peer: self.peer.ip().to_canonical(),
        };
        write_event(&input, lambda.payload_format)
    }

    fn request(&self, event: Vec<u8>) -> InvokeRequest {
        InvokeRequest {
            request_id: self.identity.request.clone(),
            payload: event.into(),
            client_context: None,
            trace_id: Some(self.identity.trace.clone()),
            log_tail: false,
        }
    }

    fn not_invoked(&self, lambda: &LambdaIntegration, error: &InvokeError) -> Failure {
        tracing::debug!(request_id = %self.identity.request, function = %lambda.function, %error, "function not invoked");
        invoke_failure(error)
    }

    async fn invoke(&self, lambda: &LambdaIntegration, event: Vec<u8>) -> Result<Bytes, Failure> {
        let invocation = self.gateway.engine.invoke(&lambda.function, self.request(event));
        let Ok(outcome) = tokio::time::timeout(lambda.timeout, invocation).await else {
            return Err(Failure::TimedOut);
        };
        let response = outcome.map_err(|error| self.not_invoked(lambda, &error))?;
        if response.error.is_some() {
            Err(Failure::BadReply)
        } else {
            Ok(response.payload)
        }
    }

    fn map_reply(
        &self,
        stage: &CompiledStage,
        lambda: &LambdaIntegration,
        payload: &Bytes,
    ) -> Result<Reply, Malformed> {
        match (self.api.kind, lambda.payload_format) {
            (ApiKind::Rest, _) => {
                let accept = self
                    .parts
                    .headers
                    .get(ACCEPT)
                    .and_then(|accept| accept.to_str().ok());
                reply::rest(payload, stage.binary.contain(accept))
            }
            (ApiKind::Http, PayloadFormat::V1) => reply::http_api_v1(payload),
            (ApiKind::Http, PayloadFormat::V2) | (ApiKind::FunctionUrl(_), _) => reply::http_api_v2(payload),
        }
    }
}

fn no_stage(kind: ApiKind) -> Failure {
    match kind {
        ApiKind::Rest => Failure::Forbidden,
        ApiKind::Http | ApiKind::FunctionUrl(_) => Failure::NoRoute,
    }
}

fn front_of(kind: ApiKind) -> Front {
    match kind {
        ApiKind::Rest | ApiKind::Http => Front::Api,
        ApiKind::FunctionUrl(_) => Front::FunctionUrl,
    }
}

fn header_bytes(parts: &Parts) -> usize {
    let line = parts.method.as_str().len() + parts.uri.path().len() + parts.uri.query().map_or(0, str::len);
    parts
        .headers
        .iter()
        .fold(line, |sum, (name, value)| sum + name.as_str().len() + value.len())
}

fn body_failure(error: ReadBodyError) -> Failure {
    match error {
        ReadBodyError::TooLarge { .. } => Failure::BodyTooLarge,
        ReadBodyError::Interrupted { .. } => Failure::BodyInterrupted,
    }
}

fn invoke_failure(error: &InvokeError) -> Failure {
    match error {
        InvokeError::NotFound { .. } => Failure::NotInvoked,
        InvokeError::RequestTooLarge { .. } => Failure::BodyTooLarge,
        InvokeError::Throttled { .. } => Failure::Throttled,
        InvokeError::Unavailable { .. } | InvokeError::ShuttingDown => Failure::Unavailable,
    }
}

/// Adds the headers that name the request. `integrated`: the answer is an integration's, to which
/// REST APIs add the trace.
fn finish(answer: Answered, kind: ApiKind, identity: &Identity, integrated: bool) -> Response<Body> {
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    let headers = response.headers_mut();
    match kind {
        ApiKind::Rest => {
            headers.insert("x-amzn-requestid", value(identity.request.as_str()));
            headers.insert("x-amz-apigw-id", value(&identity.extended));
            if integrated {
                headers.insert(TRACE_HEADER, value(&identity.trace));
            }
        }
        ApiKind::Http => {
            headers.insert("apigw-requestid", value(&identity.extended));
        }
        ApiKind::FunctionUrl(_) => {
            headers.insert("x-amzn-requestid", value(identity.request.as_str()));
            headers.insert(TRACE_HEADER, value(&identity.trace));
        }
    }
    response
}

fn value(id: &str) -> HeaderValue {
    HeaderValue::from_str(id).expect("ids are visible ASCII, and so is a trace that came as a header's text")
}
