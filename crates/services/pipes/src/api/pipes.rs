//! The operations on pipes themselves.

use serde_json::{Map, Value, json};
use tradewind_model::Arn;

use super::{Answer, Call, tags};
use crate::error::PipesError;
use crate::model::Pipe;
use crate::service::PipesService;
use crate::settings::{EnrichmentKind, Settings, State};
use crate::target::Kind;
use crate::token;

/// Members that a node does not honour, and why.
const REFUSED: [(&str, &str); 2] = [
    ("LogConfiguration", "pipes tell of failures in the node's own log"),
    (
        "KmsKeyIdentifier",
        "pipes are encrypted as the whole node is, not with keys of their own",
    ),
];

/// The members as settings; what is null was not given.
fn settings(mut members: Map<String, Value>) -> Result<Settings, PipesError> {
    if let Some((name, reason)) = REFUSED.iter().find(|(name, _)| members.contains_key(*name)) {
        return Err(PipesError::unsupported(name, reason));
    }
    members.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(members)).map_err(|error| PipesError::Validation(error.to_string()))
}

impl PipesService {
    pub(super) async fn create_pipe(&self, call: &Call) -> Answer {
        let id = call.pipe()?;
        let mut members = call.input()?;
        members.remove("Name");
        let tags = tags::read(members.remove("Tags"))?;
        let settings = settings(members)?;
        let plan = settings.plan()?;
        self.check_ends(&settings)?;
        let now = self.now();
        let decide = |existing: Option<&Pipe>| match existing {
            Some(pipe) => Err(PipesError::Exists(pipe.id.name().to_owned())),
            None => Ok(Some(Pipe {
                id: id.clone(),
                settings,
                plan,
                tags,
                created: now,
                modified: now,
                owner: None,
            })),
        };
        let pipe = self.change(&id, decide).await?;
        Ok(Value::Object(pipe.summary()))
    }

    /// Source, enrichment and target must be there: what is wrong now is told now.
    pub(crate) fn check_ends(&self, settings: &Settings) -> Result<(), PipesError> {
        let plan = settings.plan()?;
        let missing = |what: &str, error: &dyn std::fmt::Display| {
            PipesError::Validation(format!("The {what} cannot be used: {error}"))
        };
        self.config()
            .source
            .queue(&plan.source)
            .map_err(|error| missing("source", &error))?;
        let find = |what: &str, arn: &Arn| {
            self.config()
                .router
                .find(arn)
                .map_err(|error| missing(what, &error))
        };
        let find_destination = |what: &str, arn: &Arn| {
            let found = self.config().destinations.find(arn);
            found.map_err(|error| missing(what, &error))
        };
        if let Some(enrichment) = &plan.enrichment {
            match enrichment.kind {
                EnrichmentKind::Function => find("enrichment", &enrichment.arn)?,
                EnrichmentKind::Destination(_) => find_destination("enrichment", &enrichment.arn)?,
            }
        }
        if let Kind::Destination(_) = plan.target.kind {
            return find_destination("target", &plan.target.arn);
        }
        if let Kind::Topic { .. } = plan.target.kind {
            let found = self.config().topics.find(&plan.target.arn);
            return found.map(drop).map_err(|error| missing("target", &error));
        }
        find("target", &plan.target.arn)
    }

    pub(super) async fn update_pipe(&self, call: &Call) -> Answer {
        let id = call.pipe()?;
        let members = call.input()?;
        if members.contains_key("Source") {
            return Err(PipesError::Validation(
                "The source of a pipe cannot be changed.".into(),
            ));
        }
        let now = self.now();
        let decide = |existing: Option<&Pipe>| {
            let before = existing.ok_or_else(|| PipesError::NotFound(id.name().to_owned()))?;
            let settings = updated(before, members)?;
            self.check_ends(&settings)?;
            Ok(Some(Pipe {
                plan: settings.plan()?,
                settings,
                modified: now,
                ..before.clone()
            }))
        };
        let pipe = self.change(&id, decide).await?;
        Ok(Value::Object(pipe.summary()))
    }

    pub(super) async fn start_pipe(&self, call: &Call) -> Answer {
        self.set_state(call, State::Running).await
    }

    pub(super) async fn stop_pipe(&self, call: &Call) -> Answer {
        self.set_state(call, State::Stopped).await
    }

    async fn set_state(&self, call: &Call, state: State) -> Answer {
        let id = call.pipe()?;
        let now = self.now();
        let decide = |existing: Option<&Pipe>| {
            let mut pipe = existing
                .cloned()
                .ok_or_else(|| PipesError::NotFound(id.name().to_owned()))?;
            if pipe.settings.desired_state == state {
                return Ok(None);
            }
            pipe.settings.desired_state = state;
            pipe.modified = now;
            Ok(Some(pipe))
        };
        let pipe = self.change(&id, decide).await?;
        Ok(Value::Object(pipe.summary()))
    }

    pub(super) fn describe_pipe(&self, call: &Call) -> Answer {
        let pipe = self.pipe(&call.pipe()?)?;
        let mut shown = pipe.summary();
        let settings = serde_json::to_value(&pipe.settings);
        if let Value::Object(settings) = settings.map_err(|error| PipesError::Internal(error.to_string()))? {
            shown.extend(settings);
        }
        if !pipe.tags.is_empty() {
            shown.insert("Tags".into(), json!(pipe.tags));
        }
        if let Some(problem) = self.problem(&pipe.id) {
            shown.insert("StateReason".into(), json!(problem));
        }
        Ok(Value::Object(shown))
    }

    pub(super) async fn delete_pipe(&self, call: &Call) -> Answer {
        let pipe = self.remove(&call.pipe()?, |_| true).await?;
        let mut shown = pipe.summary();
        shown.insert("DesiredState".into(), json!("DELETED"));
        shown.insert("CurrentState".into(), json!("DELETING"));
        Ok(Value::Object(shown))
    }

    pub(super) fn list_pipes(&self, call: &Call) -> Answer {
        let begins = |param: &str, text: &str| {
            call.params
                .get(param)
                .is_none_or(|prefix| text.starts_with(prefix))
        };
        let state = |param: &str, pipe: &Pipe| {
            call.params
                .get(param)
                .is_none_or(|state| json!(pipe.settings.desired_state) == *state)
        };
        let pipes = self.pipes();
        let asked = pipes.iter().filter(|pipe| {
            pipe.id.account == call.caller.account
                && pipe.id.region == call.caller.region
                && begins("NamePrefix", pipe.id.name())
                && begins("SourcePrefix", &pipe.settings.source)
                && begins("TargetPrefix", &pipe.settings.target)
                && state("DesiredState", pipe)
                && state("CurrentState", pipe)
        });
        let name = |pipe: &&std::sync::Arc<Pipe>| pipe.id.name().to_owned();
        let (token, limit) = (call.params.get("NextToken"), call.params.get("Limit"));
        let (page, next) = token::page("pipes", asked, name, token, limit)?;
        let pipes: Vec<Value> = page.iter().map(|pipe| listed(pipe)).collect();
        let mut answer = json!({"Pipes": pipes});
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }
}

fn listed(pipe: &Pipe) -> Value {
    let mut shown = pipe.summary();
    shown.insert("Source".into(), json!(pipe.settings.source));
    shown.insert("Target".into(), json!(pipe.settings.target));
    if let Some(enrichment) = &pipe.settings.enrichment {
        shown.insert("Enrichment".into(), json!(enrichment));
    }
    Value::Object(shown)
}

/// The settings with the members that were given in the place of theirs.
fn updated(before: &Pipe, mut members: Map<String, Value>) -> Result<Settings, PipesError> {
    members.remove("Name");
    members.retain(|_, value| !value.is_null());
    let kept =
        serde_json::to_value(&before.settings).map_err(|error| PipesError::Internal(error.to_string()))?;
    let Value::Object(mut all) = kept else {
        return Err(PipesError::Internal("settings are an object".into()));
    };
    all.extend(members);
    settings(all)
}
