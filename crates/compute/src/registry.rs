//! Which functions there are: name → versions → pools.
//!
//! Lookup borrows the ARN it is given: the warm path allocates nothing for it. A function's versions
//! are a short list, searched in order.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tradewind_model::{AccountId, FunctionArn, FunctionName, Qualifier, Region};

use crate::alias::AliasRoute;
use crate::pool::{Account, Closed, Gate, Pool};
use crate::spec::FunctionSpec;

/// Proved pools that are kept for a deploy which may never come.
const MAX_PROVED: usize = 8;

/// All deployed function versions.
#[derive(Debug)]
pub(crate) struct Registry {
    account: Arc<Account>,
    functions: RwLock<HashMap<FunctionName, Vec<Function>>>,
    /// Pools whose one instance showed that their code works; the newest last.
    proved: Mutex<VecDeque<Arc<Pool>>>,
}

/// One function; the same name may be in other regions and accounts, too.
#[derive(Debug)]
struct Function {
    region: Region,
    account: AccountId,
    gate: Arc<Gate>,
    versions: Vec<Arc<Pool>>,
    aliases: Vec<Alias>,
}

/// An alias and its ARN as invocations see it.
#[derive(Debug)]
struct Alias {
    arn: FunctionArn,
    text: Arc<str>,
    route: AliasRoute,
}

/// What an ARN leads to.
#[derive(Debug)]
pub(crate) struct Found {
    /// The pool of the version.
    pub(crate) pool: Arc<Pool>,
    /// The gate of its function.
    pub(crate) gate: Arc<Gate>,
    /// The ARN of the alias that led there.
    pub(crate) alias: Option<Arc<str>>,
}

impl Function {
    fn is(&self, arn: &FunctionArn) -> bool {
        self.region == arn.region && self.account == arn.account
    }

    /// Tells the gate what is provisioned of all versions.
    fn provision(&self) {
        let each = self.versions.iter().map(|pool| pool.spec.provisioned_concurrency);
        self.gate.provision(each.fold(0, u32::saturating_add));
    }

    fn position(&self, arn: &FunctionArn) -> Option<usize> {
        self.versions
            .iter()
            .position(|pool| same_version(&pool.spec.arn, arn))
    }

    /// The version an invocation of `arn` goes to; an alias decides anew each time.
    fn find(&self, arn: &FunctionArn) -> Option<Found> {
        let alias = match &arn.qualifier {
            Some(Qualifier::Alias(_)) => Some(self.aliases.iter().find(|alias| alias.arn == *arn)?),
            None | Some(Qualifier::Latest | Qualifier::Version(_)) => None,
        };
        let qualifier = match alias {
            Some(alias) => Some(alias.route.next()),
            None => arn.qualifier.as_ref(),
        };
        let version = numbered(qualifier);
        let of_version = |pool: &&Arc<Pool>| numbered(pool.spec.arn.qualifier.as_ref()) == version;
        Some(Found {
            pool: Arc::clone(self.versions.iter().find(of_version)?),
            gate: Arc::clone(&self.gate),
            alias: alias.map(|alias| Arc::clone(&alias.text)),
        })
    }
}

/// No qualifier means `$LATEST`.
fn same_version(one: &FunctionArn, other: &FunctionArn) -> bool {
    version(one) == version(other)
}

fn version(arn: &FunctionArn) -> Option<&Qualifier> {
    numbered(arn.qualifier.as_ref())
}

fn numbered(qualifier: Option<&Qualifier>) -> Option<&Qualifier> {
    qualifier.filter(|qualifier| **qualifier != Qualifier::Latest)
}

impl Registry {
    pub(crate) fn new(account: Arc<Account>) -> Self {
        Self {
            account,
            functions: RwLock::default(),
            proved: Mutex::default(),
        }
    }

    /// What the account may run at once.
    pub(crate) fn account_concurrency(&self) -> u32 {
        self.account.limit()
    }

    /// The pool of a version or of what an alias picks, and the gate of its function.
    pub(crate) fn find(&self, arn: &FunctionArn) -> Option<Found> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        let function = functions
            .get(&arn.name)?
            .iter()
            .find(|function| function.is(arn))?;
        function.find(arn)
    }

    /// Makes or replaces an alias of a function that is there.
    pub(crate) fn put_alias(&self, arn: &FunctionArn, route: AliasRoute) {
        let alias = Alias {
            arn: arn.clone(),
            text: arn.to_string().into(),
            route,
        };
        self.change_aliases(arn, |aliases| aliases.push(alias));
    }

    /// Takes an alias away.
    pub(crate) fn remove_alias(&self, arn: &FunctionArn) {
        self.change_aliases(arn, |_| {});
    }

    /// Changes the aliases of a function after the one of `arn` was taken out.
    fn change_aliases(&self, arn: &FunctionArn, change: impl FnOnce(&mut Vec<Alias>)) {
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        let of_name = functions.get_mut(&arn.name);
        if let Some(function) = of_name.and_then(|all| all.iter_mut().find(|function| function.is(arn))) {
            function.aliases.retain(|alias| alias.arn != *arn);
            change(&mut function.aliases);
        }
    }

    /// Puts a pool in place of the one for the same version, which is returned.
    pub(crate) fn put(&self, pool: Arc<Pool>) -> Option<Arc<Pool>> {
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        let arn = &pool.spec.arn;
        let of_name = functions.entry(arn.name.clone()).or_default();
        let index = match of_name.iter().position(|function| function.is(arn)) {
            Some(index) => index,
            None => {
                of_name.push(Function {
                    region: arn.region.clone(),
                    account: arn.account.clone(),
                    gate: Gate::new(Arc::clone(&self.account)),
                    versions: Vec::new(),
                    aliases: Vec::new(),
                });
                of_name.len() - 1
            }
        };
        let function = of_name.get_mut(index)?;
        function.gate.reserve(pool.spec.reserved_concurrency);
        let place = function
            .position(arn)
            .and_then(|at| function.versions.get_mut(at));
        let replaced = match place {
            Some(place) => Some(std::mem::replace(place, pool)),
            None => {
                function.versions.push(pool);
                None
            }
        };
        function.provision();
        replaced
    }

    /// Takes a version out.
    pub(crate) fn remove(&self, arn: &FunctionArn) -> Option<Arc<Pool>> {
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        let of_name = functions.get_mut(&arn.name)?;
        let function = of_name.iter_mut().find(|function| function.is(arn))?;
        let removed = function.versions.remove(function.position(arn)?);
        function.provision();
        of_name.retain(|function| !function.versions.is_empty());
        if of_name.is_empty() {
            functions.remove(&arn.name);
        }
        Some(removed)
    }

    /// Every deployed pool.
    pub(crate) fn deployed(&self) -> Vec<Arc<Pool>> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions
            .values()
            .flatten()
            .flat_map(|function| function.versions.iter().cloned())
            .collect()
    }

    /// Every pool, deployed or only proved.
    pub(crate) fn all(&self) -> Vec<Arc<Pool>> {
        let mut all = self.deployed();
        all.extend(self.proved().iter().cloned());
        all
    }

    /// Keeps a proved pool for its deploy. An older one of the same version, and what is too many, stops.
    pub(crate) fn keep_proved(&self, pool: Arc<Pool>) {
        let mut outdated = Vec::new();
        {
            let mut proved = self.proved();
            if let Some(at) = proved.iter().position(|other| other.spec.arn == pool.spec.arn) {
                outdated.extend(proved.remove(at));
            }
            proved.push_back(pool);
            if proved.len() > MAX_PROVED {
                outdated.extend(proved.pop_front());
            }
        }
        for pool in outdated {
            pool.close(Closed::Removed);
        }
    }

    /// The pool that proved `spec`.
    pub(crate) fn take_proved(&self, spec: &FunctionSpec) -> Option<Arc<Pool>> {
        let mut proved = self.proved();
        let at = proved.iter().position(|pool| pool.spec == *spec)?;
        proved.remove(at)
    }

    fn proved(&self) -> MutexGuard<'_, VecDeque<Arc<Pool>>> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_qualifier_means_latest() {
        let arn = |text: &str| text.parse::<FunctionArn>().unwrap();
        let plain = arn("arn:aws:lambda:us-east-1:000000000000:function:f");
        let latest = plain.qualified(Qualifier::Latest);
        assert!(same_version(&plain, &latest) && same_version(&latest, &plain));
        assert!(!same_version(&plain, &plain.qualified(Qualifier::Version(1))));
        assert!(!same_version(
            &plain,
            &plain.qualified(Qualifier::Alias("live".into()))
        ));
    }
}
