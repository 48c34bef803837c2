//! Calls of API destinations: by deliveries, and by other services that wait for the answer.

use bytes::{Bytes, BytesMut};
use tradewind_events::api_destination::{
    ApiDestinations, DestinationFailure, DestinationRequest, HttpParameters,
};
use tradewind_events::delivery::{Outcome, Rate};
use tradewind_model::{Arn, limits};

use super::{ApiDestination, give_up};
use crate::service::EventBridgeService;

/// What a request has that does not come from the destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) body: &'a str,
    pub(super) http: &'a HttpParameters,
    /// As a header has it.
    pub(super) trace: Option<&'a str>,
}

impl ApiDestination {
    /// Its rate, which all share that call it.
    pub(super) fn shared_rate(&self) -> Rate {
        Rate::shared(self.rate, &self.arn)
    }
}

impl EventBridgeService {
    /// Makes one request. An answer that is a success is given as it is; what comes of others is the outcome.
    pub(super) async fn request(
        &self,
        destination: &str,
        call: Call<'_>,
    ) -> Result<reqwest::Response, Outcome> {
        let destination = self.registry(|registry| registry.destination(destination));
        let destination =
            destination.ok_or_else(|| give_up("NO_RESOURCE", "the API destination does not exist"))?;
        let connection = self.registry(|registry| registry.connection(&destination.connection));
        let connection = connection.ok_or_else(|| give_up("NO_RESOURCE", "the connection does not exist"))?;
        let Some(auth) = &connection.auth else {
            return Err(give_up("NO_PERMISSIONS", "the connection is deauthorised"));
        };
        self.attempt(call, &destination, (&connection.definition, auth))
            .await
    }
}

#[async_trait::async_trait]
impl ApiDestinations for EventBridgeService {
    fn find(&self, destination: &Arn) -> Result<(), DestinationFailure> {
        self.destination_of(destination).map(drop)
    }

    async fn call(&self, request: DestinationRequest) -> Result<Bytes, DestinationFailure> {
        let rate = self.destination_of(&request.destination)?.shared_rate();
        let turn = self.deliveries().turn(&rate).await;
        turn.map_err(|stopped| DestinationFailure(stopped.to_string()))?;
        let call = Call {
            body: &request.body,
            http: &request.http,
            trace: request.trace.as_deref(),
        };
        let answer = self.request(&request.destination.to_string(), call).await;
        match answer {
            Ok(response) => read(response).await,
            Err(Outcome::Retry { reason, .. } | Outcome::GiveUp { reason, .. }) => {
                Err(DestinationFailure(reason))
            }
            Err(Outcome::Done) => Ok(Bytes::new()),
        }
    }
}

impl EventBridgeService {
    fn destination_of(&self, arn: &Arn) -> Result<ApiDestination, DestinationFailure> {
        let found = self.registry(|registry| registry.destination(&arn.to_string()));
        found
            .map(|found| ApiDestination::clone(&found))
            .ok_or_else(|| DestinationFailure(format!("the API destination {arn} does not exist")))
    }
}

/// The body of an answer, as large as an event of a function may be.
async fn read(mut response: reqwest::Response) -> Result<Bytes, DestinationFailure> {
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await.map_err(|error| {
            DestinationFailure(format!(
                "the endpoint's answer ends early: {}",
                error.without_url()
            ))
        })?;
        let Some(chunk) = chunk else {
            return Ok(body.freeze());
        };
        if body.len() + chunk.len() > limits::SYNC_PAYLOAD_BYTES {
            return Err(DestinationFailure("the endpoint answers more than 6 MB".into()));
        }
        body.extend_from_slice(&chunk);
    }
}
