//! Texts as they are compared: without case, accents and punctuation.

/// Letters and digits in lower case, accents taken off; `ä`, `ae` and `a` are one, and so are `ß` and `ss`.
pub(crate) fn fold(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        match base(letter) {
            Some(replacement) => plain.push_str(replacement),
            None if letter.is_alphanumeric() => plain.push(letter),
            None => {}
        }
    }
    without_umlauts(&plain)
}

/// As [`fold`], the words of it kept apart by single spaces; a hyphen parts words, too.
pub(crate) fn fold_words(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter == '-');
    let folded: Vec<String> = words.map(fold).filter(|word| !word.is_empty()).collect();
    folded.join(" ")
}

/// `ae`, `oe` and `ue` as `a`, `o` and `u`: how umlauts are written without them.
fn without_umlauts(plain: &str) -> String {
    let mut folded = String::with_capacity(plain.len());
    let mut last = ' ';
    for letter in plain.chars() {
        if letter != 'e' || !matches!(last, 'a' | 'o' | 'u') {
            folded.push(letter);
        }
        last = letter;
    }
    folded
}

fn base(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ą' | 'ă' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ı' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => "o",
        'œ' => "oe",
        'ř' => "r",
        'ß' => "ss",
        'ś' | 'š' | 'ş' => "s",
        'ť' | 'ţ' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

/// How a folded name sounds: its first letter and up to four consonants behind it, those that sound alike as one.
pub(crate) fn sound(folded: &str) -> String {
    let mut sounds = String::with_capacity(5);
    for letter in folded.chars() {
        let sound = match letter {
            'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'j' | 'h' if !sounds.is_empty() => continue,
            'c' | 'q' | 'g' => 'k',
            'v' | 'w' => 'f',
            'z' => 's',
            'd' => 't',
            'b' => 'p',
            'n' => 'm',
            other => other,
        };
        if !sounds.ends_with(sound) {
            sounds.push(sound);
        }
        if sounds.chars().count() == 5 {
            break;
        }
    }
    sounds
}

/// Jaro–Winkler similarity, 0 to 1.
pub(crate) fn similarity(left: &str, right: &str) -> f64 {
    if left == right {
        return 1.0;
    }
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let jaro = jaro(&left, &right);
    let shared = left.iter().zip(&right).take(4).take_while(|(a, b)| a == b);
    jaro + 0.1 * small(shared.count()) * (1.0 - jaro)
}

fn jaro(left: &[char], right: &[char]) -> f64 {
    if left.is_empty() || right.is_empty() {
        return 0.0;
    }
    let reach = (left.len().max(right.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; right.len()];
    let mut matched = Vec::with_capacity(left.len());
    for (place, letter) in left.iter().enumerate() {
        let window = place.saturating_sub(reach)..(place + reach + 1).min(right.len());
        if let Some(at) = window.into_iter().find(|&at| !taken[at] && right[at] == *letter) {
            taken[at] = true;
            matched.push(*letter);
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let others = right.iter().zip(&taken).filter(|(_, taken)| **taken);
    let swapped = others.zip(&matched).filter(|((a, _), b)| a != b).count();
    let hits = small(matched.len());
    (hits / small(left.len()) + hits / small(right.len()) + (hits - small(swapped) / 2.0) / hits) / 3.0
}

/// Lengths of names and addresses are small: the parsers see to it.
fn small(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whether one differs from the other by one letter too many, too few or wrong, or by two neighbours swapped.
pub(crate) fn one_slip(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let head = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let tail = left
        .iter()
        .rev()
        .zip(right.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let tail = tail.min(left.len() - head).min(right.len() - head);
    let (left, right) = (&left[head..left.len() - tail], &right[head..right.len() - tail]);
    match (left, right) {
        ([], []) | ([_], [] | [_]) | ([], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_name_are_one() {
        for name in ["Müller", "Mueller", "MULLER", " muller-"] {
            assert_eq!(fold(name), "muller", "{name}");
        }
        assert_eq!(fold("Weiß"), fold("WEISS"));
        assert_eq!(fold("José-Łukasz O'Neill"), "joselukaszoneill");
    }

    #[test]
    fn what_sounds_alike_has_one_sound() {
        assert_eq!(sound("meier"), sound("maier"));
        assert_eq!(sound("schmidt"), sound("schmitt"));
        assert_eq!(sound("klaus"), sound("claus"));
        assert_ne!(sound("weber"), sound("wagner"));
    }

    #[test]
    fn similarity_is_jaro_winklers() {
        assert!((similarity("martha", "marhta") - 0.9611).abs() < 0.0001);
        assert!((similarity("dixon", "dicksonx") - 0.8133).abs() < 0.0001);
        assert!(similarity("abc", "xyz").abs() < f64::EPSILON);
        assert!(similarity("", "x").abs() < f64::EPSILON);
    }

    #[test]
    fn a_slip_is_one_letter_or_a_swap() {
        for other in ["weber", "wber", "weeber", "webar", "ewber"] {
            assert!(one_slip("weber", other), "{other}");
        }
        for other in ["wagner", "wb", "wbere", "rebew"] {
            assert!(!one_slip("weber", other), "{other}");
        }
    }
}
