//! The concurrency gate: every invocation, from wherever it comes, holds a permit of its function.
//!
//! Lambda's rule ("Understanding and visualizing concurrency"): a function with reserved concurrency
//! may use exactly that; all the others share what the account has left. What is provisioned of a function
//! without a reservation is its own, all its versions together, and beyond that it takes from the shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::ThrottleReason;

/// Marks that nothing is reserved.
const UNRESERVED: u32 = u32::MAX;

/// What the account may run at once.
#[derive(Debug)]
pub(crate) struct Account {
    limit: u32,
    /// Reserved by all functions together, and provisioned by those that reserve nothing.
    reserved: AtomicU32,
    /// In flight, of functions without a reservation.
    in_flight: AtomicU32,
}

/// The gate of one function, all its versions together.
#[derive(Debug)]
pub(crate) struct Gate {
    account: Arc<Account>,
    reserved: AtomicU32,
    /// Provisioned of all versions together.
    provisioned: AtomicU32,
    /// Executions within what is provisioned; of functions that reserve nothing.
    within_provisioned: AtomicU32,
    in_flight: AtomicU32,
}

/// The right to one execution, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    taken_from: Share,
}

/// What an execution counts against, besides its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// The function's reservation.
    Reserved,
    /// What is provisioned of it.
    Provisioned,
    /// What functions without a reservation share.
    Account,
}

impl Account {
    pub(crate) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self {
            limit,
            reserved: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
        })
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    fn unreserved_limit(&self) -> u32 {
        self.limit.saturating_sub(self.reserved.load(Ordering::Relaxed))
    }
}

impl Gate {
    pub(crate) fn new(account: Arc<Account>) -> Arc<Self> {
        Arc::new(Self {
            account,
            reserved: AtomicU32::new(UNRESERVED),
            provisioned: AtomicU32::new(0),
            within_provisioned: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
        })
    }

    /// Sets the function's reservation; 0 lets nothing through.
    pub(crate) fn reserve(&self, concurrency: Option<u32>) {
        let new = concurrency.map_or(UNRESERVED, |reserved| reserved.min(UNRESERVED - 1));
        let before = self.kept_from_others();
        self.reserved.store(new, Ordering::Relaxed);
        self.account_for(before);
    }

    /// Sets what is provisioned of the function, all its versions together.
    pub(crate) fn provision(&self, concurrency: u32) {
        let before = self.kept_from_others();
        self.provisioned.store(concurrency, Ordering::Relaxed);
        self.account_for(before);
    }

    /// What no other function may use.
    fn kept_from_others(&self) -> u32 {
        match self.reserved.load(Ordering::Relaxed) {
            UNRESERVED => self.provisioned.load(Ordering::Relaxed),
            reserved => reserved,
        }
    }

    /// Tells the account of a change. The registry makes changes one at a time.
    fn account_for(&self, before: u32) {
        let reserved = &self.account.reserved;
        reserved.fetch_add(self.kept_from_others(), Ordering::Relaxed);
        reserved.fetch_sub(before, Ordering::Relaxed);
    }

    /// A permit, or the limit that is reached.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Permit, ThrottleReason> {
        let taken_from = match self.reserved.load(Ordering::Relaxed) {
            UNRESERVED => {
                let share = self.take_unreserved()?;
                self.in_flight.fetch_add(1, Ordering::Relaxed);
                share
            }
            reserved => {
                take(&self.in_flight, reserved).ok_or(ThrottleReason::ReservedConcurrency)?;
                Share::Reserved
            }
        };
        Ok(Permit {
            gate: Arc::clone(self),
            taken_from,
        })
    }

    fn take_unreserved(&self) -> Result<Share, ThrottleReason> {
        let provisioned = self.provisioned.load(Ordering::Relaxed);
        if provisioned > 0 && take(&self.within_provisioned, provisioned).is_some() {
            return Ok(Share::Provisioned);
        }
        let account = &self.account;
        take(&account.in_flight, account.unreserved_limit()).ok_or(ThrottleReason::AccountConcurrency)?;
        Ok(Share::Account)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.reserve(None);
        self.provision(0);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let gate = &self.gate;
        gate.in_flight.fetch_sub(1, Ordering::Relaxed);
        let counter = match self.taken_from {
            Share::Reserved => return,
            Share::Provisioned => &gate.within_provisioned,
            Share::Account => &gate.account.in_flight,
        };
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one more below `limit`.
fn take(counter: &AtomicU32, limit: u32) -> Option<u32> {
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < limit).then_some(count + 1)
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_a_ceiling_and_a_guarantee() {
        let account = Account::new(3);
        let (reserved, other) = (Gate::new(Arc::clone(&account)), Gate::new(Arc::clone(&account)));
        reserved.reserve(Some(2));
        let _first = other.enter().unwrap();
        assert_eq!(other.enter().unwrap_err(), ThrottleReason::AccountConcurrency);
        let held = [reserved.enter().unwrap(), reserved.enter().unwrap()];
        assert_eq!(reserved.enter().unwrap_err(), ThrottleReason::ReservedConcurrency);
        drop(held);
        assert!(reserved.enter().is_ok());
    }

    #[test]
    fn what_is_provisioned_is_kept_from_others_and_no_ceiling() {
        let account = Account::new(4);
        let (provisioned, other) = (Gate::new(Arc::clone(&account)), Gate::new(Arc::clone(&account)));
        provisioned.provision(2);
        let shared = [other.enter().unwrap(), other.enter().unwrap()];
        assert_eq!(other.enter().unwrap_err(), ThrottleReason::AccountConcurrency);
        let own = [provisioned.enter().unwrap(), provisioned.enter().unwrap()];
        assert_eq!(
            provisioned.enter().unwrap_err(),
            ThrottleReason::AccountConcurrency
        );
        drop(shared);
        let beyond = provisioned.enter().unwrap();
        drop((own, beyond));
        assert_eq!(account.in_flight.load(Ordering::Relaxed), 0);
        provisioned.reserve(Some(1));
        assert_eq!(account.unreserved_limit(), 3);
        drop(provisioned);
        assert_eq!(account.unreserved_limit(), 4);
    }

    #[test]
    fn zero_turns_a_function_off() {
        let gate = Gate::new(Account::new(10));
        gate.reserve(Some(0));
        assert_eq!(gate.enter().unwrap_err(), ThrottleReason::ReservedConcurrency);
        gate.reserve(None);
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn a_function_that_is_gone_gives_its_reservation_back() {
        let account = Account::new(2);
        let gate = Gate::new(Arc::clone(&account));
        gate.reserve(Some(2));
        let other = Gate::new(Arc::clone(&account));
        assert!(other.enter().is_err());
        drop(gate);
        assert!(other.enter().is_ok());
    }

    #[test]
    fn permits_taken_before_a_reservation_changed_are_given_back_where_they_were_taken() {
        let account = Account::new(5);
        let gate = Gate::new(Arc::clone(&account));
        let before = gate.enter().unwrap();
        gate.reserve(Some(1));
        assert!(gate.enter().is_err());
        drop(before);
        assert_eq!(account.in_flight.load(Ordering::Relaxed), 0);
        assert!(gate.enter().is_ok());
    }
}
