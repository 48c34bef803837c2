//! Lambda's Runtime API for one instance: `next` and `response`.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::TaskTracker;

/// The host's side of one instance's Runtime API.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    pub(crate) address: String,
    events: mpsc::Sender<Vec<u8>>,
    answers: mpsc::Receiver<Bytes>,
}

/// What the instance's requests reach.
#[derive(Debug)]
struct Endpoint {
    events: Mutex<mpsc::Receiver<Vec<u8>>>,
    answers: mpsc::Sender<Bytes>,
}

impl RuntimeApi {
    /// Listens at an address of its own.
    pub(crate) async fn listen(tasks: &TaskTracker) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (events, events_out) = mpsc::channel(1);
        let (answers_in, answers) = mpsc::channel(1);
        let endpoint = Arc::new(Endpoint {
            events: Mutex::new(events_out),
            answers: answers_in,
        });
        let of_connections = tasks.clone();
        tasks.spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                of_connections.spawn(serve(stream, endpoint.clone()));
            }
        });
        Ok(Self {
            address,
            events,
            answers,
        })
    }

    /// Gives the event to the next `next`, and waits for its `response`.
    pub(crate) async fn exchange(&mut self, event: Vec<u8>) -> Result<Bytes> {
        self.events.send(event).await?;
        self.answers.recv().await.context("the Runtime API has ended")
    }
}

async fn serve(stream: tokio::net::TcpStream, endpoint: Arc<Endpoint>) {
    let answer = service_fn(|request| endpoint.answer(request));
    // a connection that breaks ends with its instance, which the gateway notices
    if stream.set_nodelay(true).is_ok() {
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        drop(connection.await);
    }
}

impl Endpoint {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        if request.method() == Method::GET {
            return self.next().await;
        }
        let response = request.uri().path().ends_with("/response");
        let body = request.into_body().collect().await?.to_bytes();
        if !response {
            anyhow::bail!("the function failed: {}", String::from_utf8_lossy(&body));
        }
        self.answers.send(body).await?;
        let accepted = Response::builder().status(StatusCode::ACCEPTED);
        Ok(accepted.body(Full::default())?)
    }

    async fn next(&self) -> Result<Response<Full<Bytes>>> {
        let event = self.events.lock().await.recv().await;
        let response = Response::builder()
            .header("content-type", "application/json")
            .header(
                "lambda-runtime-aws-request-id",
                "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            )
            .header("lambda-runtime-deadline-ms", "1893456000000")
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:000000000000:function:hello",
            );
        let event = event.context("the gateway has ended")?;
        Ok(response.body(Full::new(event.into()))?)
    }
}
