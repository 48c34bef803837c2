//! Who there is.

use std::collections::HashSet;

use crate::random::Random;
use crate::words::{CITIES, ENDS, FAMILIES, HOSTS, MEN, STEMS, STREETS, WOMEN};

/// A made-up person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Given name.
    pub given: String,
    /// Family name.
    pub family: String,
    /// ISO date.
    pub born: String,
    /// Where they live, and from the move on where they moved to.
    pub homes: Vec<Home>,
    /// One of their own.
    pub mobile: Option<String>,
    /// The household's.
    pub landline: Option<String>,
    /// One or two.
    pub emails: Vec<String>,
    /// ISO 639.
    pub language: &'static str,
    /// A word of their own that stands in every text they say; mostly none.
    pub word: String,
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Street.
    pub street: String,
    /// Its number.
    pub number: String,
    /// Five digits.
    pub postcode: String,
    /// City.
    pub city: &'static str,
}

/// So many people, in households.
#[must_use]
pub fn people(seed: u64, count: usize) -> Vec<Person> {
    let mut people = Vec::with_capacity(count + 4);
    let mut mailboxes = HashSet::new();
    let mut household = 0;
    while people.len() < count {
        let mut random = Random::of(seed, 1, household);
        people.extend(move_in(&mut random, &mut mailboxes));
        household += 1;
    }
    people.truncate(count);
    people
}

/// A household: one person, a couple, or a family.
fn move_in(random: &mut Random, mailboxes: &mut HashSet<String>) -> Vec<Person> {
    let home = home(random);
    let landline = random.chance(450).then(|| landline(random, &home));
    let shared = Shared { home, landline };
    let size = [1, 1, 1, 1, 2, 2, 2, 3, 4, 4][random.below(10) as usize];
    let family = family(random);
    let adult = random.between(1940, 2003);
    let mut household = vec![person(random, mailboxes, &shared, (family.clone(), adult), None)];
    if size >= 2 {
        let other = if random.chance(250) {
            self::family(random)
        } else {
            family.clone()
        };
        let year = (adult + random.between(0, 8)).saturating_sub(4).min(2004);
        let shares = random.chance(30).then(|| household[0].emails[0].clone());
        household.push(person(random, mailboxes, &shared, (other, year), shares));
    }
    for _ in 2..size {
        let year = (adult + random.between(20, 36)).min(2007);
        household.push(person(random, mailboxes, &shared, (family.clone(), year), None));
    }
    for at in 1..household.len() {
        while household[..at]
            .iter()
            .any(|other| other.given == household[at].given)
        {
            household[at].given = (*random.pick_early(&MEN)).to_owned();
        }
    }
    if size >= 3 && random.chance(30) {
        // Father and son of one name.
        household[2].given = household[0].given.clone();
    }
    household
}

struct Shared {
    home: Home,
    landline: Option<String>,
}

fn person(
    random: &mut Random,
    mailboxes: &mut HashSet<String>,
    shared: &Shared,
    (family, year): (String, u32),
    mailbox: Option<String>,
) -> Person {
    let names = if random.chance(500) { &MEN } else { &WOMEN };
    let given = random.pick_early(names);
    let mut homes = vec![shared.home.clone()];
    if random.chance(120) {
        homes.push(home(random));
    }
    let mut emails = vec![mailbox.unwrap_or_else(|| new_mailbox(random, mailboxes, given, &family, year))];
    if random.chance(250) {
        emails.push(new_mailbox(random, mailboxes, given, &family, year));
    }
    Person {
        given: (*given).to_owned(),
        family,
        born: format!(
            "{year:04}-{:02}-{:02}",
            random.between(1, 12),
            random.between(1, 28)
        ),
        homes,
        mobile: random.chance(900).then(|| mobile(random)),
        landline: shared.landline.clone(),
        emails,
        language: if random.chance(900) { "de" } else { "en" },
        word: String::new(),
    }
}

fn family(random: &mut Random) -> String {
    if random.chance(550) {
        return (*random.pick_early(&FAMILIES)).to_owned();
    }
    let simple = format!("{}{}", random.pick(&STEMS), random.pick(&ENDS));
    match random.chance(40) {
        true => format!("{}-{simple}", random.pick(&FAMILIES)),
        false => simple,
    }
}

fn home(random: &mut Random) -> Home {
    let (city, prefix, _) = random.pick_early(&CITIES);
    let letter = if random.chance(80) { "a" } else { "" };
    Home {
        street: (*random.pick(&STREETS)).to_owned(),
        number: format!("{}{letter}", random.between(1, 120)),
        postcode: format!("{prefix}{:03}", random.below(60) * 7 + 3),
        city,
    }
}

fn landline(random: &mut Random, home: &Home) -> String {
    let area = CITIES
        .iter()
        .find(|(city, ..)| *city == home.city)
        .map_or("30", |(.., area)| area);
    format!("+49{area}{:07}", random.between(1_000_000, 9_999_999))
}

fn mobile(random: &mut Random) -> String {
    let network = random.pick(&["151", "160", "171", "176", "152"]);
    format!("+49{network}{:08}", random.between(10_000_000, 99_999_999))
}

fn new_mailbox(
    random: &mut Random,
    mailboxes: &mut HashSet<String>,
    given: &str,
    family: &str,
    year: u32,
) -> String {
    let ascii = |name: &str| -> String {
        let spelled = name
            .to_lowercase()
            .replace('ä', "ae")
            .replace('ö', "oe")
            .replace('ü', "ue")
            .replace('ß', "ss");
        spelled.chars().filter(char::is_ascii_alphanumeric).collect()
    };
    let (given, family) = (ascii(given), ascii(family));
    let initial: String = given.chars().take(1).collect();
    let host = random.pick(&HOSTS);
    let local = match random.below(4) {
        0 => format!("{given}.{family}"),
        1 => format!("{initial}.{family}{}", year % 100),
        2 => format!("{given}{}", random.between(10, 9_999)),
        _ => format!("{family}.{given}"),
    };
    let mut mailbox = format!("{local}@{host}");
    while !mailboxes.insert(mailbox.clone()) {
        mailbox = format!("{local}{}@{host}", random.between(2, 99_999));
    }
    mailbox
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_live_together_and_have_things_of_their_own() {
        let some = people(1, 2_000);
        assert_eq!(some.len(), 2_000);
        assert_eq!(some, people(1, 2_000));
        assert_ne!(some, people(2, 2_000));
        let together = some
            .windows(2)
            .filter(|pair| pair[0].homes[0] == pair[1].homes[0])
            .count();
        assert!((600..1_400).contains(&together), "{together}");
        let mobiles: HashSet<&String> = some.iter().filter_map(|one| one.mobile.as_ref()).collect();
        let with = some.iter().filter(|one| one.mobile.is_some()).count();
        assert!(with > 1_700 && mobiles.len() >= with - 1);
        let moved = some.iter().filter(|one| one.homes.len() == 2).count();
        assert!((150..350).contains(&moved), "{moved}");
    }
}
