//! HTTP request → event → instance → answer → HTTP response.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::Arguments;
use crate::instance::Instance;

/// The instances, and who may use them.
#[derive(Debug)]
pub(crate) struct Gateway {
    pool: Arc<Pool>,
    /// Invocations run here, so that a client that hangs up does not take an instance with it.
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Pool {
    /// Last used, first reused.
    idle: Mutex<Vec<Instance>>,
    permits: Semaphore,
}

impl Gateway {
    /// Starts all instances.
    pub(crate) async fn start(arguments: &Arguments, tasks: &TaskTracker) -> Result<Self> {
        let mut idle = Vec::with_capacity(arguments.instances);
        for _ in 0..arguments.instances {
            idle.push(Instance::start(arguments, tasks).await?);
        }
        let pool = Pool {
            idle: Mutex::new(idle),
            permits: Semaphore::new(arguments.instances),
        };
        Ok(Self {
            pool: Arc::new(pool),
            tasks: tasks.clone(),
        })
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let event = event(&head, &body)?;
        let pool = self.pool.clone();
        let answer = self.tasks.spawn(async move { pool.invoke(event).await });
        response(&answer.await??)
    }
}

impl Pool {
    async fn invoke(&self, event: Vec<u8>) -> Result<Bytes> {
        let _permit = self.permits.acquire().await?;
        let mut instance = self.take().context("invariant: a permit for each instance")?;
        let answer = instance.invoke(event).await;
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(instance);
        answer
    }

    fn take(&self) -> Option<Instance> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// The event of an HTTP API, payload format 2.0; values that a real one looks up are constant.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'a str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: HttpContext<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'a str,
    time: &'a str,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpContext<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'a str,
    source_ip: &'a str,
    user_agent: &'a str,
}

fn event(head: &Parts, body: &[u8]) -> Result<Vec<u8>> {
    let headers = head.headers.iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let event = Event {
        version: "2.0",
        route_key: "$default",
        raw_path: head.uri.path(),
        raw_query_string: head.uri.query().unwrap_or_default(),
        headers: headers.collect(),
        request_context: RequestContext {
            account_id: "000000000000",
            api_id: "benchmark1",
            domain_name: "benchmark1.execute-api.us-east-1.amazonaws.com",
            domain_prefix: "benchmark1",
            http: HttpContext {
                method: head.method.as_str(),
                path: head.uri.path(),
                protocol: "HTTP/1.1",
                source_ip: "127.0.0.1",
                user_agent: "",
            },
            request_id: "JKJaXmPLvHcESHA=",
            route_key: "$default",
            stage: "$default",
            time: "01/Jan/2030:00:00:00 +0000",
            time_epoch: 1_893_456_000_000,
        },
        body: (!body.is_empty())
            .then(|| std::str::from_utf8(body))
            .transpose()?,
        is_base64_encoded: false,
    };
    Ok(serde_json::to_vec(&event)?)
}

/// An answer in the response format of HTTP APIs; one without a status is itself the body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: Option<u16>,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(default)]
    body: String,
}

fn response(answer: &Bytes) -> Result<Response<Full<Bytes>>> {
    let parsed: Answer = serde_json::from_slice(answer).context("not an answer for HTTP")?;
    let Some(status) = parsed.status_code else {
        let response = Response::builder().header("content-type", "application/json");
        return Ok(response.body(Full::new(answer.clone()))?);
    };
    let mut response = Response::builder().status(status);
    for (name, value) in &parsed.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(parsed.body.into()))?)
}
