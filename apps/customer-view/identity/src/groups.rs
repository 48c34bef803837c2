//! Which accounts are one person.

use std::collections::BTreeMap;

use crate::compare::{Link, may_be_one, same_day};

/// What decides whether accounts may stand together.
#[derive(Clone, Debug, Default)]
pub struct Member {
    /// The account's token.
    pub token: String,
    /// Its folded given names.
    pub given: Vec<String>,
    /// Its dates of birth.
    pub born: Vec<String>,
}

/// The accounts in groups, one a person: joined by links, the strongest first, unless that would put accounts
/// together that never are one, or whose given names or dates of birth exclude each other.
///
/// Groups and their members are in the order of `members`.
#[must_use]
pub fn groups(members: &[Member], links: &[Link], never: &[(String, String)]) -> Vec<Vec<String>> {
    let place: BTreeMap<&str, usize> = members
        .iter()
        .enumerate()
        .map(|(at, one)| (one.token.as_str(), at))
        .collect();
    let mut group_of: Vec<usize> = (0..members.len()).collect();
    let mut groups: Vec<Vec<usize>> = (0..members.len()).map(|at| vec![at]).collect();
    for link in strongest_first(links) {
        let (Some(&a), Some(&b)) = (place.get(link.a.as_str()), place.get(link.b.as_str())) else {
            continue;
        };
        let (a, b) = (group_of[a], group_of[b]);
        if a == b || !may_join(members, (&groups[a], &groups[b]), never) {
            continue;
        }
        let (into, from) = (a.min(b), a.max(b));
        let moved = std::mem::take(&mut groups[from]);
        moved.iter().for_each(|&at| group_of[at] = into);
        groups[into].extend(moved);
    }
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.retain(|group| !group.is_empty());
    let tokens = |group: Vec<usize>| group.into_iter().map(|at| members[at].token.clone()).collect();
    groups.into_iter().map(tokens).collect()
}

fn strongest_first(links: &[Link]) -> Vec<&Link> {
    let weight = |link: &Link| link.reasons.iter().map(|reason| reason.weight).sum::<f64>();
    let mut sorted: Vec<&Link> = links.iter().collect();
    sorted.sort_by(|x, y| {
        weight(y)
            .total_cmp(&weight(x))
            .then_with(|| (&x.a, &x.b).cmp(&(&y.a, &y.b)))
    });
    sorted
}

fn may_join(members: &[Member], (a, b): (&[usize], &[usize]), never: &[(String, String)]) -> bool {
    let apart = |x: &str, y: &str| {
        never
            .iter()
            .any(|(one, other)| (one == x && other == y) || (one == y && other == x))
    };
    let mut pairs = a.iter().flat_map(|&x| b.iter().map(move |&y| (x, y)));
    if pairs.any(|(x, y)| apart(&members[x].token, &members[y].token)) {
        return false;
    }
    let all = |group: &[usize], part: fn(&Member) -> &[String]| -> Vec<String> {
        group.iter().flat_map(|&at| part(&members[at])).cloned().collect()
    };
    agree(&all(a, |one| &one.given), &all(b, |one| &one.given), may_be_one)
        && agree(&all(a, |one| &one.born), &all(b, |one| &one.born), same_day)
}

/// Whether a pair of values, one of each, may be one person's; so it is when one side has none.
pub(crate) fn agree(a: &[String], b: &[String], judge: fn(&str, &str) -> bool) -> bool {
    let mut pairs = a.iter().flat_map(|x| b.iter().map(move |y| (x, y)));
    a.is_empty() || b.is_empty() || pairs.any(|(x, y)| judge(x, y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Reason;

    fn member(token: &str, given: &str) -> Member {
        Member {
            token: token.to_owned(),
            given: [given]
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| (*name).to_owned())
                .collect(),
            born: Vec::new(),
        }
    }

    fn link(a: &str, b: &str, weight: f64) -> Link {
        let reasons = vec![Reason {
            rule: "same e-mail".to_owned(),
            weight,
        }];
        Link {
            a: a.to_owned(),
            b: b.to_owned(),
            score: 1.0,
            reasons,
        }
    }

    fn grouped(members: &[Member], links: &[Link], never: &[(&str, &str)]) -> String {
        let never: Vec<(String, String)> = never
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        let groups = groups(members, links, &never);
        groups
            .iter()
            .map(|group| group.join(""))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn links_join_and_never_parts() {
        let members = ["a", "b", "c", "d"].map(|token| member(token, ""));
        let links = [link("a", "b", 9.0), link("b", "c", 12.0), link("a", "x", 20.0)];
        assert_eq!(grouped(&members, &links, &[]), "abc d");
        assert_eq!(grouped(&members, &links, &[("c", "a")]), "a bc d");
        assert_eq!(grouped(&members, &links, &[("b", "c")]), "ab c d");
    }

    #[test]
    fn an_account_without_a_name_does_not_join_two_people() {
        let members = [member("a", "ada"), member("b", ""), member("c", "bernd")];
        let links = [link("a", "b", 9.0), link("b", "c", 10.0)];
        assert_eq!(grouped(&members, &links, &[]), "a bc");
    }
}
