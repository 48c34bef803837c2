//! Which of many ranges a number lies in.

use super::super::matcher::Range;
use super::super::value::Order;
use super::layers::{Layer, Layers};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(Layers<Tree>);

/// Ranges in the order of their lower ends, as a balanced tree in a list: the middle one is the root.
#[derive(Clone, Debug)]
struct Tree {
    sorted: Vec<(Range, usize)>,
    /// The largest upper end of the subtree that the range is the root of.
    highest: Vec<Order>,
}

impl Ranges {
    pub(super) fn insert(&mut self, range: Range, state: usize) {
        self.0.insert((range, state));
    }

    /// Adds the states of all ranges with the number.
    pub(super) fn find(&self, number: Order, reached: &mut Vec<usize>) {
        for tree in self.0.iter() {
            tree.find(0, tree.sorted.len(), number, reached);
        }
    }
}

impl Layer for Tree {
    type Entry = (Range, usize);

    fn build(mut sorted: Vec<Self::Entry>) -> Self {
        sorted.sort_unstable();
        let highest = vec![Order::MIN; sorted.len()];
        let mut tree = Self { sorted, highest };
        tree.measure(0, tree.sorted.len());
        tree
    }

    fn entries(self) -> Vec<Self::Entry> {
        self.sorted
    }

    fn len(&self) -> usize {
        self.sorted.len()
    }
}

impl Tree {
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

    fn find(&self, begin: usize, end: usize, number: Order, reached: &mut Vec<usize>) {
        let middle = usize::midpoint(begin, end);
        if begin >= end || self.highest[middle] < number {
            return;
        }
        self.find(begin, middle, number, reached);
        let (range, state) = &self.sorted[middle];
        if range.low <= number {
            if number <= range.high {
                reached.push(*state);
            }
            self.find(middle + 1, end, number, reached);
        }
    }
}
