//! A bill: months of usage by a price list.

use std::collections::BTreeMap;

use super::decimal::{Amount, Decimal, ONE, round};
use super::measure::{Measure, UsedBy};
use super::prices::{Line, PriceList};

/// Usage of one calendar month.
#[derive(Clone, Debug, Default)]
pub struct Month {
    /// From the month's start to that of the time asked for: what has used up free tiers and tiers.
    pub before: Vec<UsedBy>,
    /// In the time asked for.
    pub during: Vec<UsedBy>,
}

/// What a time's usage is scaled to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projection {
    /// The time it was used in, in milliseconds; not 0.
    pub observed_ms: u64,
    /// The time to scale to, in milliseconds.
    pub whole_ms: u64,
}

/// What usage costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// What costs it, in the list's order; lines of which nothing was used are left out.
    pub lines: Vec<BillLine>,
    /// Whose it is, dearest first, before free tiers; they sum to the lines before free tiers.
    pub owners: Vec<OwnerCharge>,
    /// What was used and has no price in the list: its name in price files and how much.
    pub unpriced: BTreeMap<&'static str, String>,
}

/// One line of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillLine {
    /// Its name in the list.
    pub id: String,
    /// What it charges for.
    pub title: String,
    /// What its quantity counts.
    pub unit: String,
    /// How much was used, with six decimals at most, rounded.
    pub quantity: String,
    /// Without a free tier.
    pub charge: Amount,
    /// What the free tier takes off.
    pub free: Amount,
}

/// What one owner costs before free tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerCharge {
    /// The ARN of the resource, empty where it is not known.
    pub resource: String,
    /// Its stack.
    pub stack: Option<String>,
    /// What of: each line's id, its quantity and charge.
    pub lines: Vec<(String, String, Amount)>,
    /// All of them.
    pub charge: Amount,
}

type Owner<'a> = (&'a str, Option<&'a str>);

impl Bill {
    /// Charges months by a list.
    #[must_use]
    pub fn of(prices: &PriceList, months: &[Month]) -> Self {
        let mut bill = Self::default();
        let mut owners = BTreeMap::new();
        let during = || months.iter().flat_map(|month| &month.during);
        let charges = Charges::of_months(prices, months);
        for (at, line) in prices.lines.iter().enumerate() {
            let used = by_owner(line, during());
            let quantity: i128 = used.values().sum();
            if quantity > 0 {
                let charge = charges.charge[at];
                bill.lines.push(BillLine {
                    id: line.id.clone(),
                    title: line.title.clone(),
                    unit: line.unit.clone(),
                    quantity: quantity_text(quantity, line.ticks),
                    charge,
                    free: charges.free[at],
                });
                share(line, &used, (quantity, charge), &mut owners);
            }
        }
        bill.owners = owners.into_values().collect();
        bill.owners
            .sort_by(|a, b| b.charge.cmp(&a.charge).then_with(|| a.resource.cmp(&b.resource)));
        bill.unpriced = unpriced(prices, during());
        bill
    }

    /// Before free tiers.
    #[must_use]
    pub fn charge(&self) -> Amount {
        self.lines.iter().map(|line| line.charge).sum()
    }

    /// What free tiers take off.
    #[must_use]
    pub fn free(&self) -> Amount {
        self.lines.iter().map(|line| line.free).sum()
    }

    /// What is to be paid.
    #[must_use]
    pub fn total(&self) -> Amount {
        self.charge() - self.free()
    }
}

impl Projection {
    /// A whole month at the rate of what was used.
    #[must_use]
    pub fn project(self, used: Vec<UsedBy>) -> Month {
        let scale = |used: UsedBy| {
            let whole = i128::from(used.ticks) * i128::from(self.whole_ms);
            let ticks = round(whole, i128::from(self.observed_ms.max(1)));
            UsedBy {
                ticks: u64::try_from(ticks).unwrap_or(u64::MAX),
                ..used
            }
        };
        Month {
            before: Vec::new(),
            during: used.into_iter().map(scale).collect(),
        }
    }
}

/// What each line of a list charges.
struct Charges {
    charge: Vec<Amount>,
    free: Vec<Amount>,
}

impl Charges {
    fn of_months(prices: &PriceList, months: &[Month]) -> Self {
        let mut all = Self::nothing(prices);
        for month in months {
            let until_start = Self::of_month(prices, || month.before.iter());
            let until_end = Self::of_month(prices, || month.before.iter().chain(&month.during));
            for at in 0..prices.lines.len() {
                all.charge[at] = all.charge[at] + until_end.charge[at] - until_start.charge[at];
                all.free[at] = all.free[at] + until_end.free[at] - until_start.free[at];
            }
        }
        all
    }

    fn nothing(prices: &PriceList) -> Self {
        Self {
            charge: vec![Amount::default(); prices.lines.len()],
            free: vec![Amount::default(); prices.lines.len()],
        }
    }

    /// A month from its start; free tiers go to their lines in the list's order.
    fn of_month<'a, I: Iterator<Item = &'a UsedBy>>(prices: &PriceList, used: impl Fn() -> I) -> Self {
        let mut free: Vec<Option<i128>> = vec![None; prices.free.len()];
        let mut charges = Self::nothing(prices);
        for (at, line) in prices.lines.iter().enumerate() {
            let quantity = by_owner(line, used()).values().sum();
            charges.charge[at] = price_of(line, quantity);
            if let Some(place) = line.free {
                let left = free[place].get_or_insert_with(|| ticks_of(prices.free[place].amount, line));
                let taken = quantity.min(*left);
                *left -= taken;
                charges.free[at] = price_of(line, taken);
            }
        }
        charges
    }
}

fn ticks_of(amount: Decimal, line: &Line) -> i128 {
    amount.0 * line.ticks / ONE
}

/// What the first `quantity` ticks of a month cost.
fn price_of(line: &Line, quantity: i128) -> Amount {
    let mut begin = 0;
    let mut sum = 0;
    for tier in &line.tiers {
        let end = tier.up_to.map_or(quantity, |end| end.min(quantity));
        sum += (end - begin).max(0) * tier.price;
        begin = end.max(begin);
    }
    Amount::rounded(sum, line.ticks)
}

/// The ticks of a line that each owner used.
fn by_owner<'a>(line: &Line, used: impl Iterator<Item = &'a UsedBy>) -> BTreeMap<Owner<'a>, i128> {
    let mut owners = BTreeMap::new();
    for used in used {
        let term = line
            .terms
            .iter()
            .find(|term| term.measure.name == used.measure.name);
        if let Some(term) = term.filter(|_| used.ticks > 0) {
            let owner = (used.resource.as_str(), used.stack.as_deref());
            *owners.entry(owner).or_default() += i128::from(used.ticks) * term.ticks;
        }
    }
    owners
}

/// Divides a line's charge among its owners by what they used. What rounding leaves over, less than a ten-billionth
/// of a dollar for each of them, goes to the first.
fn share<'a>(
    line: &Line,
    used: &BTreeMap<Owner<'a>, i128>,
    (quantity, charge): (i128, Amount),
    owners: &mut BTreeMap<Owner<'a>, OwnerCharge>,
) {
    let mut left = charge.0
        - used
            .values()
            .map(|ticks| part(charge.0, *ticks, quantity))
            .sum::<i128>();
    for (owner, ticks) in used {
        let amount = Amount(part(charge.0, *ticks, quantity) + std::mem::take(&mut left));
        let of_owner = owners.entry(*owner).or_insert_with(|| OwnerCharge {
            resource: owner.0.to_owned(),
            stack: owner.1.map(str::to_owned),
            lines: Vec::new(),
            charge: Amount::default(),
        });
        of_owner.charge = of_owner.charge + amount;
        let quantity = quantity_text(*ticks, line.ticks);
        of_owner.lines.push((line.id.clone(), quantity, amount));
    }
}

/// `of * ticks / quantity`; where that is beyond 38 digits, with fewer of them.
fn part(of: i128, ticks: i128, quantity: i128) -> i128 {
    match of.checked_mul(ticks) {
        Some(product) => product / quantity,
        None => (of >> 40) * (ticks >> 20) / (quantity >> 60).max(1),
    }
}

fn unpriced<'a>(
    prices: &PriceList,
    used: impl Iterator<Item = &'a UsedBy>,
) -> BTreeMap<&'static str, String> {
    let priced = |measure: Measure| {
        let mut terms = prices.lines.iter().flat_map(|line| &line.terms);
        terms.any(|term| term.measure.name == measure.name)
    };
    let functions = prices
        .lines
        .iter()
        .flat_map(|line| &line.terms)
        .any(|term| term.measure.is_of_functions());
    let mut unpriced: BTreeMap<Measure, i128> = BTreeMap::new();
    for used in used {
        let counted_otherwise = used.measure.is_of_functions() && functions;
        if used.ticks > 0 && !priced(used.measure) && !counted_otherwise {
            *unpriced.entry(used.measure).or_default() += i128::from(used.ticks);
        }
    }
    let text = |(measure, ticks): (Measure, i128)| (measure.name, quantity_text(ticks, measure.ticks.into()));
    unpriced.into_iter().map(text).collect()
}

/// `1234.5`: units of what is counted in ticks.
fn quantity_text(quantity: i128, ticks: i128) -> String {
    const MILLION: i128 = 1_000_000;
    let millionths = round(quantity * MILLION, ticks);
    let text = format!("{}.{:06}", millionths / MILLION, millionths % MILLION);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
