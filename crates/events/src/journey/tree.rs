//! Steps as a tree.

use std::collections::{BTreeMap, BTreeSet};

use super::Step;

/// How deep a tree gets; what is deeper stands beside the step that it came of.
const DEEPEST: usize = 64;

/// A step and those that came of it, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The step.
    pub step: Step,
    /// What came of it.
    pub after: Vec<Branch>,
}

/// The trees of a journey's steps: one, unless steps come from elsewhere or were lost. Each step is in it once.
#[must_use]
pub fn tree(steps: Vec<Step>) -> Vec<Branch> {
    let ids: BTreeSet<Box<str>> = steps.iter().map(|step| step.id.clone()).collect();
    let mut children: BTreeMap<Option<Box<str>>, Vec<Step>> = BTreeMap::new();
    for step in steps {
        let known = step
            .parent
            .clone()
            .filter(|parent| ids.contains(parent) && *parent != step.id);
        children.entry(known).or_default().push(step);
    }
    let mut trees = grow(None, &mut children);
    // what is left goes round: ids come from clients, too
    while let Some((_, steps)) = children.pop_first() {
        let rest = steps.into_iter().map(|step| Branch {
            step,
            after: Vec::new(),
        });
        trees.extend(rest);
    }
    trees
}

/// The branches after `parent`. Iterative, since how deep a tree is others decide.
fn grow(parent: Option<Box<str>>, children: &mut BTreeMap<Option<Box<str>>, Vec<Step>>) -> Vec<Branch> {
    let mut open: Vec<(Option<Step>, std::vec::IntoIter<Step>, Vec<Branch>)> = Vec::new();
    open.push((None, taken(&parent, children), Vec::new()));
    loop {
        let Some((_, steps, _)) = open.last_mut() else {
            return Vec::new();
        };
        if let Some(step) = steps.next() {
            let steps = taken(&Some(step.id.clone()), children);
            open.push((Some(step), steps, Vec::new()));
            continue;
        }
        let Some((step, _, after)) = open.pop() else {
            return Vec::new();
        };
        let is_deep = open.len() > DEEPEST;
        let (Some(step), Some((_, _, siblings))) = (step, open.last_mut()) else {
            return after;
        };
        if is_deep {
            siblings.push(Branch {
                step,
                after: Vec::new(),
            });
            siblings.extend(after);
        } else {
            siblings.push(Branch { step, after });
        }
    }
}

fn taken(
    parent: &Option<Box<str>>,
    children: &mut BTreeMap<Option<Box<str>>, Vec<Step>>,
) -> std::vec::IntoIter<Step> {
    let mut steps = children.remove(parent).unwrap_or_default();
    steps.sort_by_key(|step| step.at_ms);
    steps.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, parent: &str, at_ms: i64) -> Step {
        Step {
            id: id.into(),
            parent: (!parent.is_empty()).then(|| parent.into()),
            what: "delivery".into(),
            from: "".into(),
            to: "".into(),
            at_ms,
            took_ms: None,
            attempt: 1,
            request: None,
            outcome: Step::OK.into(),
        }
    }

    fn text(branches: &[Branch]) -> String {
        let one = |branch: &Branch| format!("{}({})", branch.step.id, text(&branch.after));
        branches.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn steps_are_under_what_they_come_from_in_the_order_of_time() {
        let steps = vec![
            step("d", "b", 4),
            step("c", "a", 3),
            step("b", "a", 2),
            step("a", "elsewhere", 1),
        ];
        assert_eq!(text(&tree(steps)), "a(b(d()) c())");
    }

    #[test]
    fn what_has_no_known_cause_stands_by_itself() {
        let steps = vec![step("a", "", 1), step("b", "lost", 2)];
        assert_eq!(text(&tree(steps)), "a() b()");
    }

    #[test]
    fn a_circle_ends_and_nothing_is_left_out() {
        let steps = vec![step("a", "b", 1), step("b", "a", 2), step("c", "c", 3)];
        assert_eq!(text(&tree(steps)), "c() b() a()");
    }

    #[test]
    fn a_long_chain_is_no_problem() {
        let chain: Vec<Step> = (0..10_000)
            .map(|n| step(&n.to_string(), &(n - 1).to_string(), n))
            .collect();
        let (mut open, mut seen, mut deepest) = (vec![(1, tree(chain))], 0, 0);
        while let Some((depth, branches)) = open.pop() {
            for branch in branches {
                (seen, deepest) = (seen + 1, depth.max(deepest));
                open.push((depth + 1, branch.after));
            }
        }
        assert_eq!((seen, deepest), (10_000, DEEPEST + 1));
    }
}
