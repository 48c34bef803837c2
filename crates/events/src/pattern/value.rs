//! The values that patterns compare: the leaves of an event.

use std::borrow::Cow;

use serde_json::Value;

/// A leaf of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
}

impl<'a> Scalar<'a> {
    /// The leaf that `value` is; nothing for objects and arrays.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(is) => Some(Self::Bool(*is)),
            Value::Number(number) => Some(Self::Number(Number::of(number))),
            Value::String(text) => Some(Self::Text(Cow::Borrowed(text))),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The same, and nothing borrowed.
    pub(crate) fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(is) => Scalar::Bool(is),
            Self::Number(number) => Scalar::Number(number),
            Self::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) => None,
        }
    }
}

/// A number. Two are equal if their values are, however they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Number {
    /// A whole number of up to 64 bits, also one written as `1.0` or `1e0`.
    Whole(i128),
    /// Any other, as the key of its order.
    Real(Order),
}

impl Number {
    pub(crate) fn of(number: &serde_json::Number) -> Self {
        match number.as_i128() {
            Some(whole) => Self::Whole(whole),
            None => Self::real(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    pub(crate) fn real(value: f64) -> Self {
        // Beyond 2^64 there are no whole numbers in JSON as it is read here, so they only meet their like.
        if value.fract() == 0.0 && value.abs() < 18_446_744_073_709_551_616.0 {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a whole number of at most 64 bits"
            )]
            return Self::Whole(value as i128);
        }
        Self::Real(Order::of(value))
    }

    /// Its place among all numbers.
    pub(crate) fn order(self) -> Order {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "AWS compares 15 digits, too")]
            Self::Whole(whole) => Order::of(whole as f64),
            Self::Real(order) => order,
        }
    }
}

/// A double as an integer that has the same order, so that the next one is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Order(u64);

impl Order {
    /// Less than all numbers.
    pub(crate) const MIN: Self = Self(0);
    /// More than all numbers.
    pub(crate) const MAX: Self = Self(u64::MAX);

    pub(crate) fn of(value: f64) -> Self {
        let bits = (value + 0.0).to_bits();
        let negative = bits >> 63 == 1;
        Self(if negative { !bits } else { bits | 1 << 63 })
    }

    /// The next larger number.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The next smaller number.
    pub(crate) fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn numbers_are_equal_by_value() {
        for same in ["300.0", "3e2", "3.0e2", "30000e-2"] {
            assert_eq!(number("300"), number(same), "{same}");
        }
        assert_eq!(number("0"), number("-0.0"));
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
        assert_ne!(number("0.1"), number("0.10000001"));
    }

    #[test]
    fn their_order_is_that_of_numbers() {
        let texts = [
            "-1e300",
            "-5",
            "-0.5",
            "0",
            "1e-9",
            "0.5",
            "1",
            "18446744073709551615",
            "1e300",
        ];
        let orders: Vec<Order> = texts.map(|text| number(text).order()).to_vec();
        assert!(orders.is_sorted() && orders.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(Order::MIN < orders[0] && orders[8] < Order::MAX);
    }
}
