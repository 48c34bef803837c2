//! What a message is besides its body: attributes, their limits, their MD5, and the form in which
//! they are stored.
//!
//! Limits are those of the SQS developer guide, "Message metadata": ten attributes, names of 256
//! characters, types `String`, `Number` and `Binary` with an optional label.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use crate::error::SqsError;

/// Message attributes by name.
pub(crate) type Attributes = BTreeMap<String, AttributeValue>;

const MAX_ATTRIBUTES: usize = 10;
const MAX_NAME: usize = 256;
const MAX_TYPE: usize = 256;

/// The value of a message attribute, as both protocols write it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AttributeValue {
    /// `String`, `Number` or `Binary`, then perhaps a dot and a label.
    pub(crate) data_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
    #[serde(skip_serializing)]
    string_list_values: Option<Vec<String>>,
    #[serde(skip_serializing)]
    binary_list_values: Option<Vec<String>>,
}

/// What the queue keeps of a message beside its body. Members that are absent are not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The access key or account that sent it.
    #[serde(rename = "s")]
    pub(crate) sender: String,
    /// Message attributes.
    #[serde(rename = "a", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) attributes: Attributes,
    /// `AWSTraceHeader`.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
}

impl Envelope {
    /// The bytes that the queue stores.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, SqsError> {
        serde_json::to_vec(self).map_err(|error| SqsError::Internal(error.to_string()))
    }

    /// What [`Envelope::to_bytes`] wrote. Messages of other services of the node may have nothing here.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, SqsError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes).map_err(|error| SqsError::Internal(error.to_string()))
    }
}

/// The three kinds of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    String,
    Number,
    Binary,
}

/// Checks message attributes.
pub(crate) fn check_attributes(attributes: &Attributes) -> Result<(), SqsError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(SqsError::InvalidParameterValue(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
            attributes.len()
        )));
    }
    attributes.iter().try_for_each(|(name, value)| {
        check_name(name)?;
        value.check("user", name)
    })
}

/// Checks message system attributes, of which senders have one; gives its value.
pub(crate) fn trace_header(attributes: &Attributes) -> Result<Option<String>, SqsError> {
    const TRACE: &str = "AWSTraceHeader";
    if let Some(other) = attributes.keys().find(|name| *name != TRACE) {
        let text = format!(
            "Message system attribute name '{other}' is invalid. The only supported name is {TRACE}."
        );
        return Err(SqsError::InvalidParameterValue(text));
    }
    let Some(value) = attributes.get(TRACE) else {
        return Ok(None);
    };
    value.check("system", TRACE)?;
    if value.data_type.as_deref() != Some("String") {
        let text = format!("The type of message (system) attribute '{TRACE}' is invalid. It must be String.");
        return Err(SqsError::InvalidParameterValue(text));
    }
    Ok(value.string_value.clone())
}

fn check_name(name: &str) -> Result<(), SqsError> {
    let lower = name.to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let reason = if name.is_empty() || name.len() > MAX_NAME {
        "must be 1 to 256 characters long"
    } else if !name.bytes().all(plain) {
        "can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters"
    } else if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        "must not begin or end with a period, nor have two in succession"
    } else if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        "must not begin with AWS. or Amazon."
    } else {
        return Ok(());
    };
    let text = format!("Message (user) attribute name '{name}' is invalid. It {reason}.");
    Err(SqsError::InvalidParameterValue(text))
}

impl AttributeValue {
    /// The value of an attribute that another service sends.
    pub(crate) fn of(data_type: String, value: tradewind_events::AttributeValue) -> Self {
        let (string_value, binary_value) = match value {
            tradewind_events::AttributeValue::Text(text) => (Some(text), None),
            tradewind_events::AttributeValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        Self {
            data_type: Some(data_type),
            string_value,
            binary_value,
            ..Self::default()
        }
    }

    fn kind(&self) -> Option<Kind> {
        let data_type = self.data_type.as_deref()?;
        let (base, label) = data_type.split_once('.').unwrap_or((data_type, "-"));
        if label.is_empty() || data_type.len() > MAX_TYPE {
            return None;
        }
        match base {
            "String" => Some(Kind::String),
            "Number" => Some(Kind::Number),
            "Binary" => Some(Kind::Binary),
            _ => None,
        }
    }

    fn check(&self, whose: &str, name: &str) -> Result<(), SqsError> {
        let invalid = |text: String| Err(SqsError::InvalidParameterValue(text));
        if self.data_type.as_deref().unwrap_or_default().is_empty() {
            return invalid(format!(
                "Message ({whose}) attribute '{name}' must contain a non-empty attribute type."
            ));
        }
        let has_list = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        if has_list(&self.string_list_values) || has_list(&self.binary_list_values) {
            let text = "Message attribute list values in SendMessage operation are not supported.";
            return Err(SqsError::UnsupportedOperation(text.into()));
        }
        let Some(kind) = self.kind() else {
            return invalid(format!(
                "The type of message ({whose}) attribute '{name}' is invalid. You must use only the \
                 following supported type prefixes: Binary, Number, String."
            ));
        };
        let (value, other) = match kind {
            Kind::Binary => (&self.binary_value, &self.string_value),
            Kind::String | Kind::Number => (&self.string_value, &self.binary_value),
        };
        let type_name = self.data_type.as_deref().unwrap_or_default();
        if other.is_some() {
            return invalid(format!(
                "Message ({whose}) attribute '{name}' has a value that is not of its type '{type_name}'."
            ));
        }
        let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else {
            return invalid(format!(
                "Message ({whose}) attribute '{name}' must contain a non-empty value of type '{type_name}'."
            ));
        };
        match kind {
            Kind::String => check_characters(value, &format!("message attribute '{name}'"))
                .map_err(|error| SqsError::InvalidParameterValue(error.to_string())),
            Kind::Number if !is_number(value) => invalid(format!(
                "Can't cast the value of message ({whose}) attribute '{name}' to a number."
            )),
            Kind::Number => Ok(()),
            Kind::Binary => match STANDARD.decode(value) {
                Ok(_) => Ok(()),
                Err(_not_base64) => Err(SqsError::Malformed(format!(
                    "the value of '{name}' is not base64"
                ))),
            },
        }
    }

    /// The value's bytes; those of text that is no base64 are none, as `check` refused them.
    fn bytes(&self) -> Vec<u8> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(text)) => STANDARD.decode(text).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }
}

/// A number of up to 38 digits, as the developer guide has it, in decimal or scientific notation.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let digits = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let plain = digits.replacen('.', "", 1);
    let valid = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit());
    valid && plain.trim_start_matches('0').len() <= 38 && exponent.parse::<i16>().is_ok()
}

/// How much attributes count towards the size of a message: names, types and values.
pub(crate) fn attributes_size(attributes: &Attributes) -> usize {
    let size = |(name, value): (&String, &AttributeValue)| {
        name.len() + value.data_type.as_deref().unwrap_or_default().len() + value.bytes().len()
    };
    attributes.iter().map(size).sum()
}

/// Refuses the characters that XML 1.0 cannot carry.
pub(crate) fn check_characters(text: &str, place: &str) -> Result<(), SqsError> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    let Some(found) = text.chars().find(|c| !allowed(*c)) else {
        return Ok(());
    };
    Err(SqsError::InvalidMessageContents(format!(
        "Invalid binary character '#x{:X}' was found in the {place}, the set of allowed characters is #x9 | \
         #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        u32::from(found)
    )))
}

/// The MD5 of a body, in hexadecimal.
pub(crate) fn md5_of(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// The MD5 of attributes, none for none: by name, each as length and bytes of name and type, a byte
/// for text (1) or binary (2), length and bytes of the value ("Calculating the MD5 message digest
/// for message attributes" in the developer guide).
pub(crate) fn md5_of_attributes<'a>(
    sorted: impl IntoIterator<Item = (&'a str, &'a AttributeValue)>,
) -> Option<String> {
    let mut digest = Md5::new();
    let mut any = false;
    for (name, value) in sorted {
        any = true;
        update(&mut digest, name.as_bytes());
        update(
            &mut digest,
            value.data_type.as_deref().unwrap_or_default().as_bytes(),
        );
        digest.update([if value.string_value.is_some() { 1 } else { 2 }]);
        update(&mut digest, &value.bytes());
    }
    any.then(|| hex(&digest.finalize()))
}

fn update(digest: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a message has at most a mebibyte");
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes all that is written");
            text
        })
}

/// `All`, `*`, names, and prefixes `foo.*` of message attributes.
pub(crate) fn is_selected(name: &str, selection: &[String]) -> bool {
    selection.iter().any(|wanted| match wanted.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => wanted == "All" || wanted == "*" || wanted == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data_type: &str, value: &str) -> AttributeValue {
        AttributeValue {
            data_type: Some(data_type.into()),
            string_value: Some(value.into()),
            ..AttributeValue::default()
        }
    }

    fn binary(value: &[u8]) -> AttributeValue {
        AttributeValue {
            data_type: Some("Binary".into()),
            binary_value: Some(STANDARD.encode(value)),
            ..AttributeValue::default()
        }
    }

    fn md5(attributes: &Attributes) -> Option<String> {
        md5_of_attributes(attributes.iter().map(|(name, value)| (name.as_str(), value)))
    }

    #[test]
    fn digests_are_those_that_sqs_gave() {
        let given = [("General", "Kenobi"), ("Hello", "There"), ("Help.Me", "Me")];
        let three: Attributes = given
            .map(|(name, value)| (name.to_owned(), text("String", value)))
            .into();
        assert_eq!(md5(&three).unwrap(), "4c360f3fdafd970e05fae2f149d997f5");
        let one: Attributes = [("Hello".to_owned(), text("String", "There"))].into();
        assert_eq!(md5(&one).unwrap(), "a311262e065454b75da111d535b8dacd");
        assert_eq!(md5(&Attributes::new()), None);
        assert_eq!(md5_of(b"message-body-1"), "19c9e282d65f9733bc6b35d50062c7ee");
    }

    #[test]
    fn binary_values_are_digested_as_their_bytes() {
        let attributes: Attributes = [("b".to_owned(), binary(&[0, 255]))].into();
        let by_hand = [
            &[0, 0, 0, 1][..],
            b"b",
            &[0, 0, 0, 6],
            b"Binary",
            &[2, 0, 0, 0, 2, 0, 255],
        ]
        .concat();
        assert_eq!(md5(&attributes).unwrap(), md5_of(&by_hand));
    }

    #[test]
    fn wrong_attributes_are_refused_by_name() {
        for (name, value, part) in [
            (
                "ErrorDetails",
                text("String", ""),
                "'ErrorDetails' must contain a non-empty value of type 'String'",
            ),
            ("a b", text("String", "x"), "attribute name 'a b' is invalid"),
            ("aws.x", text("String", "x"), "must not begin with AWS."),
            (".x", text("String", "x"), "period"),
            ("x..y", text("String", "x"), "period"),
            ("x", text("Strin", "x"), "supported type prefixes"),
            ("x", text("String.", "x"), "supported type prefixes"),
            ("x", text("", "x"), "non-empty attribute type"),
            ("x", text("Number", "1x"), "to a number"),
            ("x", text("Number", &"9".repeat(39)), "to a number"),
            ("x", text("Binary", "x"), "not of its type"),
            ("x", text("String", "\u{1}"), "#x1"),
        ] {
            let error = check_attributes(&[(name.to_owned(), value)].into()).unwrap_err();
            assert!(matches!(error, SqsError::InvalidParameterValue(_)), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
        let many = (0..11).map(|n| (n.to_string(), text("String", "x"))).collect();
        assert!(check_attributes(&many).unwrap_err().to_string().contains("[11]"));
    }

    #[test]
    fn right_attributes_pass() {
        let given = [
            ("plain", text("String", "x")),
            ("labelled", text("String.url", "x")),
            ("number", text("Number.int", "-12.5e3")),
            ("binary", binary(b"\0")),
        ];
        check_attributes(&given.map(|(name, value)| (name.to_owned(), value)).into()).unwrap();
    }

    #[test]
    fn bodies_have_the_characters_of_xml() {
        check_characters("läuft\t\r\n✓ \u{1F600}", "message body").unwrap();
        for bad in ["\0", "\u{B}", "\u{FFFF}"] {
            assert!(check_characters(bad, "message body").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_and_prefixes_select() {
        let wanted = |selection: &[&str]| {
            let selection: Vec<String> = selection.iter().map(ToString::to_string).collect();
            ["General", "Hello", "Help.Me"].map(|name| is_selected(name, &selection))
        };
        assert_eq!(wanted(&[]), [false; 3]);
        assert_eq!(wanted(&["All"]), [true; 3]);
        assert_eq!(wanted(&[".*"]), [true; 3]);
        assert_eq!(wanted(&["*"]), [true; 3]);
        assert_eq!(wanted(&["Hel.*"]), [false, true, true]);
        assert_eq!(wanted(&["Hello", "x"]), [false, true, false]);
    }

    #[test]
    fn envelopes_read_back() {
        let envelope = Envelope {
            sender: "AKIA".into(),
            attributes: [("a".to_owned(), binary(b"x"))].into(),
            trace: Some("Root=1".into()),
        };
        assert_eq!(
            Envelope::from_bytes(&envelope.to_bytes().unwrap()).unwrap(),
            envelope
        );
        assert_eq!(Envelope::from_bytes(b"").unwrap(), Envelope::default());
    }
}
