//! Replays: starting, describing, listing and cancelling them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_store::Batch;

use super::buses::check_description;
use super::events::timestamp;
use super::{Call, answer, seconds};
use crate::archive::{Replay, ReplayState};
use crate::error::EventBridgeError;
use crate::names::{BusArn, Name, arn, required};
use crate::service::EventBridgeService;
use crate::tables;
use crate::target::parse_arn;
use crate::token::Paging;

const MAX_NAME: usize = 64;
/// Replays that may run at the same time. EventBridge User Guide, "Quotas".
const MAX_RUNNING: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartReplay {
    replay_name: Option<String>,
    description: Option<String>,
    event_source_arn: Option<String>,
    event_start_time: Option<f64>,
    event_end_time: Option<f64>,
    destination: Option<Destination>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    arn: Option<String>,
    #[serde(default)]
    filter_arns: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfReplay {
    replay_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReplays {
    name_prefix: Option<String>,
    state: Option<ReplayState>,
    event_source_arn: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

fn replay_name(name: Option<String>) -> Result<Name, EventBridgeError> {
    Name::parse(name, "replayName", MAX_NAME)
}

fn replay_arn(call: &Call, name: &Name) -> String {
    arn(&call.account, &call.region, &format!("replay/{name}")).to_string()
}

impl StartReplay {
    fn parse(self, call: &Call, service: &EventBridgeService) -> Result<Replay, EventBridgeError> {
        let name = replay_name(self.replay_name)?;
        check_description(self.description.as_deref())?;
        let source = required(self.event_source_arn, "eventSourceArn")?;
        let archive = service
            .registry(|registry| registry.archive(&source))
            .ok_or_else(|| {
                let name = source.rsplit_once('/').map_or(&*source, |(_, name)| name);
                EventBridgeError::parameter("EventSourceArn", &format!("Archive {name} does not exist."))
            })?;
        let from = timestamp(required(self.event_start_time, "eventStartTime")?);
        let until = timestamp(required(self.event_end_time, "eventEndTime")?);
        if until <= from {
            let reason = "EventStartTime must be before EventEndTime.";
            return Err(EventBridgeError::parameter("EventEndTime", reason));
        }
        let destination = required(self.destination, "destination")?;
        let bus = parse_arn(&required(destination.arn, "destination.arn")?, "Destination.Arn")?;
        let bus = BusArn::of(&bus)
            .filter(|bus| *bus == archive.definition.source)
            .ok_or_else(|| {
                EventBridgeError::parameter("Destination.Arn", "Cross event bus replay is not permitted.")
            })?;
        Ok(Replay {
            arn: replay_arn(call, &name),
            name,
            description: self.description,
            archive: source,
            rows: archive.definition.rows.clone(),
            bus,
            rules: destination.filter_arns,
            from,
            until,
            state: ReplayState::Starting,
            started: service.now(),
            ended: None,
            last: None,
            after: None,
        })
    }
}

impl EventBridgeService {
    pub(super) async fn start_replay(
        &self,
        call: &Call,
        request: StartReplay,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let replay = request.parse(call, self)?;
        self.registry(|registry| {
            if registry.replay(&replay.arn).is_some() {
                let text = format!("Replay {} already exists.", replay.name);
                return Err(EventBridgeError::ResourceAlreadyExists(text));
            }
            if registry.running().len() >= MAX_RUNNING {
                let text = "The requested resource exceeds the maximum number allowed.";
                return Err(EventBridgeError::LimitExceeded(text.into()));
            }
            Ok(())
        })?;
        let view = json!({
            "ReplayArn": replay.arn, "State": replay.state, "ReplayStartTime": seconds(Some(replay.started)),
        });
        self.store_replay(Batch::new(), replay).await?;
        self.tidy_soon();
        Ok(view)
    }

    /// Stores a replay as it is now, with what the batch has.
    pub(crate) async fn store_replay(&self, batch: Batch, replay: Replay) -> Result<(), EventBridgeError> {
        let batch = tables::put(batch, &replay)?;
        self.commit(batch, |registry| registry.put_replay(replay)).await
    }

    fn replay(&self, call: &Call, name: Option<String>) -> Result<Arc<Replay>, EventBridgeError> {
        let name = replay_name(name)?;
        let found = self.registry(|registry| registry.replay(&replay_arn(call, &name)));
        found.ok_or_else(|| EventBridgeError::ResourceNotFound(format!("Replay {name} does not exist.")))
    }

    pub(super) async fn cancel_replay(
        &self,
        call: &Call,
        request: OfReplay,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let replay = self.replay(call, request.replay_name)?;
        if !replay.is_running() {
            let text = format!(
                "Replay {} is not in a valid state for this operation.",
                replay.name
            );
            return Err(EventBridgeError::IllegalStatus(text));
        }
        let replay = Replay {
            state: ReplayState::Cancelling,
            ..Replay::clone(&replay)
        };
        let view = json!({"ReplayArn": replay.arn, "State": replay.state});
        self.store_replay(Batch::new(), replay).await?;
        self.tidy_soon();
        Ok(view)
    }

    pub(super) fn describe_replay(&self, call: &Call, request: OfReplay) -> Result<Value, EventBridgeError> {
        let replay = self.replay(call, request.replay_name)?;
        let mut view = view(&replay);
        view["ReplayArn"] = json!(replay.arn);
        view["Description"] = json!(replay.description);
        let mut destination = json!({"Arn": replay.bus.to_string()});
        if !replay.rules.is_empty() {
            destination["FilterArns"] = json!(replay.rules);
        }
        view["Destination"] = destination;
        Ok(answer(view))
    }

    pub(super) fn list_replays(&self, call: &Call, request: ListReplays) -> Result<Value, EventBridgeError> {
        let prefix = request.name_prefix.unwrap_or_default();
        let wanted = |replay: &&Arc<Replay>| {
            replay.name.as_str().starts_with(&prefix)
                && request.state.is_none_or(|state| replay.state == state)
                && request
                    .event_source_arn
                    .as_ref()
                    .is_none_or(|source| replay.archive == *source)
        };
        let all = self.registry(|registry| registry.replays_in(&call.account, &call.region));
        let views = all
            .iter()
            .filter(wanted)
            .map(|replay| (replay.name.to_string(), answer(view(replay))));
        let (page, next) = request.paging.page("ListReplays", views)?;
        Ok(answer(json!({"Replays": page, "NextToken": next})))
    }
}

fn view(replay: &Replay) -> Value {
    json!({
        "ReplayName": replay.name, "EventSourceArn": replay.archive, "State": replay.state,
        "EventStartTime": seconds(Some(replay.from)), "EventEndTime": seconds(Some(replay.until)),
        "EventLastReplayedTime": seconds(replay.last), "ReplayStartTime": seconds(Some(replay.started)),
        "ReplayEndTime": seconds(replay.ended),
    })
}
