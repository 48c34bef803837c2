//! The buses and rules in memory: what an event is matched with, so that none of them asks the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tradewind_events::pattern::RuleSet;
use tradewind_model::{AccountId, Region, Timestamp};

use crate::archive::{Archive, Replay};
use crate::connection::Connection;
use crate::destination::ApiDestination;
use crate::error::EventBridgeError;
use crate::model::{EventBus, Rule};
use crate::names::{BusArn, Name};
use crate::partner::PartnerSource;

/// Everything that is configured.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    buses: BTreeMap<BusArn, Bus>,
    /// By their ARNs.
    archives: BTreeMap<String, Arc<Archive>>,
    /// By their ARNs.
    connections: BTreeMap<String, Arc<Connection>>,
    /// By their ARNs.
    destinations: BTreeMap<String, Arc<ApiDestination>>,
    /// By their ARNs.
    replays: BTreeMap<String, Arc<Replay>>,
    /// By the buses they are for.
    sources: BTreeMap<BusArn, Arc<PartnerSource>>,
}

/// A bus and its rules.
#[derive(Debug)]
pub(crate) struct Bus {
    pub(crate) bus: Arc<EventBus>,
    pub(crate) rules: BTreeMap<Name, Arc<Rule>>,
    /// The patterns of the rules that are enabled.
    patterns: RuleSet<Name>,
}

impl Registry {
    /// The bus; the default bus is there also when nothing was said of it.
    pub(crate) fn bus(&self, arn: &BusArn) -> Result<Arc<EventBus>, EventBridgeError> {
        match self.buses.get(arn) {
            Some(found) => Ok(Arc::clone(&found.bus)),
            None if arn.is_default() => Ok(Arc::new(EventBus::new(arn.clone()))),
            None => Err(EventBridgeError::ResourceNotFound(format!(
                "Event bus {} does not exist.",
                arn.name
            ))),
        }
    }

    pub(crate) fn put_bus(&mut self, bus: EventBus) {
        let arn = bus.arn.clone();
        self.entry(&arn).bus = Arc::new(bus);
    }

    pub(crate) fn delete_bus(&mut self, arn: &BusArn) {
        self.buses.remove(arn);
    }

    fn entry(&mut self, arn: &BusArn) -> &mut Bus {
        self.buses.entry(arn.clone()).or_insert_with(|| Bus {
            bus: Arc::new(EventBus::new(arn.clone())),
            rules: BTreeMap::new(),
            patterns: RuleSet::new(),
        })
    }

    /// The buses of an account in a region by name, the default bus among them.
    pub(crate) fn buses_of(&self, account: &AccountId, region: &Region) -> Vec<Arc<EventBus>> {
        let mut default = BTreeSet::from([BusArn {
            account: account.clone(),
            region: region.clone(),
            name: crate::names::DEFAULT_BUS.into(),
        }]);
        default.extend(
            self.buses
                .keys()
                .filter(|arn| arn.account == *account && arn.region == *region)
                .cloned(),
        );
        default.iter().filter_map(|arn| self.bus(arn).ok()).collect()
    }

    /// The rules of a bus, by name.
    pub(crate) fn rules(&self, bus: &BusArn) -> impl Iterator<Item = &Arc<Rule>> {
        self.buses.get(bus).into_iter().flat_map(|bus| bus.rules.values())
    }

    pub(crate) fn all_rules(&self) -> Vec<Arc<Rule>> {
        let rules = self.buses.values().flat_map(|bus| bus.rules.values());
        rules.map(Arc::clone).collect()
    }

    pub(crate) fn rule(&self, bus: &BusArn, name: &Name) -> Option<Arc<Rule>> {
        self.buses.get(bus)?.rules.get(name).map(Arc::clone)
    }

    /// Puts a rule in force as it is now.
    pub(crate) fn put_rule(&mut self, rule: Rule) {
        let rule = Arc::new(rule);
        let name = rule.definition.name.clone();
        let bus = self.entry(&rule.definition.bus);
        bus.patterns.remove(&name);
        if let Some(pattern) = rule.pattern.as_ref().filter(|_| rule.is_enabled()) {
            bus.patterns.insert(name.clone(), pattern.clone());
        }
        bus.rules.insert(name, rule);
    }

    pub(crate) fn delete_rule(&mut self, bus: &BusArn, name: &Name) {
        let Some(bus) = self.buses.get_mut(bus) else {
            return;
        };
        bus.patterns.remove(name);
        bus.rules.remove(name);
    }

    /// The rules of a bus that match the event.
    pub(crate) fn matching(&self, bus: &BusArn, event: &Value) -> Vec<Arc<Rule>> {
        let Some(bus) = self.buses.get(bus) else {
            return Vec::new();
        };
        let names = bus.patterns.matching(event);
        let mut rules: Vec<_> = names
            .into_iter()
            .filter_map(|name| bus.rules.get(name).map(Arc::clone))
            .collect();
        rules.sort_by(|one, other| one.arn.cmp(&other.arn));
        rules
    }
}

/// Archives and replays.
impl Registry {
    pub(crate) fn archive(&self, arn: &str) -> Option<Arc<Archive>> {
        self.archives.get(arn).map(Arc::clone)
    }

    pub(crate) fn put_archive(&mut self, archive: Archive) {
        self.archives
            .insert(archive.definition.arn.clone(), Arc::new(archive));
    }

    pub(crate) fn delete_archive(&mut self, arn: &str) {
        self.archives.remove(arn);
    }

    pub(crate) fn archives(&self) -> Vec<Arc<Archive>> {
        self.archives.values().map(Arc::clone).collect()
    }

    /// The archives of an account in a region, by name.
    pub(crate) fn archives_in(&self, account: &AccountId, region: &Region) -> Vec<Arc<Archive>> {
        of(&self.archives, account, region, "archive")
    }

    /// The archives of a bus.
    pub(crate) fn archives_of(&self, bus: &BusArn) -> Vec<Arc<Archive>> {
        let of_bus = self
            .archives
            .values()
            .filter(|archive| archive.definition.source == *bus);
        of_bus.map(Arc::clone).collect()
    }

    /// Whether an archive's rows are marked so.
    pub(crate) fn has_rows(&self, rows: &str) -> bool {
        self.archives
            .values()
            .any(|archive| archive.definition.rows == rows)
    }

    pub(crate) fn replay(&self, arn: &str) -> Option<Arc<Replay>> {
        self.replays.get(arn).map(Arc::clone)
    }

    pub(crate) fn put_replay(&mut self, replay: Replay) {
        self.replays.insert(replay.arn.clone(), Arc::new(replay));
    }

    pub(crate) fn delete_replay(&mut self, arn: &str) {
        self.replays.remove(arn);
    }

    /// The replays of an account in a region, by name.
    pub(crate) fn replays_in(&self, account: &AccountId, region: &Region) -> Vec<Arc<Replay>> {
        of(&self.replays, account, region, "replay")
    }

    /// The ARNs of replays that have something left to do.
    pub(crate) fn running(&self) -> Vec<String> {
        let open = self.replays.values().filter(|replay| replay.is_open());
        open.map(|replay| replay.arn.clone()).collect()
    }

    /// The ARNs of replays that ended before `time`.
    pub(crate) fn ended_before(&self, time: Timestamp) -> Vec<String> {
        let ended = |replay: &&Arc<Replay>| replay.ended.is_some_and(|ended| ended < time);
        self.replays
            .values()
            .filter(ended)
            .map(|replay| replay.arn.clone())
            .collect()
    }
}

/// Connections and API destinations.
impl Registry {
    pub(crate) fn connection(&self, arn: &str) -> Option<Arc<Connection>> {
        self.connections.get(arn).map(Arc::clone)
    }

    pub(crate) fn put_connection(&mut self, connection: Connection) {
        self.connections
            .insert(connection.definition.arn.clone(), Arc::new(connection));
    }

    pub(crate) fn delete_connection(&mut self, arn: &str) {
        self.connections.remove(arn);
    }

    /// The connections of an account in a region.
    pub(crate) fn connections_in(&self, account: &AccountId, region: &Region) -> Vec<Arc<Connection>> {
        of(&self.connections, account, region, "connection")
    }

    pub(crate) fn destination(&self, arn: &str) -> Option<Arc<ApiDestination>> {
        self.destinations.get(arn).map(Arc::clone)
    }

    pub(crate) fn put_destination(&mut self, destination: ApiDestination) {
        self.destinations
            .insert(destination.arn.clone(), Arc::new(destination));
    }

    pub(crate) fn delete_destination(&mut self, arn: &str) {
        self.destinations.remove(arn);
    }

    /// The API destinations of an account in a region.
    pub(crate) fn destinations_in(&self, account: &AccountId, region: &Region) -> Vec<Arc<ApiDestination>> {
        of(&self.destinations, account, region, "api-destination")
    }
}

/// Partner event sources.
impl Registry {
    /// The source that is for this bus.
    pub(crate) fn source(&self, bus: &BusArn) -> Option<Arc<PartnerSource>> {
        self.sources.get(bus).map(Arc::clone)
    }

    pub(crate) fn put_source(&mut self, source: PartnerSource) {
        self.sources.insert(source.bus.clone(), Arc::new(source));
    }

    pub(crate) fn delete_source(&mut self, bus: &BusArn) {
        self.sources.remove(bus);
    }

    /// The sources of a region, whoever they are for, in the order of their names.
    pub(crate) fn sources_in(&self, region: &Region) -> Vec<Arc<PartnerSource>> {
        let of_region = self
            .sources
            .values()
            .filter(|source| source.bus.region == *region);
        let mut sources: Vec<_> = of_region.map(Arc::clone).collect();
        sources.sort_by(|one, other| one.name().cmp(other.name()));
        sources
    }

    pub(crate) fn sources(&self) -> Vec<Arc<PartnerSource>> {
        self.sources.values().map(Arc::clone).collect()
    }

    pub(crate) fn has_bus(&self, arn: &BusArn) -> bool {
        self.buses.contains_key(arn)
    }
}

/// Those of an account in a region; all of a kind are in the order of their names then.
fn of<T>(all: &BTreeMap<String, Arc<T>>, account: &AccountId, region: &Region, kind: &str) -> Vec<Arc<T>> {
    let prefix = crate::names::arn(account, region, &format!("{kind}/")).to_string();
    let own = all
        .range(prefix.clone()..)
        .take_while(|(arn, _)| arn.starts_with(&prefix));
    own.map(|(_, one)| Arc::clone(one)).collect()
}
