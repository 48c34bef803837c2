//! `TestMetricFilter`: what a filter pattern makes of some messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Call, required};
use crate::error::LogsError;
use crate::pattern::FilterPattern;
use crate::service::LogsService;

const MAX_MESSAGES: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestMetricFilter {
    filter_pattern: Option<String>,
    log_event_messages: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Matches {
    matches: Vec<Match>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    /// From one.
    event_number: usize,
    event_message: String,
    extracted_values: BTreeMap<String, String>,
}

impl LogsService {
    pub(super) async fn test_metric_filter(
        &self,
        _call: &Call,
        request: TestMetricFilter,
    ) -> Result<Matches, LogsError> {
        let pattern: FilterPattern = required(request.filter_pattern, "filterPattern")?.parse()?;
        let messages = required(request.log_event_messages, "logEventMessages")?;
        if messages.is_empty() || messages.len() > MAX_MESSAGES {
            let rule = "Member must have length between 1 and 50";
            return Err(LogsError::constraint(
                format!("[{} messages]", messages.len()),
                "logEventMessages",
                rule,
            ));
        }
        let matches = (1..).zip(messages).filter_map(|(event_number, event_message)| {
            Some(Match {
                extracted_values: pattern.extract(&event_message)?,
                event_number,
                event_message,
            })
        });
        Ok(Matches {
            matches: matches.collect(),
        })
    }
}
