//! Who gets the turns of a rate: lanes, and callers that make attempts by themselves, in the order in which they asked.

use tokio::sync::oneshot;
use tradewind_model::Timestamp;

use super::Worker;
use super::pace::{Pace, Waiter};
use crate::delivery::lanes::{Deliveries, Stopped};
use crate::delivery::model::{LaneId, Rate};

/// Paces that are kept before those are looked for that nobody needs.
const MANY: usize = 1_000;

impl Deliveries {
    /// Waits for a turn of a rate that is shared with lanes ([`Rate::shared`]): the caller makes one attempt then.
    ///
    /// # Errors
    /// When deliveries end: there are no turns any more.
    ///
    /// # Cancel safety
    /// Dropped, the place in the line is given up.
    pub async fn turn(&self, rate: &Rate) -> Result<(), Stopped> {
        let (sender, called) = oneshot::channel();
        self.0.ask_for_turn(rate.clone(), sender)?;
        called.await.map_err(|_gone| Stopped)
    }
}

impl Worker {
    /// Lets those go on whose turn it is.
    pub(super) fn call_waiting(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.calls.first()
            && *at <= now
            && let Some((_, name)) = self.calls.pop_first()
        {
            self.call(&name, now);
        }
        for (rate, sender) in self.shared.take_callers() {
            self.take_turn_for(&rate, sender, now);
        }
    }

    fn call(&mut self, name: &str, now: Timestamp) {
        let Some(pace) = self.paces.get_mut(name) else {
            return;
        };
        pace.due = None;
        let (mut turns, mut called) = (pace.free(now), Vec::new());
        while turns > 0
            && let Some(waiter) = pace.waiting.pop_front()
        {
            match waiter {
                Waiter::Lane(lane) => called.push(lane),
                Waiter::Caller(caller) => {
                    if caller.send(()).is_err() {
                        // gone meanwhile
                        continue;
                    }
                    pace.take(1, now);
                }
            }
            turns -= 1;
        }
        let is_lane_called = !called.is_empty();
        for lane in called {
            let progress = self.lanes.entry(lane.clone()).or_default();
            (progress.waits, progress.is_called) = (false, true);
            self.may_have_more(&lane);
        }
        // those who are called take their turns first
        let from = if is_lane_called { now.plus_millis(1) } else { now };
        self.look_again(name, now, from);
    }

    fn take_turn_for(&mut self, rate: &Rate, caller: oneshot::Sender<()>, now: Timestamp) {
        let name = rate.name();
        let pace = self.pace(&name, rate, now);
        if pace.waiting.is_empty() && pace.free(now) > 0 {
            if caller.send(()).is_ok() {
                pace.take(1, now);
            }
            return;
        }
        pace.waiting.push_back(Waiter::Caller(caller));
        self.look_again(&name, now, now);
    }

    /// As many turns as a lane gets of those that it wants. Without one it waits in the line, at its head if it was
    /// called and another was quicker.
    pub(super) fn turns_of(&mut self, lane: &LaneId, rate: &Rate, wanted: usize, now: Timestamp) -> usize {
        let name = rate.name_for(lane);
        let progress = self.lanes.entry(lane.clone()).or_default();
        let is_called = std::mem::take(&mut progress.is_called);
        let pace = self.pace(&name, rate, now);
        let taken = match is_called || pace.waiting.is_empty() {
            true => pace.take(wanted, now),
            false => 0,
        };
        if taken > 0 {
            return taken;
        }
        let waiter = Waiter::Lane(lane.clone());
        match is_called {
            true => pace.waiting.push_front(waiter),
            false => pace.waiting.push_back(waiter),
        }
        let progress = self.lanes.entry(lane.clone()).or_default();
        (progress.waits, progress.more) = (true, true);
        self.look_again(&name, now, now);
        0
    }

    /// A lane that took turns made fewer attempts.
    pub(super) fn unused(&mut self, lane: &LaneId, rate: &Rate, turns: usize, now: Timestamp) {
        let name = rate.name_for(lane);
        if turns > 0
            && let Some(pace) = self.paces.get_mut(&*name)
        {
            pace.give_back(turns);
            self.look_again(&name, now, now);
        }
    }

    fn pace(&mut self, name: &str, rate: &Rate, now: Timestamp) -> &mut Pace {
        if self.paces.len() > MANY {
            self.paces.retain(|_, pace| !pace.is_idle(now));
        }
        let pace = self.paces.entry(name.into()).or_insert_with(Pace::new);
        pace.set(rate.per_second);
        pace
    }

    /// Looks at those who wait when there is a turn again, from that time on.
    fn look_again(&mut self, name: &str, now: Timestamp, from: Timestamp) {
        let Some(pace) = self.paces.get_mut(name) else {
            return;
        };
        if let Some(at) = pace.due.take() {
            self.calls.remove(&(at, name.into()));
        }
        if !pace.waiting.is_empty() {
            let at = pace.next(now).max(from);
            pace.due = Some(at);
            self.calls.insert((at, name.into()));
        }
    }
}
