//! What happens, by time: people open accounts, order, move, call, and change their minds.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::people::{Person, people};
use crate::random::Random;
use crate::say::{Deed, Moment, say};

/// Days that pass.
const DAYS: u32 = 400;
const DAY: u32 = 86_400;
/// 2025-01-01 in days since 1970.
const FIRST_DAY: i64 = 20_089;

/// A retailer with its customers and what they are going to do.
#[derive(Debug)]
pub struct Retailer {
    seed: u64,
    people: Vec<Person>,
    events: Vec<Planned>,
}

/// What a system writes, before it is sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Who it is of: the truth.
    pub person: usize,
    /// The system.
    pub source: &'static str,
    /// How the system knows them.
    pub account: String,
    /// The schema of the personal part.
    pub schema: &'static str,
    /// A UUID.
    pub event: String,
    /// RFC 3339 in UTC.
    pub at: String,
    /// The personal part.
    pub part: Map<String, Value>,
}

/// An event that is going to happen; what is said follows from the seed when it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Planned {
    second: u32,
    person: u32,
    /// Of this person's events.
    number: u16,
    deed: Deed,
    /// Which of the accounts that this system has of the person.
    account: u8,
    mailbox: u8,
    home: u8,
}

impl Retailer {
    /// So many people.
    #[must_use]
    pub fn new(seed: u64, count: usize) -> Self {
        Self::of(seed, people(seed, count))
    }

    /// The same, and the first few carry a word of their own ([`canary`]) in every text.
    #[must_use]
    pub fn with_canaries(seed: u64, count: usize, canaries: usize) -> Self {
        let mut people = people(seed, count);
        for (number, person) in people.iter_mut().enumerate().take(canaries) {
            mark(person, &canary(number));
        }
        Self::of(seed, people)
    }

    fn of(seed: u64, people: Vec<Person>) -> Self {
        let mut events = Vec::new();
        for (number, person) in (0..).zip(&people) {
            let mut life = Life {
                random: Random::of(seed, 2, u64::from(number)),
                person,
                number,
                events: Vec::new(),
            };
            life.live();
            events.extend(life.events);
        }
        events.sort_unstable();
        Self { seed, people, events }
    }

    /// The people.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing happens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The same with only those people of it, so that several can tell a story in parts.
    #[must_use]
    pub fn only(mut self, people: Range<usize>) -> Self {
        self.events
            .retain(|planned| people.contains(&(planned.person as usize)));
        self
    }

    /// All events, in the order of their times.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.events.iter().map(|planned| self.record(*planned))
    }

    /// Every account there is and whose it is: source, account, person. In order, each once.
    #[must_use]
    pub fn truth(&self) -> Vec<(&'static str, String, usize)> {
        let events = self.events.iter();
        let mut accounts: Vec<_> = events
            .map(|planned| {
                (
                    planned.deed.source(),
                    planned.account_id(),
                    planned.person as usize,
                )
            })
            .collect();
        accounts.sort();
        accounts.dedup();
        accounts
    }

    fn record(&self, planned: Planned) -> Record {
        let person = planned.person as usize;
        let which = (u64::from(planned.person) << 16) | u64::from(planned.number);
        let mut random = Random::of(self.seed, 3, which);
        let moment = Moment {
            person: &self.people[person],
            mailbox: planned.mailbox.into(),
            home: planned.home.into(),
            number: which,
        };
        let event = uuid(&mut random);
        Record {
            person,
            source: planned.deed.source(),
            account: planned.account_id(),
            schema: planned.deed.schema(),
            event,
            at: time(planned.second),
            part: say(&mut random, planned.deed, moment),
        }
    }
}

impl Planned {
    fn account_id(self) -> String {
        let letter = match self.deed {
            Deed::Account => 'S',
            Deed::Order => 'O',
            Deed::Parcel => 'D',
            Deed::Contact => 'M',
            Deed::Call => 'C',
        };
        format!("{letter}-{:06}{}", self.person, self.account)
    }
}

/// A word that stands in every text of a person, and nowhere else: three times seven letters, so that a slip
/// of the pen, which is one or two letters, leaves one of the three as it was.
#[must_use]
pub fn canary(number: usize) -> String {
    let mut random = Random::of(0x000c_a4a5, 5, number as u64);
    (0..21)
        .map(|_| *random.pick(b"bcdfghjklmpqrtvwxz") as char)
        .collect()
}

fn mark(person: &mut Person, word: &str) {
    person.word = word.to_owned();
    person.given = format!("{}{word}", person.given);
    person.family = format!("{}{word}", person.family);
    person
        .homes
        .iter_mut()
        .for_each(|home| home.street = format!("{word} {}", home.street));
    for (at, email) in person.emails.iter_mut().enumerate() {
        *email = format!("{word}{at}@mail.example");
    }
}

/// One person's doings.
struct Life<'a> {
    random: Random,
    person: &'a Person,
    number: u32,
    events: Vec<Planned>,
}

impl Life<'_> {
    fn live(&mut self) {
        let moves = (self.person.homes.len() > 1).then(|| self.random.between(100, 300));
        let opened = self.shop(moves);
        self.buy(opened, moves);
        self.subscribe();
        self.call();
        if self.events.is_empty() {
            self.plan(0, Deed::Account, 0, 0, moves);
        }
    }

    fn plan(&mut self, day: u32, deed: Deed, account: u8, mailbox: u8, moves: Option<u32>) {
        let day = day.min(DAYS - 1);
        let number = u16::try_from(self.events.len()).unwrap_or(u16::MAX);
        self.events.push(Planned {
            second: day * DAY + self.random.below(DAY),
            person: self.number,
            number,
            deed,
            account,
            mailbox,
            home: u8::from(moves.is_some_and(|moved| day >= moved)),
        });
    }

    /// Accounts of the shop; the day of the first.
    fn shop(&mut self, moves: Option<u32>) -> Option<u32> {
        if !self.random.chance(850) {
            return None;
        }
        let opened = self.random.below(200);
        self.plan(opened, Deed::Account, 0, 0, moves);
        if let Some(moved) = moves.filter(|_| self.random.chance(600)) {
            let later = moved.max(opened) + self.random.between(1, 20);
            self.plan(later, Deed::Account, 0, 0, moves);
        }
        let second = if self.person.emails.len() > 1 { 500 } else { 0 };
        if self.random.chance(second) {
            let later = opened + self.random.between(20, 180);
            self.plan(later, Deed::Account, 1, 1, moves);
        }
        Some(opened)
    }

    fn buy(&mut self, opened: Option<u32>, moves: Option<u32>) {
        for _ in 0..self.random.below(4) {
            let day = opened.unwrap_or(0) + self.random.between(0, 200);
            let mailbox = u8::from(self.person.emails.len() > 1 && self.random.chance(250));
            // Guests get a number of their own.
            let account = if self.random.chance(150) {
                2 + mailbox
            } else {
                mailbox
            };
            self.plan(day, Deed::Order, account, mailbox, moves);
            if self.random.chance(900) {
                let sent = (day + self.random.between(1, 3)).min(DAYS - 1);
                let home = u8::from(moves.is_some_and(|moved| sent >= moved));
                self.plan(sent, Deed::Parcel, home, mailbox, moves);
            }
        }
    }

    fn subscribe(&mut self) {
        if !self.random.chance(600) {
            return;
        }
        let day = self.random.below(300);
        self.plan(day, Deed::Contact, 0, 0, None);
        if self.random.chance(300) {
            let later = day + self.random.between(1, 90);
            self.plan(later, Deed::Contact, 0, 0, None);
        }
        if self.person.emails.len() > 1 && self.random.chance(300) {
            self.plan(day, Deed::Contact, 1, 1, None);
        }
    }

    fn call(&mut self) {
        let has_phone = self.person.mobile.is_some() || self.person.landline.is_some();
        if !(self.random.chance(350) && has_phone) {
            return;
        }
        for call in 0..self.random.between(1, 2) {
            let day = self.random.below(DAYS);
            let account = if call == 1 && self.random.chance(200) {
                1
            } else {
                0
            };
            self.plan(day, Deed::Call, account, 0, None);
        }
    }
}

fn uuid(random: &mut Random) -> String {
    let bits = (u128::from(random.draw()) << 64) | u128::from(random.draw());
    let bits = (bits & !(0xf000 << 64) & !(0xc << 60)) | (0x4000 << 64) | (0x8 << 60);
    let digits = format!("{bits:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

/// Seconds after the first day began, as RFC 3339. The Gregorian calendar, by Howard Hinnant's arithmetic of eras.
fn time(second: u32) -> String {
    let days = FIRST_DAY + i64::from(second / DAY);
    let second = second % DAY;
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let story = |seed| Retailer::new(seed, 300).records().collect::<Vec<_>>();
        assert_eq!(story(5), story(5));
        assert_ne!(story(5), story(6));
        let story = story(5);
        assert!(story.is_sorted_by(|a, b| a.at <= b.at));
        let events: BTreeSet<&str> = story.iter().map(|record| record.event.as_str()).collect();
        assert_eq!(events.len(), story.len());
        let sources: BTreeSet<&str> = story.iter().map(|record| record.source).collect();
        assert_eq!(sources.len(), 5);
    }

    #[test]
    fn everyone_has_an_account_and_most_have_several() {
        let retailer = Retailer::new(1, 1_000);
        let truth = retailer.truth();
        let people: BTreeSet<usize> = truth.iter().map(|(.., person)| *person).collect();
        assert_eq!(people.len(), 1_000);
        assert!((2_500..6_000).contains(&truth.len()), "{}", truth.len());
    }

    #[test]
    fn times_are_of_the_calendar() {
        assert_eq!(time(0), "2025-01-01T00:00:00Z");
        assert_eq!(time(58 * DAY + 3_661), "2025-02-28T01:01:01Z");
        assert_eq!(time(365 * DAY - 1), "2025-12-31T23:59:59Z");
    }

    #[test]
    fn a_canary_is_in_every_text_of_its_person() {
        const CHOSEN: [&str; 7] = [
            "phone", "born", "language", "consents", "cents", "currency", "status",
        ];
        let retailer = Retailer::with_canaries(3, 50, 2);
        let letters: Vec<char> = canary(1).chars().collect();
        let thirds: Vec<String> = letters.chunks(7).map(|third| third.iter().collect()).collect();
        for record in retailer.records() {
            let hers = record.person == 1;
            for (name, value) in &record.part {
                let text = value.to_string().to_lowercase();
                let is_there = thirds.iter().any(|third| text.contains(third.as_str()));
                let is_free = !CHOSEN.contains(&name.as_str());
                assert_eq!(is_there, hers && is_free, "{name}: {text}");
            }
        }
        let words: BTreeSet<String> = (0..1_000).map(canary).collect();
        assert_eq!(words.len(), 1_000);
        assert!(retailer.people()[1].family.ends_with(&canary(1)));
    }
}
