//! Money and prices, exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// Decimals of a price or a factor in a price file.
pub(super) const DECIMALS: u32 = 12;
/// What a decimal of one is kept as.
pub(super) const ONE: i128 = 10_i128.pow(DECIMALS);
/// Decimals of an amount of money.
const MONEY_DECIMALS: u32 = 10;

/// Text that is no decimal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a decimal such as \"0.0000002\": digits, at most 12 of them after the point, below 10^14"
)]
pub struct InvalidDecimal(String);

/// A non-negative decimal, in units of 10^-12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(pub(super) i128);

impl Decimal {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidDecimal> {
        let invalid = || InvalidDecimal(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 14 || fraction.len() > DECIMALS as usize {
            return Err(invalid());
        }
        let number = |part: &str| part.parse::<i128>().map_err(|_digits_only| invalid());
        Ok(Self(number(whole)? * ONE + number(&format!("{fraction:0<12}"))?))
    }
}

/// Dollars, in units of 10^-10, as detailed bills have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub(super) i128);

impl Amount {
    /// `numerator / denominator` dollars of 10^-12, rounded half up.
    pub(super) fn rounded(numerator: i128, denominator: i128) -> Self {
        let denominator = denominator * 10_i128.pow(DECIMALS - MONEY_DECIMALS);
        Self(round(numerator, denominator))
    }

    /// With so many decimals (10 at most), rounded half up: `1.03`.
    #[must_use]
    pub fn text(self, decimals: u32) -> String {
        let decimals = decimals.min(MONEY_DECIMALS);
        let rounded = round(self.0.abs(), 10_i128.pow(MONEY_DECIMALS - decimals));
        let one = 10_i128.pow(decimals);
        let sign = if self.0 < 0 && rounded != 0 { "-" } else { "" };
        let width = decimals as usize;
        match decimals {
            0 => format!("{sign}{rounded}"),
            _ => format!("{sign}{}.{:0width$}", rounded / one, rounded % one),
        }
    }
}

/// Divides and rounds half up; both are positive.
pub(super) fn round(numerator: i128, denominator: i128) -> i128 {
    (numerator + denominator / 2).div_euclid(denominator)
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

/// All ten decimals.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(MONEY_DECIMALS))
    }
}
