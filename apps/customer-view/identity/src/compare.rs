//! How much two accounts look like one person, with reasons.
//!
//! Each field that both know adds a weight: the binary logarithm of how much likelier its agreement (or difference)
//! is among accounts of one person than among any two. Fields that one of them does not know say nothing. The sum,
//! less what any two accounts start with, is the logarithm of the odds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::Account;
use crate::names::{are_nicknames, is_common};
use crate::text::{fold, fold_words, one_slip, similarity};

/// The weight from which two accounts are one person.
pub const LINK_AT: f64 = 9.0;
/// The weight at which one person is as likely as two: candidates have something in common already.
const EVEN_AT: f64 = 7.0;

/// A rule that had something to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Its name.
    pub rule: String,
    /// What it adds, or takes away.
    pub weight: f64,
}

/// Two accounts found to be one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The lesser token.
    pub a: String,
    /// The greater token.
    pub b: String,
    /// The odds as a probability, 0 to 1.
    pub score: f64,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// What is compared of an account, folded once.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    emails: Vec<String>,
    phones: Vec<String>,
    /// Given names, folded word by word.
    pub given: Vec<String>,
    families: Vec<String>,
    /// Dates of birth.
    pub born: Vec<String>,
    places: Vec<Place>,
}

/// An address, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) street: String,
    pub(crate) postcode: String,
    pub(crate) city: String,
}

impl Place {
    pub(crate) fn of(address: &Value) -> Self {
        let part = |name: &str| fold(address[name].as_str().unwrap_or_default());
        Self {
            street: part("street").replace("strasse", "str"),
            postcode: part("postcode"),
            city: part("city"),
        }
    }
}

impl Profile {
    /// What is compared of the account.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        let folded = |field: &str| account.texts(field).map(fold).collect();
        let plain = |field: &str| account.texts(field).map(str::to_owned).collect();
        Self {
            emails: plain("email"),
            phones: plain("phone"),
            given: account.texts("given").map(fold_words).collect(),
            families: folded("family"),
            born: plain("born"),
            places: account.values("address").map(Place::of).collect(),
        }
    }
}

/// The link between two accounts, if they are one person.
#[must_use]
pub fn link(a: (&str, &Profile), b: (&str, &Profile)) -> Option<Link> {
    let ((a, left), (b, right)) = if a.0 < b.0 { (a, b) } else { (b, a) };
    let (weight, reasons) = compare(left, right);
    (weight >= LINK_AT).then(|| Link {
        a: a.to_owned(),
        b: b.to_owned(),
        score: probability(weight),
        reasons,
    })
}

/// Three digits of the probability that goes with a weight.
fn probability(weight: f64) -> f64 {
    let exact = 1.0 / (1.0 + (EVEN_AT - weight).exp2());
    (exact * 1_000.0).round() / 1_000.0
}

/// The weight of two accounts, and what it is made of.
#[must_use]
pub fn compare(a: &Profile, b: &Profile) -> (f64, Vec<Reason>) {
    let rules = [
        email(a, b),
        phone(a, b),
        born(a, b),
        names(a, b),
        family(a, b),
        address(a, b),
    ];
    let spoke = rules.into_iter().flatten();
    let reasons: Vec<Reason> = spoke
        .map(|(rule, weight)| Reason {
            rule: rule.to_owned(),
            weight,
        })
        .collect();
    (reasons.iter().map(|reason| reason.weight).sum(), reasons)
}

type Said = Option<(&'static str, f64)>;

fn email(a: &Profile, b: &Profile) -> Said {
    if a.emails.iter().any(|email| b.emails.contains(email)) {
        return Some(("same e-mail", 9.0));
    }
    let mut pairs = a
        .emails
        .iter()
        .flat_map(|left| b.emails.iter().map(move |right| (left, right)));
    pairs
        .any(|(left, right)| almost_same_email(left, right))
        .then_some(("almost the same e-mail", 2.5))
}

/// One slip in the letters before the same host. A digit more or another one is what tells namesakes apart.
fn almost_same_email(left: &str, right: &str) -> bool {
    let digits = |text: &str| {
        let mut digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
        digits.sort_unstable();
        digits
    };
    match (left.split_once('@'), right.split_once('@')) {
        (Some((left, host)), Some((right, same))) => {
            host == same && one_slip(left, right) && digits(left) == digits(right)
        }
        _ => false,
    }
}

fn phone(a: &Profile, b: &Profile) -> Said {
    let mut same = a
        .phones
        .iter()
        .filter(|phone| b.phones.contains(phone))
        .peekable();
    same.peek()?;
    Some(match same.any(|phone| is_mobile(phone)) {
        true => ("same mobile phone", 9.0),
        false => ("same phone", 5.0),
    })
}

/// How numbers of mobile phones begin: one person has one, where a household has the others.
const MOBILE: [&str; 17] = [
    "+4915", "+4916", "+4917", "+447", "+336", "+337", "+436", "+417", "+316", "+346", "+347", "+393",
    "+324", "+485", "+486", "+487", "+861",
];

fn is_mobile(phone: &str) -> bool {
    MOBILE.iter().any(|prefix| phone.starts_with(prefix))
}

/// The best word on a pair of values, one of each; none when one has no value.
fn best<T>(a: &[T], b: &[T], judge: impl Fn(&T, &T) -> (&'static str, f64)) -> Said {
    let pairs = a.iter().flat_map(|left| b.iter().map(move |right| (left, right)));
    pairs
        .map(|(left, right)| judge(left, right))
        .max_by(|left, right| left.1.total_cmp(&right.1))
}

fn born(a: &Profile, b: &Profile) -> Said {
    best(&a.born, &b.born, |left, right| {
        if left == right {
            ("same date of birth", 7.0)
        } else if same_day(left, right) {
            ("almost the same date of birth", 3.0)
        } else {
            ("other date of birth", -12.0)
        }
    })
}

/// One digit wrong, two swapped, or day and month swapped.
pub(crate) fn same_day(left: &str, right: &str) -> bool {
    let swapped = || {
        let mut parts = left.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        Some(format!("{year}-{day}-{month}"))
    };
    one_slip(left, right) || swapped().is_some_and(|swapped| swapped == right)
}

fn names(a: &Profile, b: &Profile) -> Said {
    best(&a.given, &b.given, |left, right| given(left, right))
}

/// What two given names say, folded word by word.
fn given(left: &str, right: &str) -> (&'static str, f64) {
    if left == right {
        return ("same given name", 3.0);
    }
    let pairs = left
        .split(' ')
        .flat_map(|left| right.split(' ').map(move |right| (left, right)));
    let best = pairs.map(|(left, right)| one_given(left, right));
    best.max_by(|left, right| left.1.total_cmp(&right.1))
        .unwrap_or(OTHER)
}

const OTHER: (&str, f64) = ("other given name", -14.0);

fn one_given(left: &str, right: &str) -> (&'static str, f64) {
    let (short, long) = if left.len() < right.len() {
        (left, right)
    } else {
        (right, left)
    };
    if left == right {
        ("one of the given names", 2.0)
    } else if are_nicknames(left, right) {
        ("short form of the given name", 2.5)
    } else if short.chars().count() == 1 && long.starts_with(short) {
        // Families like to begin all names with one letter.
        ("initial of the given name", 0.0)
    } else if is_common(left) && is_common(right) {
        // A slip seldom makes another name: Christian is not Christina.
        OTHER
    } else if short.chars().count() >= 5 && look_alike(left, right) {
        ("similar given name", 2.0)
    } else if short.chars().count() >= 3 && look_alike(left, right) {
        ("perhaps the same given name", 1.0)
    } else {
        OTHER
    }
}

/// Whether two given names may be one person's.
pub(crate) fn may_be_one(left: &str, right: &str) -> bool {
    given(left, right).1 >= 0.0
}

fn look_alike(left: &str, right: &str) -> bool {
    one_slip(left, right) || similarity(left, right) >= 0.93
}

fn family(a: &Profile, b: &Profile) -> Said {
    best(&a.families, &b.families, |left, right| {
        let part = |long: &str, short: &str| {
            short.chars().count() >= 4 && (long.starts_with(short) || long.ends_with(short))
        };
        if left == right {
            ("same family name", 4.0)
        } else if left.chars().count().min(right.chars().count()) >= 4 && look_alike(left, right) {
            ("similar family name", 3.0)
        } else if part(left, right) || part(right, left) {
            ("part of the family name", 2.5)
        } else {
            ("other family name", -3.0)
        }
    })
}

fn address(a: &Profile, b: &Profile) -> Said {
    best(&a.places, &b.places, |left, right| {
        let town = left.postcode == right.postcode && !left.postcode.is_empty();
        let city = left.city == right.city && !left.city.is_empty();
        if left.street == right.street && !left.street.is_empty() && (town || city) {
            ("same address", 4.0)
        } else if town && similarity(&left.street, &right.street) >= 0.9 {
            ("similar address", 3.0)
        } else if town {
            ("same postcode", 1.0)
        } else {
            ("other address", -0.5)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Event;
    use serde_json::json;

    fn profile(said: Value) -> Profile {
        let mut account = Account::new("shop", "S", "t");
        let event = Event {
            at: "2025".to_owned(),
            id: "e".to_owned(),
        };
        account.apply(
            &event,
            &serde_json::from_value(json!({"type": "account", "said": said})).unwrap(),
        );
        Profile::of(&account)
    }

    fn linked(a: Value, b: Value) -> bool {
        link(("a", &profile(a)), ("b", &profile(b))).is_some()
    }

    #[test]
    fn a_link_says_why() {
        let ada = profile(json!({"email": "ada@x.example", "given": "Ada", "family": "Weiß"}));
        let weiss = profile(json!({"email": "ada@x.example", "family": "Weiss"}));
        let link = link(("t2", &ada), ("t1", &weiss)).unwrap();
        let rules: Vec<&str> = link.reasons.iter().map(|reason| reason.rule.as_str()).collect();
        assert_eq!((link.a.as_str(), link.b.as_str()), ("t1", "t2"));
        assert_eq!(rules, ["same e-mail", "same family name"]);
        assert!((link.score - 0.985).abs() < f64::EPSILON, "{}", link.score);
    }

    #[test]
    fn one_person_is_known_by_what_systems_got_wrong() {
        let home = json!({"street": "Lindenstraße 12", "postcode": "10969", "city": "Berlin"});
        let ada = json!({"given": "Ada", "family": "Schmidt", "address": home, "born": "1984-05-17", "phone": "+4930123456"});
        assert!(linked(
            ada.clone(),
            json!({"given": "Ada", "family": "Schmitt", "born": "1984-05-17"})
        ));
        assert!(linked(
            ada.clone(),
            json!({"given": "A", "family": "Schmidt", "phone": "+4930123456", "address": {"street": "Lindenstr. 12", "postcode": "10969"}})
        ));
        assert!(linked(
            ada,
            json!({"given": "Ada Marie", "family": "Schmidt-Wolf", "born": "1984-17-05", "address": home})
        ));
        assert!(linked(
            json!({"phone": "+491712345678"}),
            json!({"phone": "+491712345678", "given": "Tom"})
        ));
    }

    #[test]
    fn a_household_is_not_one_person() {
        let home = json!({"street": "Lindenstraße 12", "postcode": "10969", "city": "Berlin"});
        let shared = |given: &str, born: &str| json!({"given": given, "family": "Weiß", "phone": "+4930123456", "address": home, "born": born, "email": "weiss@x.example"});
        assert!(
            !linked(shared("Ada", "1984-05-17"), shared("Bernd", "1982-01-30")),
            "couple with one mailbox"
        );
        let alone = |born: &str| json!({"given": "Karl", "family": "Weiß", "phone": "+4930123456", "address": home, "born": born});
        assert!(
            !linked(alone("1950-03-01"), alone("1984-08-12")),
            "father and son"
        );
        assert!(
            !linked(json!({"phone": "+4930123456"}), json!({"phone": "+4930123456"})),
            "a landline alone"
        );
        assert!(
            !linked(
                json!({"given": "Anna", "family": "Weber"}),
                json!({"given": "Anna", "family": "Weber"})
            ),
            "a name alone"
        );
    }
}
