//! What a system writes of a person: the personal parts.

use serde_json::{Map, Value, json};

use crate::people::Person;
use crate::random::Random;
use crate::slips;
use crate::words::{GOODS, NOTES};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Deed {
    /// An account of the shop is opened or changed.
    Account,
    /// Something is ordered.
    Order,
    /// A parcel goes out.
    Parcel,
    /// Marketing has a contact.
    Contact,
    /// Somebody calls.
    Call,
}

impl Deed {
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Account => "shop",
            Self::Order => "orders",
            Self::Parcel => "delivery",
            Self::Contact => "marketing",
            Self::Call => "calls",
        }
    }

    pub(crate) fn schema(self) -> &'static str {
        match self {
            Self::Account => "shop.account/1",
            Self::Order => "orders.order/1",
            Self::Parcel => "delivery.parcel/1",
            Self::Contact => "marketing.contact/1",
            Self::Call => "calls.note/1",
        }
    }
}

/// What the person has in mind when it happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) person: &'a Person,
    /// Which of their mailboxes.
    pub(crate) mailbox: usize,
    /// Which of their homes.
    pub(crate) home: usize,
    /// A number for orders, parcels and calls.
    pub(crate) number: u64,
}

impl Moment<'_> {
    /// The number of an order, a parcel or a call.
    fn named(self, letter: char) -> String {
        format!("{letter}-{}{}", self.number, self.person.word)
    }
}

fn with_word(text: &str, word: &str) -> String {
    format!("{text} {word}").trim_end().to_owned()
}

/// The personal part.
pub(crate) fn say(random: &mut Random, deed: Deed, moment: Moment<'_>) -> Map<String, Value> {
    let part = match deed {
        Deed::Account => account(random, moment),
        Deed::Order => order(random, moment),
        Deed::Parcel => parcel(random, moment),
        Deed::Contact => contact(random, moment),
        Deed::Call => call(random, moment),
    };
    let members = part.into_iter().filter(|(_, value)| !value.is_null());
    members.map(|(name, value)| (name.to_owned(), value)).collect()
}

type Part = Vec<(&'static str, Value)>;

fn account(random: &mut Random, moment: Moment<'_>) -> Part {
    let person = moment.person;
    vec![
        ("email", email(random, moment)),
        ("given", slips::name(random, &person.given).into()),
        ("family", slips::name(random, &person.family).into()),
        (
            "phone",
            sometimes(random, 650, |random| phone(random, person, 50)),
        ),
        (
            "address",
            sometimes(random, 800, |random| address(random, moment)),
        ),
        (
            "born",
            sometimes(random, 700, |random| slips::born(random, &person.born).into()),
        ),
        ("language", person.language.into()),
        ("consents", sometimes(random, 500, consents)),
    ]
}

fn order(random: &mut Random, moment: Moment<'_>) -> Part {
    let person = moment.person;
    let to = sometimes(random, 900, |random| address(random, moment));
    // There is always a way to reach who ordered.
    let mails = if to.is_null() { 1_000 } else { 900 };
    let mail = sometimes(random, mails, |random| email(random, moment));
    let items: Vec<(&str, u32, u32)> = (0..random.between(1, 3))
        .map(|_| {
            let (sku, cents) = random.pick(&GOODS);
            (*sku, random.between(1, 2), *cents)
        })
        .collect();
    let cents: u32 = items.iter().map(|(_, quantity, cents)| quantity * cents).sum();
    let items: Vec<Value> = items
        .into_iter()
        .map(|(sku, quantity, cents)| json!({"sku": sku, "quantity": quantity, "cents": cents}))
        .collect();
    vec![
        ("order", moment.named('O').into()),
        (
            "name",
            slips::whole_name(random, &person.given, &person.family).into(),
        ),
        ("email", mail),
        (
            "phone",
            sometimes(random, 450, |random| phone(random, person, 100)),
        ),
        ("address", to),
        ("items", items.into()),
        ("cents", cents.into()),
        ("currency", "EUR".into()),
    ]
}

fn parcel(random: &mut Random, moment: Moment<'_>) -> Part {
    let person = moment.person;
    vec![
        ("parcel", moment.named('P').into()),
        (
            "name",
            slips::whole_name(random, &person.given, &person.family).into(),
        ),
        (
            "phone",
            sometimes(random, 600, |random| phone(random, person, 150)),
        ),
        ("address", address(random, moment)),
        (
            "status",
            (*random.pick(&["sent", "delivered", "delivered", "returned"])).into(),
        ),
    ]
}

fn contact(random: &mut Random, moment: Moment<'_>) -> Part {
    let person = moment.person;
    vec![
        ("email", email(random, moment)),
        (
            "name",
            sometimes(random, 850, |random| {
                slips::whole_name(random, &person.given, &person.family).into()
            }),
        ),
        (
            "born",
            sometimes(random, 300, |random| slips::born(random, &person.born).into()),
        ),
        ("language", person.language.into()),
        ("consents", consents(random)),
    ]
}

fn call(random: &mut Random, moment: Moment<'_>) -> Part {
    let person = moment.person;
    vec![
        ("call", moment.named('K').into()),
        ("phone", phone(random, person, 200)),
        (
            "name",
            sometimes(random, 920, |random| {
                slips::whole_name(random, &person.given, &person.family).into()
            }),
        ),
        ("email", sometimes(random, 300, |random| email(random, moment))),
        (
            "note",
            with_word(random.pick::<&str>(&NOTES), &person.word).into(),
        ),
    ]
}

fn sometimes(random: &mut Random, per_mille: u32, say: impl FnOnce(&mut Random) -> Value) -> Value {
    match random.chance(per_mille) {
        true => say(random),
        false => Value::Null,
    }
}

fn email(random: &mut Random, moment: Moment<'_>) -> Value {
    let emails = &moment.person.emails;
    let email = &emails[moment.mailbox.min(emails.len() - 1)];
    let Some((local, host)) = email.split_once('@') else {
        return Value::Null;
    };
    match random.below(1_000) {
        0..8 => format!("{}@{host}", slips::slip(random, local)).into(),
        8..60 => format!(" {}", email.to_uppercase()).into(),
        _ => email.as_str().into(),
    }
}

/// The mobile phone, or so many times of a thousand the household's.
fn phone(random: &mut Random, person: &Person, landline: u32) -> Value {
    let house = person.landline.as_ref().filter(|_| random.chance(landline));
    let number = house.or(person.mobile.as_ref()).or(person.landline.as_ref());
    number.map_or(Value::Null, |number| slips::phone(random, number).into())
}

fn address(random: &mut Random, moment: Moment<'_>) -> Value {
    let homes = &moment.person.homes;
    let home = &homes[moment.home.min(homes.len() - 1)];
    let (street, postcode) = slips::street(random, home);
    json!({"street": street, "postcode": postcode, "city": with_word(home.city, &moment.person.word), "country": "DE"})
}

fn consents(random: &mut Random) -> Value {
    let mut consents = json!({"newsletter": random.chance(600)});
    if random.chance(300) {
        consents["profiling"] = random.chance(400).into();
    }
    consents
}
