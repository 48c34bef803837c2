//! One alternative of a field: what a single value of an event is compared with.

use std::net::IpAddr;

use super::value::{Number, Order, Scalar};

/// Is true of some values. Texts that ignore case are in lower case here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Matcher {
    Exact(Scalar<'static>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    EqualsIgnoreCase(Box<str>),
    PrefixIgnoreCase(Box<str>),
    SuffixIgnoreCase(Box<str>),
    Wildcard(Wildcard),
    Range(Range),
    Cidr(Cidr),
    /// Any value.
    Exists,
    /// No value. A field that has this and others stands in two conjunctions, so it is alone here.
    Absent,
    /// Values that none of these is true of.
    AnythingBut(Vec<Matcher>),
}

impl Matcher {
    pub(crate) fn matches(&self, value: &Scalar<'_>) -> bool {
        let text = |is: &dyn Fn(&str) -> bool| value.text().is_some_and(is);
        match self {
            Self::Exact(exact) => exact == value,
            Self::Prefix(prefix) => text(&|text| text.starts_with(&**prefix)),
            Self::Suffix(suffix) => text(&|text| text.ends_with(&**suffix)),
            Self::EqualsIgnoreCase(lower) => text(&|text| text.to_lowercase() == **lower),
            Self::PrefixIgnoreCase(lower) => text(&|text| text.to_lowercase().starts_with(&**lower)),
            Self::SuffixIgnoreCase(lower) => text(&|text| text.to_lowercase().ends_with(&**lower)),
            Self::Wildcard(wildcard) => text(&|text| wildcard.matches(text)),
            Self::Range(range) => matches!(value, Scalar::Number(number) if range.contains(*number)),
            Self::Cidr(cidr) => text(&|text| cidr.contains(text)),
            Self::Exists => true,
            Self::Absent => false,
            Self::AnythingBut(these) => !these.iter().any(|matcher| matcher.matches(value)),
        }
    }
}

/// Literal pieces with any text between them; the first begins the value and the last ends it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Wildcard {
    pieces: Vec<Box<str>>,
}

impl Wildcard {
    /// Reads `*` as any text, `\*` as a star and `\\` as a backslash.
    ///
    /// # Errors
    /// What AWS says about two stars in a row and about other escapes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut characters = text.char_indices().peekable();
        let mut star_before = false;
        while let Some((at, found)) = characters.next() {
            let last = pieces.len() - 1;
            match found {
                // AWS counts the quote before the value.
                '*' if star_before => return Err(format!("Consecutive wildcard characters at pos {at}")),
                '*' => pieces.push(String::new()),
                '\\' => match characters.next_if(|(_, next)| matches!(next, '*' | '\\')) {
                    Some((_, escaped)) => pieces[last].push(escaped),
                    None => return Err(format!("Invalid escape character at pos {}", at + 1)),
                },
                other => pieces[last].push(other),
            }
            star_before = found == '*';
        }
        Ok(Self {
            pieces: pieces.into_iter().map(Into::into).collect(),
        })
    }

    /// At least one.
    pub(crate) fn pieces(&self) -> &[Box<str>] {
        &self.pieces
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = &*self.pieces else {
            return self.pieces.first().is_some_and(|only| **only == *text);
        };
        let Some(rest) = text.strip_prefix(&**first) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(&**last) else {
            return false;
        };
        // The earliest place of each piece leaves the most for the others.
        for piece in middle {
            match rest.split_once(&**piece) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

/// Numbers from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) low: Order,
    pub(crate) high: Order,
}

impl Range {
    pub(crate) fn contains(self, number: Number) -> bool {
        let order = number.order();
        self.low <= order && order <= self.high
    }
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Cidr {
    pub(crate) block: Block,
}

/// The first bits of addresses of one version, shifted to the left end of 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Block {
    pub(crate) version_6: bool,
    pub(crate) length: u8,
    pub(crate) bits: u128,
}

impl Cidr {
    /// Reads `address/bits`.
    ///
    /// # Errors
    /// What AWS says.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let malformed = || "Malformed CIDR, one '/' required".to_owned();
        let (address, length) = text.split_once('/').ok_or_else(malformed)?;
        if length.contains('/') {
            return Err(malformed());
        }
        let length: i32 = length
            .parse()
            .map_err(|_not_a_number| "Malformed CIDR, mask bits must be an integer".to_owned())?;
        let address: IpAddr = address
            .parse()
            .map_err(|_not_an_address| format!("Nonstandard IP address: {address}"))?;
        let (version, limit) = if address.is_ipv6() { (6, 128) } else { (4, 32) };
        match u8::try_from(length) {
            Err(_) if length < 0 => Err("Malformed CIDR, mask bits must not be negative".to_owned()),
            Ok(length) if length <= limit => Ok(Self {
                block: Block::of(address, length),
            }),
            _ => Err(format!("IPv{version} mask bits must be < {limit}")),
        }
    }

    fn contains(self, text: &str) -> bool {
        let address: Result<IpAddr, _> = text.parse();
        address.is_ok_and(|address| {
            self.block.version_6 == address.is_ipv6() && Block::of(address, self.block.length) == self.block
        })
    }
}

impl Block {
    pub(crate) fn of(address: IpAddr, length: u8) -> Self {
        let bits = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        let rest = 128 - u32::from(length);
        Self {
            version_6: address.is_ipv6(),
            length,
            bits: bits.checked_shr(rest).unwrap_or(0).checked_shl(rest).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_pieces_in_their_order() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*b*", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("ab*bc", "abc", false),
            ("plain", "plain", true),
            (r"\*x\\", r"*x\", true),
            (r"\*x", "ax", false),
            ("*.png", "photo.png", true),
            ("*.png", "photo.jpg", false),
        ] {
            let wildcard = Wildcard::parse(pattern).unwrap();
            assert_eq!(wildcard.matches(text), is, "{pattern} and {text}");
        }
        assert_eq!(
            Wildcard::parse("a**").unwrap_err(),
            "Consecutive wildcard characters at pos 2"
        );
        assert_eq!(
            Wildcard::parse(r"a\b").unwrap_err(),
            "Invalid escape character at pos 2"
        );
    }

    #[test]
    fn blocks_contain_the_addresses_of_their_version() {
        for (block, address, is) in [
            ("10.0.0.0/24", "10.0.0.255", true),
            ("10.0.0.0/24", "10.0.1.0", false),
            ("10.1.2.3/8", "10.200.0.1", true),
            ("10.0.0.1/32", "10.0.0.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:1::5", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "::1", true),
            ("10.0.0.0/24", "somewhere", false),
        ] {
            assert_eq!(
                Cidr::parse(block).unwrap().contains(address),
                is,
                "{block} and {address}"
            );
        }
        for (text, reason) in [
            ("10.0.0.0", "Malformed CIDR, one '/' required"),
            ("10.0.0.0/a", "Malformed CIDR, mask bits must be an integer"),
            ("10.0.0.0/-1", "Malformed CIDR, mask bits must not be negative"),
            ("10.0.0.0/33", "IPv4 mask bits must be < 32"),
            ("::/129", "IPv6 mask bits must be < 128"),
            ("10.0.0/8", "Nonstandard IP address: 10.0.0"),
        ] {
            assert_eq!(Cidr::parse(text).unwrap_err(), reason);
        }
    }
}
