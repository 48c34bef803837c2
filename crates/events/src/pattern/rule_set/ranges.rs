//! Which of many ranges a number lies in.

use super::super::matcher::Range;
use super::super::value::Order;

/// So many are looked at one by one before they are sorted in.
const PENDING: usize = 64;

/// Ranges in the order of their lower ends, as a balanced tree in a list: the middle one is the root.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges {
    sorted: Vec<(Range, usize)>,
    /// The largest upper end of the subtree that the range is the root of.
    highest: Vec<Order>,
    pending: Vec<(Range, usize)>,
}

impl Ranges {
    pub(super) fn insert(&mut self, range: Range, state: usize) {
        self.pending.push((range, state));
        if self.pending.len() > PENDING {
            self.sorted.append(&mut self.pending);
            self.sorted.sort_unstable();
            self.highest = vec![Order::MIN; self.sorted.len()];
            self.measure(0, self.sorted.len());
        }
    }

    fn measure(&mut self, begin: usize, end: usize) -> Order {
        if begin >= end {
            return Order::MIN;
        }
        let middle = usize::midpoint(begin, end);
        let below = self.measure(begin, middle).max(self.measure(middle + 1, end));
        let highest = below.max(self.sorted[middle].0.high);
        self.highest[middle] = highest;
        highest
    }

    /// Adds the states of all ranges with the number.
    pub(super) fn find(&self, number: Order, reached: &mut Vec<usize>) {
        let is_in = |range: &Range| range.low <= number && number <= range.high;
        let pending = self.pending.iter().filter(|(range, _)| is_in(range));
        reached.extend(pending.map(|(_, state)| *state));
        self.find_between(0, self.sorted.len(), number, reached);
    }

    fn find_between(&self, begin: usize, end: usize, number: Order, reached: &mut Vec<usize>) {
        let middle = usize::midpoint(begin, end);
        if begin >= end || self.highest[middle] < number {
            return;
        }
        self.find_between(begin, middle, number, reached);
        let (range, state) = &self.sorted[middle];
        if range.low <= number {
            if number <= range.high {
                reached.push(*state);
            }
            self.find_between(middle + 1, end, number, reached);
        }
    }
}
