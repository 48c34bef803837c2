//! One journey of an event: its steps as a tree.

use http::{Response, StatusCode};
use serde_json::{Value, json};
use tradewind_events::journey::{Branch, Step, tree};
use tradewind_model::Timestamp;
use tradewind_wire::Body;

use super::{error, json_response};
use crate::node::State;

/// Shortest start of an invocation's id that is looked for.
const SHORTEST: usize = 8;

pub(crate) async fn describe(state: &State, id: &str) -> Response<Body> {
    let Some(journal) = state.router.journal() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "the node is shutting down");
    };
    let is_id = id.len() >= SHORTEST && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_id {
        let message = format!("`{id}` is no id of a journey, nor of an invocation or its first 8 characters");
        return error(StatusCode::BAD_REQUEST, &message);
    }
    let found = async {
        let Some(root) = journal.find(id).await? else {
            return Ok(None);
        };
        let steps = journal.steps(&root).await?;
        Ok::<_, tradewind_observe::ReadLogsError>((!steps.is_empty()).then_some((root, steps)))
    };
    match found.await {
        Ok(Some((root, steps))) => {
            let steps: Vec<Value> = tree(steps).iter().map(document).collect();
            json_response(
                StatusCode::OK,
                &json!({"id": root, "steps": steps, "lost": journal.lost()}),
            )
        }
        Ok(None) => error(
            StatusCode::NOT_FOUND,
            &format!("no journey with the id `{id}` is known"),
        ),
        Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
    }
}

/// A step with what came of it. A tree is no deeper than this may recurse.
fn document(branch: &Branch) -> Value {
    let Branch { step, after } = branch;
    let Step {
        id,
        parent,
        what,
        from,
        to,
        at_ms,
        took_ms,
        attempt,
        request,
        outcome,
    } = step;
    json!({
        "id": id,
        "parent": parent,
        "what": what,
        "from": from,
        "to": to,
        "at": Timestamp::from_millis(*at_ms).to_rfc3339(),
        "tookMs": took_ms,
        "attempt": attempt,
        "requestId": request,
        "outcome": outcome,
        "steps": after.iter().map(document).collect::<Vec<_>>(),
    })
}
