//! One field of a cron expression: a set of small numbers.

use std::ops::RangeInclusive;

/// Numbers from 0 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn contains(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| number < 64 && self.0 >> number & 1 == 1)
    }

    /// In ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = i8> {
        (0..64).filter(move |number| self.contains(*number))
    }

    pub(super) fn add(&mut self, number: u16) {
        self.0 |= 1 << number;
    }
}

/// What a field may hold.
#[derive(Debug)]
pub(super) struct FieldRule {
    /// As the documentation calls it.
    pub(super) name: &'static str,
    pub(super) range: RangeInclusive<u16>,
    /// Whether a range may go over the end, as `FRI-MON` does.
    pub(super) is_cyclic: bool,
    /// Names for the numbers from the start of the range on.
    pub(super) names: &'static [&'static str],
}

impl FieldRule {
    /// A field that is a list of `*`, numbers, ranges and steps.
    pub(super) fn parse(&self, text: &str) -> Result<Vec<u16>, String> {
        let parts = text.split(',').map(|part| self.part(part));
        let parts: Vec<Vec<u16>> = parts.collect::<Result<_, _>>()?;
        Ok(parts.concat())
    }

    /// The same, as a set.
    pub(super) fn numbers(&self, text: &str) -> Result<Numbers, String> {
        let mut numbers = Numbers::default();
        self.parse(text)?
            .into_iter()
            .for_each(|number| numbers.add(number));
        Ok(numbers)
    }

    /// `*`, `5`, `5-9`, `*/5`, `5/5` or `5-9/2`. A range that ends before it starts goes over the end.
    pub(super) fn part(&self, part: &str) -> Result<Vec<u16>, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None if range == "*" => (*self.range.start(), *self.range.end()),
            None if step.is_some() => (self.number(range)?, *self.range.end()),
            None => (self.number(range)?, self.number(range)?),
        };
        if last < first && !self.is_cyclic {
            return Err(format!(
                "`{range}` in the field {} ends before it starts",
                self.name
            ));
        }
        let over_the_end = if last < first {
            self.range.end() - self.range.start() + 1
        } else {
            0
        };
        let unrolled = first..=last + over_the_end;
        let back = |number: u16| {
            if number > *self.range.end() {
                number - over_the_end
            } else {
                number
            }
        };
        Ok(unrolled
            .step_by(usize::from(step.unwrap_or(1)))
            .map(back)
            .collect())
    }

    fn step(&self, text: &str) -> Result<u16, String> {
        let span = self.range.end() - self.range.start() + 1;
        let step = digits(text).filter(|step| (1..=span).contains(step));
        step.ok_or_else(|| format!("`{text}` is not a step in the field {}: 1 to {span}", self.name))
    }

    /// A number or a name.
    pub(super) fn number(&self, text: &str) -> Result<u16, String> {
        let start = *self.range.start();
        let mut named = (start..).zip(self.names);
        let named = named.find(|(_, name)| name.eq_ignore_ascii_case(text));
        let found = named.map(|(number, _)| number).or_else(|| digits(text));
        found.filter(|number| self.range.contains(number)).ok_or_else(|| {
            let end = self.range.end();
            let names = match (self.names.first(), self.names.last()) {
                (Some(first), Some(last)) => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            format!(
                "`{text}` cannot stand in the field {}: it takes {start} to {end}{names}",
                self.name
            )
        })
    }
}

/// A number of digits only.
pub(super) fn digits(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
