//! Price files: JSON, checked when they are read.

use serde::Deserialize;

use super::decimal::{Decimal, InvalidDecimal, ONE};
use super::measure::Measure;

/// The lists in this binary, by the name they are asked for.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("aws", include_str!("../../prices/aws-us-east-1-2026-05.json")),
    ("alibaba", include_str!("../../prices/alibaba-2024-08-27.json")),
];

/// A cloud's prices at a date.
#[derive(Clone, Debug)]
pub struct PriceList {
    /// `AWS, us-east-1`
    pub title: String,
    /// When the prices were read, `2026-05`.
    pub date: String,
    /// Where.
    pub sources: Vec<String>,
    /// What is to be known about the figures.
    pub notes: Vec<String>,
    pub(super) lines: Vec<Line>,
    pub(super) free: Vec<FreeTier>,
}

/// A price, in tiers.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) unit: String,
    /// What makes its quantity: so many times of each measure.
    pub(super) terms: Vec<Term>,
    /// Ticks of this line in a unit: so many that every term's ticks are whole ones of them.
    pub(super) ticks: i128,
    pub(super) tiers: Vec<Tier>,
    /// Its free tier's place in the list.
    pub(super) free: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) measure: Measure,
    /// Ticks of the line in a tick of the measure.
    pub(super) ticks: i128,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Tier {
    /// Where it ends, in the line's ticks of a month; none for the last.
    pub(super) up_to: Option<i128>,
    /// 10^-12 dollars a unit.
    pub(super) price: i128,
}

/// What costs nothing each month, for one line or more of the same unit.
#[derive(Clone, Debug)]
pub(super) struct FreeTier {
    pub(super) id: String,
    pub(super) amount: Decimal,
}

/// Why a text is no price list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPriceList {
    /// It is not JSON of the right form.
    #[error("it is not a price list: {0}")]
    Form(String),
    /// A number is not one.
    #[error("line `{line}`: {source}")]
    Number {
        /// Where.
        line: String,
        /// What is wrong.
        source: InvalidDecimal,
    },
    /// Something else is wrong with a line.
    #[error("line `{line}`: {reason}")]
    Line {
        /// Where.
        line: String,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenList {
    title: String,
    date: String,
    currency: String,
    sources: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    free: Vec<WrittenFree>,
    lines: Vec<WrittenLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenFree {
    id: String,
    amount: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenLine {
    id: String,
    title: String,
    unit: String,
    of: serde_json::Map<String, serde_json::Value>,
    tiers: Vec<WrittenTier>,
    #[serde(default)]
    free: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenTier {
    #[serde(default)]
    up_to: Option<String>,
    price: String,
}

impl PriceList {
    /// Reads and checks a list.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn parse(text: &str) -> Result<Self, InvalidPriceList> {
        let written: WrittenList =
            serde_json::from_str(text).map_err(|error| InvalidPriceList::Form(error.to_string()))?;
        if written.currency != "USD" {
            return Err(InvalidPriceList::Form("`currency` has to be USD".into()));
        }
        let free = written.free.into_iter().map(free_tier);
        let free: Vec<FreeTier> = free.collect::<Result<_, _>>()?;
        let lines = written.lines.into_iter().map(|line| read_line(line, &free));
        let lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
        check_shared(&lines)?;
        Ok(Self {
            title: written.title,
            date: written.date,
            sources: written.sources,
            notes: written.notes,
            lines,
            free,
        })
    }

    /// The list in this binary of that name.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(text).expect("a test reads every list of this binary"))
    }
}

fn free_tier(written: WrittenFree) -> Result<FreeTier, InvalidPriceList> {
    let amount = decimal(&written.id, &written.amount)?;
    Ok(FreeTier {
        id: written.id,
        amount,
    })
}

fn read_line(written: WrittenLine, free: &[FreeTier]) -> Result<Line, InvalidPriceList> {
    let id = written.id;
    let wrong = |reason: String| InvalidPriceList::Line {
        line: id.clone(),
        reason,
    };
    let mut factors = Vec::new();
    for (name, factor) in &written.of {
        let measure =
            Measure::named(name).ok_or_else(|| wrong(format!("nothing is measured as `{name}`")))?;
        let factor = factor
            .as_str()
            .ok_or_else(|| wrong(format!("`{name}` needs a decimal as text")))?;
        factors.push((measure, decimal(&id, factor)?.0));
    }
    let ticks = factors.iter().fold(1, |ticks, (measure, factor)| {
        let denominator = i128::from(measure.ticks) * ONE;
        least_common_multiple(ticks, denominator / common_divisor(denominator, *factor))
    });
    let terms = factors.iter().map(|(measure, factor)| Term {
        measure: *measure,
        ticks: factor * ticks / (i128::from(measure.ticks) * ONE),
    });
    let place = |name: &String| {
        let place = free.iter().position(|tier| tier.id == *name);
        place.ok_or_else(|| wrong(format!("there is no free tier `{name}`")))
    };
    let of_line = Line {
        title: written.title,
        unit: written.unit,
        terms: terms.collect(),
        ticks,
        tiers: tiers(&id, &written.tiers, ticks)?,
        free: written.free.as_ref().map(place).transpose()?,
        id: id.clone(),
    };
    if of_line.terms.is_empty() {
        return Err(wrong("it charges for nothing".into()));
    }
    Ok(of_line)
}

/// Tiers rise, and the last has no end.
fn tiers(line: &str, written: &[WrittenTier], ticks: i128) -> Result<Vec<Tier>, InvalidPriceList> {
    let tier = |tier: &WrittenTier| {
        let up_to = tier.up_to.as_ref().map(|text| decimal(line, text)).transpose()?;
        Ok(Tier {
            up_to: up_to.map(|limit| limit.0 / ONE * ticks),
            price: decimal(line, &tier.price)?.0,
        })
    };
    let tiers: Vec<Tier> = written.iter().map(tier).collect::<Result<_, _>>()?;
    let ends: Vec<i128> = tiers.iter().filter_map(|tier| tier.up_to).collect();
    let last_is_open = tiers.last().is_some_and(|tier| tier.up_to.is_none());
    if last_is_open && ends.len() + 1 == tiers.len() && ends.is_sorted() {
        return Ok(tiers);
    }
    Err(InvalidPriceList::Line {
        line: line.to_owned(),
        reason: "`upTo` has to rise from tier to tier, and the last tier has none".into(),
    })
}

/// Lines that share a free tier count it in the same ticks.
fn check_shared(lines: &[Line]) -> Result<(), InvalidPriceList> {
    for line in lines {
        let other = lines
            .iter()
            .find(|other| line.free.is_some() && other.free == line.free && other.ticks != line.ticks);
        if let Some(other) = other {
            return Err(InvalidPriceList::Line {
                line: line.id.clone(),
                reason: format!(
                    "it shares a free tier with `{}`, which is measured otherwise",
                    other.id
                ),
            });
        }
    }
    Ok(())
}

fn decimal(line: &str, text: &str) -> Result<Decimal, InvalidPriceList> {
    Decimal::parse(text).map_err(|source| InvalidPriceList::Number {
        line: line.to_owned(),
        source,
    })
}

fn common_divisor(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

fn least_common_multiple(a: i128, b: i128) -> i128 {
    a / common_divisor(a, b) * b
}
