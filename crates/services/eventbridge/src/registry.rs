//! The buses and rules in memory: what an event is matched with, so that none of them asks the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tradewind_events::pattern::RuleSet;
use tradewind_model::{AccountId, Region};

use crate::error::EventBridgeError;
use crate::model::{EventBus, Rule};
use crate::names::{BusArn, Name};

/// Everything that is configured.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    buses: BTreeMap<BusArn, Bus>,
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
