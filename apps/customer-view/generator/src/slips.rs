//! How people and systems get things wrong.

use crate::people::Home;
use crate::random::Random;

/// One letter too many, too few, wrong, or two swapped.
pub(crate) fn slip(random: &mut Random, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 4 {
        return text.to_owned();
    }
    let last = u32::try_from(letters.len() - 1).unwrap_or(1);
    // Not the first letter: people get that right.
    let at = random.between(1, last) as usize;
    match random.below(4) {
        0 => {
            letters.remove(at);
        }
        1 => letters.insert(at, letters[at]),
        2 => letters.swap(at, at.max(2) - 1),
        _ => letters[at] = *random.pick(&['a', 'e', 'n', 'r', 's']),
    }
    letters.into_iter().collect()
}

/// A name, slipped now and then, and now and then without its umlauts.
pub(crate) fn name(random: &mut Random, name: &str) -> String {
    let name = match random.chance(60) {
        true => name
            .replace('ä', "ae")
            .replace('ö', "oe")
            .replace('ü', "ue")
            .replace('ß', "ss"),
        false => name.to_owned(),
    };
    match random.below(1_000) {
        0..35 => slip(random, &name),
        35..55 => name.to_uppercase(),
        55..65 => name.to_lowercase(),
        _ => name,
    }
}

/// A whole name as somebody might fill it in.
pub(crate) fn whole_name(random: &mut Random, given: &str, family: &str) -> String {
    let (given, family) = (name(random, given), name(random, family));
    let initial: String = given.chars().take(1).collect();
    match random.below(100) {
        0..12 => format!("{family}, {given}"),
        12..16 => format!("{initial}. {family}"),
        16..19 => format!("Dr. {given} {family}"),
        _ => format!("{given} {family}"),
    }
}

/// A phone number in one of the ways to write it.
pub(crate) fn phone(random: &mut Random, number: &str) -> String {
    let national = number.strip_prefix("+49").unwrap_or(number);
    let (area, rest) = national.split_at_checked(3).unwrap_or((national, ""));
    let rest = match random.chance(8) {
        true => slip(random, rest),
        false => rest.to_owned(),
    };
    match random.below(5) {
        0 => format!("+49{area}{rest}"),
        1 => format!("0{area}/{rest}"),
        2 => format!("+49 (0){area} {rest}"),
        3 => format!("0049 {area} {rest}"),
        _ => format!("0{area} {rest}"),
    }
}

/// Street and number in one of the ways to write them, and the postcode, mostly right.
pub(crate) fn street(random: &mut Random, home: &Home) -> (String, String) {
    let street = match random.below(100) {
        0..20 => home.street.replace("straße", "str."),
        20..28 => home.street.replace("straße", "strasse"),
        28..31 => slip(random, &home.street),
        _ => home.street.clone(),
    };
    let street = format!("{street} {}", home.number);
    let street = if random.chance(30) {
        street.to_uppercase()
    } else {
        street
    };
    let postcode = match random.chance(10) {
        true => slip(random, &home.postcode)
            .chars()
            .filter(char::is_ascii_digit)
            .collect(),
        false => home.postcode.clone(),
    };
    (street, postcode)
}

/// A date of birth, sometimes typed wrong.
pub(crate) fn born(random: &mut Random, born: &str) -> String {
    let mut parts = born.split('-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(year), Some(month), Some(day)) if random.chance(10) && day <= "12" => {
            format!("{year}-{day}-{month}")
        }
        _ => born.to_owned(),
    }
}
