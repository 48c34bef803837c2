//! Phone numbers as E.164.

/// Calling codes of the countries the retailer sells to.
const CODES: [(&str, &str); 12] = [
    ("AT", "43"),
    ("BE", "32"),
    ("CH", "41"),
    ("CN", "86"),
    ("DE", "49"),
    ("DK", "45"),
    ("ES", "34"),
    ("FR", "33"),
    ("GB", "44"),
    ("IT", "39"),
    ("NL", "31"),
    ("PL", "48"),
];

/// The number with its calling code, that of `country` where it has none; `None` where it cannot be a number.
///
/// ```
/// # use customer_view_identity::normal::e164;
/// assert_eq!(e164("+49 (0)30 / 123-456", "DE").as_deref(), Some("+4930123456"));
/// assert_eq!(e164("030 123456", "DE").as_deref(), Some("+4930123456"));
/// assert_eq!(e164("0044 20 7946 0000", "DE").as_deref(), Some("+442079460000"));
/// assert_eq!(e164("none", "DE"), None);
/// ```
#[must_use]
pub fn e164(text: &str, country: &str) -> Option<String> {
    let text = text.trim().replace("(0)", "");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let international = if text.starts_with('+') {
        digits
    } else if let Some(rest) = digits.strip_prefix("00") {
        rest.to_owned()
    } else {
        let (_, code) = CODES.iter().find(|(name, _)| *name == country)?;
        format!("{code}{}", digits.strip_prefix('0')?)
    };
    (8..=15)
        .contains(&international.len())
        .then(|| format!("+{international}"))
}
