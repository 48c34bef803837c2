//! What of a key's versions goes, by the rules and the time. No I/O.

use tradewind_model::Timestamp;

use super::rules::{Rule, after_days};

/// A version of a key, as far as lifecycle looks at it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) version_id: String,
    pub(crate) made: Timestamp,
    /// Absent for a delete marker.
    pub(crate) size: Option<i64>,
    pub(crate) tags: Vec<(String, String)>,
    /// Whether a legal hold or a retention that has not ended protects it.
    pub(crate) locked: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The current version expires: as a delete without a version id.
    Current,
    /// This version is removed for good.
    Remove(String),
}

/// Judges the versions of a key, newest first, one after the other: it remembers no more than the current one.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    rules: &'a [Rule],
    key: String,
    now: Timestamp,
    current: Option<Version>,
    /// When the version judged last was made: then the next one became noncurrent.
    successor: Timestamp,
    /// Noncurrent versions judged.
    noncurrent: usize,
    /// Whether one of them stays.
    stays: bool,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(rules: &'a [Rule], key: String, now: Timestamp) -> Self {
        Self {
            rules,
            key,
            now,
            current: None,
            successor: now,
            noncurrent: 0,
            stays: false,
        }
    }

    /// The key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the next version goes. The first is the current one, of which [`Judge::end`] tells.
    pub(crate) fn goes(&mut self, version: &Version) -> bool {
        let successor = std::mem::replace(&mut self.successor, version.made);
        if self.current.is_none() {
            self.current = Some(version.clone());
            return false;
        }
        let newer = self.noncurrent;
        self.noncurrent += 1;
        let goes = !version.locked && self.is_due(version, newer, successor);
        self.stays |= !goes;
        goes
    }

    fn is_due(&self, version: &Version, newer: usize, successor: Timestamp) -> bool {
        self.rules.iter().any(|rule| {
            rule.noncurrent.is_some_and(|noncurrent| {
                newer >= noncurrent.keep
                    && after_days(successor, noncurrent.days) <= self.now
                    && rule.filter.admits(&self.key, version.size, &version.tags)
            })
        })
    }

    /// What becomes of the current version, after all others were judged and those that go are gone.
    pub(crate) fn end(self) -> Option<(Version, Expiry)> {
        let (rules, key, now) = (self.rules, self.key.as_str(), self.now);
        let current = self.current?;
        let expiry = match current.size {
            Some(_) if current_expires(rules, key, &current, now) => Expiry::Current,
            None if !self.stays && marker_expires(rules, key, &current, now) => {
                Expiry::Remove(current.version_id.clone())
            }
            Some(_) | None => return None,
        };
        Some((current, expiry))
    }
}

fn current_expires(rules: &[Rule], key: &str, current: &Version, now: Timestamp) -> bool {
    expiration(rules, key, current).is_some_and(|(due, _)| due <= now)
}

/// When the current version expires and by which rule: the earliest of those that are for it.
pub(crate) fn expiration<'a>(
    rules: &'a [Rule],
    key: &str,
    current: &Version,
) -> Option<(Timestamp, &'a str)> {
    let due = rules
        .iter()
        .filter(|rule| rule.filter.admits(key, current.size, &current.tags))
        .filter_map(|rule| Some((rule.current?.of_object(current.made), rule.id.as_str())));
    due.min_by_key(|(due, _)| *due)
}

/// A delete marker with nothing behind it goes at once where a rule says so, and by age like an object.
fn marker_expires(rules: &[Rule], key: &str, marker: &Version, now: Timestamp) -> bool {
    let mut of_marker = rules.iter().filter(|rule| rule.filter.admits(key, None, &[]));
    of_marker.any(|rule| {
        let by_age = rule.current.map(|when| when.of_object(marker.made));
        rule.expired_markers || by_age.is_some_and(|due| due <= now)
    })
}

#[cfg(test)]
mod tests {
    use super::super::rules::{DAY_MS, Noncurrent, When};
    use super::*;

    fn version(id: &str, day: i64, size: Option<i64>) -> Version {
        Version {
            version_id: id.into(),
            made: Timestamp::from_millis(day * DAY_MS),
            size,
            tags: vec![],
            locked: false,
        }
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_millis(day * DAY_MS)
    }

    fn remove(id: &str) -> Expiry {
        Expiry::Remove(id.into())
    }

    fn of_key(rules: &[Rule], key: &str, versions: &[Version], now: Timestamp) -> Vec<Expiry> {
        let mut judge = Judge::new(rules, key.to_owned(), now);
        let going = versions.iter().filter(|version| judge.goes(version));
        let mut expired: Vec<Expiry> = going.map(|version| remove(&version.version_id)).collect();
        expired.extend(judge.end().map(|(_, expiry)| expiry));
        expired
    }

    #[test]
    fn the_current_version_expires_by_age_and_by_date() {
        let by_age = Rule {
            current: Some(When::Days(3)),
            ..Rule::default()
        };
        let by_date = Rule {
            current: Some(When::Date(day(20))),
            ..Rule::default()
        };
        let versions = [version("a", 10, Some(1))];
        assert_eq!(of_key(std::slice::from_ref(&by_age), "k", &versions, day(12)), []);
        assert_eq!(
            of_key(std::slice::from_ref(&by_age), "k", &versions, day(13)),
            [Expiry::Current]
        );
        assert_eq!(
            of_key(std::slice::from_ref(&by_date), "k", &versions, day(19)),
            []
        );
        assert_eq!(
            of_key(&[by_date.clone(), by_age], "k", &versions, day(19)),
            [Expiry::Current]
        );
        assert_eq!(of_key(&[by_date], "k", &versions, day(20)), [Expiry::Current]);
    }

    #[test]
    fn noncurrent_versions_go_but_the_newest_and_the_locked() {
        let noncurrent = Some(Noncurrent { days: 2, keep: 1 });
        let rules = [Rule {
            noncurrent,
            ..Rule::default()
        }];
        let mut versions = [
            version("d", 10, Some(1)),
            version("c", 9, Some(1)),
            version("b", 8, Some(1)),
            version("a", 7, Some(1)),
        ];
        assert_eq!(of_key(&rules, "k", &versions, day(9)), []);
        assert_eq!(of_key(&rules, "k", &versions, day(10)), [remove("a")]);
        assert_eq!(
            of_key(&rules, "k", &versions, day(99)),
            [remove("b"), remove("a")]
        );
        versions[3].locked = true;
        assert_eq!(of_key(&rules, "k", &versions, day(99)), [remove("b")]);
    }

    #[test]
    fn a_marker_goes_when_nothing_is_behind_it() {
        let markers = [Rule {
            expired_markers: true,
            ..Rule::default()
        }];
        let alone = [version("m", 10, None)];
        assert_eq!(of_key(&markers, "k", &alone, day(10)), [remove("m")]);
        let behind = [version("m", 10, None), version("a", 1, Some(1))];
        assert_eq!(of_key(&markers, "k", &behind, day(10)), []);
        let by_age = [Rule {
            current: Some(When::Days(1)),
            ..Rule::default()
        }];
        assert_eq!(of_key(&by_age, "k", &alone, day(10)), []);
        assert_eq!(of_key(&by_age, "k", &alone, day(11)), [remove("m")]);
        assert_eq!(of_key(&by_age, "k", &behind, day(11)), []);
        let both = Rule {
            noncurrent: Some(Noncurrent { days: 1, keep: 0 }),
            expired_markers: true,
            ..Rule::default()
        };
        assert_eq!(of_key(&[both], "k", &behind, day(11)), [remove("a"), remove("m")]);
    }
}
