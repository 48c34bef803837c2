//! The concurrency gate: every invocation, from wherever it comes, holds a permit of its function.
//!
//! Lambda's rule ("Understanding and visualizing concurrency"): a function with reserved concurrency
//! may use exactly that; all the others share what the account has left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::ThrottleReason;

/// Marks that nothing is reserved.
const UNRESERVED: u32 = u32::MAX;

/// What the account may run at once.
#[derive(Debug)]
pub(crate) struct Account {
    limit: u32,
    /// Reserved by all functions together.
    reserved: AtomicU32,
    /// In flight, of functions without a reservation.
    in_flight: AtomicU32,
}

/// The gate of one function, all its versions together.
#[derive(Debug)]
pub(crate) struct Gate {
    account: Arc<Account>,
    reserved: AtomicU32,
    in_flight: AtomicU32,
}

/// The right to one execution, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    /// Whether it counts against the account's unreserved share.
    unreserved: bool,
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
            in_flight: AtomicU32::new(0),
        })
    }

    /// Sets the function's reservation; 0 lets nothing through.
    pub(crate) fn reserve(&self, concurrency: Option<u32>) {
        let share = |reserved| if reserved == UNRESERVED { 0 } else { reserved };
        let new = concurrency.map_or(UNRESERVED, |reserved| reserved.min(UNRESERVED - 1));
        let old = self.reserved.swap(new, Ordering::Relaxed);
        self.account.reserved.fetch_add(share(new), Ordering::Relaxed);
        self.account.reserved.fetch_sub(share(old), Ordering::Relaxed);
    }

    /// A permit, or the limit that is reached.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Permit, ThrottleReason> {
        let reserved = self.reserved.load(Ordering::Relaxed);
        let unreserved = reserved == UNRESERVED;
        if unreserved {
            let account = &self.account;
            take(&account.in_flight, account.unreserved_limit()).ok_or(ThrottleReason::AccountConcurrency)?;
            self.in_flight.fetch_add(1, Ordering::Relaxed);
        } else {
            take(&self.in_flight, reserved).ok_or(ThrottleReason::ReservedConcurrency)?;
        }
        Ok(Permit {
            gate: Arc::clone(self),
            unreserved,
        })
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.reserve(None);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.in_flight.fetch_sub(1, Ordering::Relaxed);
        if self.unreserved {
            self.gate.account.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
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
