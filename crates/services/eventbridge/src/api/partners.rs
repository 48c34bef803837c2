//! Partner event sources: made and fed by one account, taken and paused by another.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_events::Routing;
use tradewind_model::AccountId;
use tradewind_store::Batch;

use super::events::{Entry, Refusal, check_sizes};
use super::{Call, answer, seconds};
use crate::error::EventBridgeError;
use crate::names::{BusArn, required};
use crate::partner::{PartnerSource, SourceState, source_name};
use crate::service::EventBridgeService;
use crate::tables;
use crate::token::Paging;

/// Sources that a partner may have in a region; a bound of this node.
const MAX_SOURCES: usize = 1000;
/// API Reference, `PutPartnerEvents`.
const MAX_ENTRIES: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfAccount {
    name: Option<String>,
    account: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSources {
    name_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccounts {
    event_source_name: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutPartnerEvents {
    entries: Option<Vec<Entry>>,
}

impl OfAccount {
    /// The bus that the source is for.
    fn bus(self, call: &Call) -> Result<BusArn, EventBridgeError> {
        let name = source_name(self.name)?;
        let given = required(self.account, "account")?;
        let invalid = |_invalid| {
            let rule = r"Member must satisfy regular expression pattern: \d{12}";
            EventBridgeError::constraint(&format!("'{given}'"), "account", rule)
        };
        Ok(BusArn {
            account: given.parse::<AccountId>().map_err(invalid)?,
            region: call.region.clone(),
            name: name.into(),
        })
    }
}

/// What partners do.
impl EventBridgeService {
    pub(super) async fn create_partner_event_source(
        &self,
        call: &Call,
        request: OfAccount,
    ) -> Result<Value, EventBridgeError> {
        let bus = request.bus(call)?;
        let _changing = self.changing().await;
        let others = self.registry(|registry| registry.sources_in(&call.region));
        let living = |source: &&Arc<PartnerSource>| self.source_state(source).is_some();
        let taken = |source: &Arc<PartnerSource>| {
            *source.bus.name == *bus.name && (source.bus == bus || *source.partner != *call.account.as_str())
        };
        if others.iter().filter(living).any(taken) {
            let text = format!("Event source {} already exists.", bus.name);
            return Err(EventBridgeError::ResourceAlreadyExists(text));
        }
        if others
            .iter()
            .filter(|source| *source.partner == *call.account.as_str())
            .count()
            >= MAX_SOURCES
        {
            let text = "The requested resource exceeds the maximum number allowed.";
            return Err(EventBridgeError::LimitExceeded(text.into()));
        }
        let now = self.now();
        let source = PartnerSource {
            bus,
            partner: call.account.as_str().into(),
            created: now,
            since: now,
            deactivated: false,
            deleted: false,
        };
        let arn = source.arn();
        self.store_source(source).await?;
        Ok(json!({"EventSourceArn": arn}))
    }

    /// That it is gone already is success.
    pub(super) async fn delete_partner_event_source(
        &self,
        call: &Call,
        request: OfAccount,
    ) -> Result<Value, EventBridgeError> {
        let bus = request.bus(call)?;
        let _changing = self.changing().await;
        let found = self.registry(|registry| registry.source(&bus));
        let Some(source) = found.filter(|source| *source.partner == *call.account.as_str()) else {
            return Ok(json!({}));
        };
        if self.registry(|registry| registry.has_bus(&bus)) {
            self.store_source(PartnerSource {
                deleted: true,
                ..PartnerSource::clone(&source)
            })
            .await?;
        } else {
            self.forget_source(&source).await?;
        }
        Ok(json!({}))
    }

    pub(super) fn describe_partner_event_source(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<Value, EventBridgeError> {
        let name = source_name(request.name)?;
        let offered = self.offered(call, |source| source.name() == name);
        let source = offered.first().ok_or_else(|| missing(&name))?;
        Ok(offer(source))
    }

    pub(super) fn list_partner_event_sources(
        &self,
        call: &Call,
        request: ListSources,
    ) -> Result<Value, EventBridgeError> {
        let prefix = required(request.name_prefix, "namePrefix")?;
        let mut offered = self.offered(call, |source| source.name().starts_with(&prefix));
        offered.dedup_by(|one, other| one.name() == other.name());
        let views = offered
            .iter()
            .map(|source| (source.name().to_owned(), offer(source)));
        let (page, next) = request.paging.page("ListPartnerEventSources", views)?;
        Ok(answer(json!({"PartnerEventSources": page, "NextToken": next})))
    }

    pub(super) fn list_partner_event_source_accounts(
        &self,
        call: &Call,
        request: ListAccounts,
    ) -> Result<Value, EventBridgeError> {
        let name = source_name(request.event_source_name)?;
        let offered = self.offered(call, |source| source.name() == name);
        if offered.is_empty() {
            return Err(missing(&name));
        }
        let views = offered.iter().map(|source| {
            let mut view = self.times(source);
            view["Account"] = json!(source.bus.account.as_str());
            (source.bus.account.to_string(), answer(view))
        });
        let (page, next) = request.paging.page("ListPartnerEventSourceAccounts", views)?;
        Ok(answer(
            json!({"PartnerEventSourceAccounts": page, "NextToken": next}),
        ))
    }

    /// Events of a source that no bus takes are dropped, as by AWS.
    pub(super) async fn put_partner_events(
        &self,
        call: &Call,
        request: PutPartnerEvents,
    ) -> Result<Value, EventBridgeError> {
        let entries = required(request.entries, "entries")?;
        check_sizes(&entries, MAX_ENTRIES)?;
        self.put_entries(&entries, |routing, entry| {
            self.put_partner_event(call, routing, entry)
        })
        .await
    }

    fn put_partner_event(
        &self,
        call: &Call,
        routing: &mut Routing,
        entry: &Entry,
    ) -> Result<String, Refusal> {
        let name = entry.source()?;
        let offered = self.offered(call, |source| source.name() == name);
        if offered.is_empty() {
            return Err(("NotAuthorizedForSource", "Not authorized for the source.".into()));
        }
        let id = crate::event::new_id();
        let (mut is_taken, mut refused) = (false, None);
        for source in offered {
            let event = entry.parse(&source.bus, name, self.now())?;
            if self.source_state(&source) == Some(SourceState::Active) {
                match self.route_event(call, routing, entry, &event, &id) {
                    Ok(()) => is_taken = true,
                    Err(refusal) => refused = Some(refusal),
                }
            }
        }
        // put again, it would come twice to those that took it
        if let Some(refusal) = refused.filter(|_| !is_taken) {
            return Err(refusal);
        }
        Ok(id)
    }

    /// The sources that the caller made and did not delete, by name.
    fn offered(&self, call: &Call, chosen: impl Fn(&PartnerSource) -> bool) -> Vec<Arc<PartnerSource>> {
        let mut sources = self.registry(|registry| registry.sources_in(&call.region));
        sources.retain(|source| {
            let state = self.source_state(source);
            *source.partner == *call.account.as_str()
                && chosen(source)
                && state.is_some_and(|state| state != SourceState::Deleted)
        });
        sources
    }
}

/// What their customers do.
impl EventBridgeService {
    pub(super) async fn activate_event_source(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<Value, EventBridgeError> {
        self.switch(call, request, SourceState::Pending, false).await
    }

    pub(super) async fn deactivate_event_source(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<Value, EventBridgeError> {
        self.switch(call, request, SourceState::Active, true).await
    }

    /// Changes whether a source in the state `from` is deactivated.
    async fn switch(
        &self,
        call: &Call,
        request: Named,
        from: SourceState,
        deactivated: bool,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let (source, state) = self.received(call, request)?;
        if state != from || !self.registry(|registry| registry.has_bus(&source.bus)) {
            let text = format!("Event source {} is not in a state to do that.", source.name());
            return Err(EventBridgeError::InvalidState(text));
        }
        self.store_source(PartnerSource {
            deactivated,
            since: self.now(),
            ..PartnerSource::clone(&source)
        })
        .await?;
        Ok(json!({}))
    }

    pub(super) fn describe_event_source(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<Value, EventBridgeError> {
        let (source, _) = self.received(call, request)?;
        Ok(self.view_source(&source))
    }

    pub(super) fn list_event_sources(
        &self,
        call: &Call,
        request: ListSources,
    ) -> Result<Value, EventBridgeError> {
        let prefix = request.name_prefix.unwrap_or_default();
        let sources = self.registry(|registry| registry.sources_in(&call.region));
        let own = sources.iter().filter(|source| {
            source.bus.account == call.account
                && source.name().starts_with(&prefix)
                && self.source_state(source).is_some()
        });
        let views = own.map(|source| (source.name().to_owned(), self.view_source(source)));
        let (page, next) = request.paging.page("ListEventSources", views)?;
        Ok(answer(json!({"EventSources": page, "NextToken": next})))
    }

    /// The source that was made for the caller.
    fn received(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<(Arc<PartnerSource>, SourceState), EventBridgeError> {
        let name = source_name(request.name)?;
        let bus = call.bus(Some(&name))?;
        let found = self.registry(|registry| registry.source(&bus));
        found
            .and_then(|source| Some((Arc::clone(&source), self.source_state(&source)?)))
            .ok_or_else(|| missing(&name))
    }

    fn view_source(&self, source: &PartnerSource) -> Value {
        let mut view = self.times(source);
        view["Arn"] = json!(source.arn());
        view["Name"] = json!(source.name());
        view["CreatedBy"] = json!(source.created_by());
        answer(view)
    }

    fn times(&self, source: &PartnerSource) -> Value {
        let state = self.source_state(source);
        let expires = (state == Some(SourceState::Pending)).then(|| source.expires());
        json!({
            "CreationTime": seconds(Some(source.created)), "ExpirationTime": seconds(expires), "State": state,
        })
    }
}

impl EventBridgeService {
    /// Whether its events arrive; none if it is gone.
    pub(crate) fn source_state(&self, source: &PartnerSource) -> Option<SourceState> {
        let has_bus = self.registry(|registry| registry.has_bus(&source.bus));
        source.state(has_bus, self.now())
    }

    /// Refuses a bus for a source that nobody offers to its account.
    pub(crate) fn check_source(&self, bus: &BusArn) -> Result<(), EventBridgeError> {
        let found = self.registry(|registry| registry.source(bus));
        let state = found.and_then(|source| self.source_state(&source));
        match state {
            Some(SourceState::Pending | SourceState::Active) => Ok(()),
            Some(SourceState::Deleted) | None => Err(missing(&bus.name)),
        }
    }

    async fn store_source(&self, source: PartnerSource) -> Result<(), EventBridgeError> {
        let batch = tables::put(Batch::new(), &source)?;
        self.commit(batch, |registry| registry.put_source(source)).await
    }

    /// Removes a source. Called while [`Self::changing`] is held.
    pub(crate) async fn forget_source(&self, source: &PartnerSource) -> Result<(), EventBridgeError> {
        let batch = tables::delete(Batch::new(), &tables::Stored::key(source));
        self.commit(batch, |registry| registry.delete_source(&source.bus))
            .await
    }

    /// The source whose bus goes: it waits for another from now on.
    pub(crate) fn source_without_bus(&self, bus: &BusArn) -> Option<PartnerSource> {
        let source = self.registry(|registry| registry.source(bus))?;
        Some(PartnerSource {
            deleted: self.source_state(&source) == Some(SourceState::Deleted),
            deactivated: false,
            since: self.now(),
            ..PartnerSource::clone(&source)
        })
    }
}

fn offer(source: &PartnerSource) -> Value {
    json!({"Arn": source.arn(), "Name": source.name()})
}

fn missing(name: &str) -> EventBridgeError {
    EventBridgeError::ResourceNotFound(format!("Event source {name} does not exist."))
}
