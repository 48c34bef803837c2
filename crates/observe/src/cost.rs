//! What usage costs by a cloud's price list.
//!
//! A [`PriceList`] is a dated file with its sources: lines, each with what it charges for, tiers and a free tier. A
//! [`Bill`] charges months of [usage](crate::usage) by one.
//!
//! # Invariants
//! - No sum is a floating-point number. A line's charge is exact until it is rounded once, to ten decimals of a
//!   dollar; what owners are shown sums to it; the total is rounded to cents where it is shown.
//! - Free tiers and tiers are those of a calendar month (UTC). What part of a month costs is what the month cost up to
//!   its end, less what it cost up to its start.
//! - What was used and has no price in the list is named ([`Bill::unpriced`]), and so is what is never counted
//!   ([`NOT_COUNTED`]).

mod bill;
mod calendar;
mod decimal;
mod measure;
mod prices;
#[cfg(test)]
mod tests;

pub use self::bill::{Bill, BillLine, Month, OwnerCharge, Projection};
pub use self::calendar::{MonthPart, month_of, months_of};
pub use self::decimal::{Amount, InvalidDecimal};
pub use self::measure::{Architecture, Measure, NOT_COUNTED, UsedBy};
pub use self::prices::{BUILT_IN, InvalidPriceList, PriceList};
