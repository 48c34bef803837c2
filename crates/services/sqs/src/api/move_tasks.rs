//! `StartMessageMoveTask`, `ListMessageMoveTasks`, `CancelMessageMoveTask`: dead letters go back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tradewind_store::queue::{MoveId, MoveStatus, MoveTask, QueueError};

use super::{Call, required};
use crate::error::SqsError;
use crate::names::QueueArn;
use crate::service::{SqsService, id_of};

const MAX_RATE: i64 = 500;
const MAX_RESULTS: i64 = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartMessageMoveTask {
    source_arn: Option<String>,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Started {
    task_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMessageMoveTasks {
    source_arn: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tasks {
    results: Vec<Task>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Task {
    /// Of a running task only.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: &'static str,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<u32>,
    approximate_number_of_messages_moved: u64,
    approximate_number_of_messages_to_move: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    started_timestamp: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CancelMessageMoveTask {
    task_handle: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cancelled {
    approximate_number_of_messages_moved: u64,
}

impl SqsService {
    pub(super) async fn start_message_move_task(
        &self,
        _call: &Call,
        request: StartMessageMoveTask,
    ) -> Result<Started, SqsError> {
        let rate = rate(request.max_number_of_messages_per_second)?;
        let source = self.named(&required(request.source_arn, "SourceArn")?, "SourceArn")?;
        let destination = request
            .destination_arn
            .map(|arn| self.named(&arn, "DestinationArn"));
        let destination = destination.transpose()?;
        if self.registry(|registry| registry.sources_of(&source).next().is_none()) {
            let text = "Source queue must be configured as a Dead Letter Queue.";
            return Err(SqsError::InvalidParameterValue(text.into()));
        }
        if destination
            .as_ref()
            .is_some_and(|to| to.name.is_fifo() != source.name.is_fifo())
        {
            let text = "Source and destination queues must be of the same type.";
            return Err(SqsError::InvalidParameterValue(text.into()));
        }
        let destination = destination.map(|arn| id_of(&arn));
        let started = self
            .queues()
            .start_move(&id_of(&source), destination.as_ref(), rate)
            .await;
        let id = started.map_err(|error| match error {
            QueueError::MoveRunning { .. } => SqsError::InvalidParameterValue(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given \
                 time."
                    .into(),
            ),
            other => other.into(),
        })?;
        Ok(Started {
            task_handle: handle(id, &source.to_string()),
        })
    }

    pub(super) async fn list_message_move_tasks(
        &self,
        _call: &Call,
        request: ListMessageMoveTasks,
    ) -> Result<Tasks, SqsError> {
        let source = self.named(&required(request.source_arn, "SourceArn")?, "SourceArn")?;
        let wanted = request.max_results.unwrap_or(1);
        let limit = u32::try_from(wanted)
            .ok()
            .filter(|_| (1..=MAX_RESULTS).contains(&wanted));
        let limit = limit.ok_or_else(|| {
            SqsError::value(
                wanted,
                "MaxResults",
                "Value for parameter must be between 1 and 10.",
            )
        })?;
        let tasks = self.queues().list_moves(&id_of(&source), limit).await?;
        Ok(Tasks {
            results: tasks.into_iter().map(Task::from).collect(),
        })
    }

    pub(super) async fn cancel_message_move_task(
        &self,
        _call: &Call,
        request: CancelMessageMoveTask,
    ) -> Result<Cancelled, SqsError> {
        let given = required(request.task_handle, "TaskHandle")?;
        let (id, source) = read_handle(&given).ok_or_else(|| {
            SqsError::InvalidParameterValue("Value for parameter TaskHandle is invalid.".into())
        })?;
        self.named(&source, "SourceArn")?;
        let no_task = || SqsError::ResourceNotFound("Task does not exist.".into());
        let id: MoveId = id.parse().map_err(|_not_an_id| no_task())?;
        let task = self.queues().cancel_move(id).await?.ok_or_else(no_task)?;
        if task.status != MoveStatus::Running {
            return Err(SqsError::UnsupportedOperation(
                "Only active tasks can be cancelled.".into(),
            ));
        }
        Ok(Cancelled {
            approximate_number_of_messages_moved: task.moved,
        })
    }

    /// The queue of an ARN that a parameter gives.
    fn named(&self, arn: &str, parameter: &str) -> Result<QueueArn, SqsError> {
        let arn: QueueArn = arn.parse().map_err(|_not_an_arn| {
            let form = "arn:<partition>:<service>:<region>:<account-id>:<resource-id>";
            SqsError::InvalidParameterValue(format!(
                "You must use this format to specify the {parameter}: {form}"
            ))
        })?;
        if self.queue(&arn).is_err() {
            let text =
                format!("The resource that you specified for the {parameter} parameter doesn't exist.");
            return Err(SqsError::ResourceNotFound(text));
        }
        Ok(arn)
    }
}

fn rate(given: Option<i64>) -> Result<Option<u32>, SqsError> {
    let Some(given) = given else { return Ok(None) };
    let rate = u32::try_from(given)
        .ok()
        .filter(|_| (1..=MAX_RATE).contains(&given));
    let reason = "Value for parameter must be between 1 and 500.";
    rate.map(Some)
        .ok_or_else(|| SqsError::value(given, "MaxNumberOfMessagesPerSecond", reason))
}

/// Opaque text that knows the task and its queue.
fn handle(id: MoveId, source: &str) -> String {
    STANDARD.encode(serde_json::json!({"taskId": id.to_string(), "sourceArn": source}).to_string())
}

fn read_handle(handle: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(handle).ok()?;
    let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    Some((text("taskId")?, text("sourceArn")?))
}

impl From<MoveTask> for Task {
    fn from(task: MoveTask) -> Self {
        let source = task.source.to_string();
        let is_running = task.status == MoveStatus::Running;
        Self {
            task_handle: is_running.then(|| handle(task.id, &source)),
            status: match &task.status {
                MoveStatus::Running => "RUNNING",
                MoveStatus::Completed => "COMPLETED",
                MoveStatus::Cancelled => "CANCELLED",
                MoveStatus::Failed { .. } => "FAILED",
            },
            // a move fails for nothing else
            failure_reason: matches!(task.status, MoveStatus::Failed { .. })
                .then_some("AWS.SimpleQueueService.NonExistentQueue"),
            source_arn: source,
            destination_arn: task.destination.map(|queue| queue.to_string()),
            max_number_of_messages_per_second: task.max_per_second,
            approximate_number_of_messages_moved: task.moved,
            approximate_number_of_messages_to_move: task.to_move,
            started_timestamp: task.started_at.as_millis(),
        }
    }
}
