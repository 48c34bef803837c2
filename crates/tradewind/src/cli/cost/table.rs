//! The report for people: whose it is, what for, and what is to pay.

use tradewind_model::Timestamp;
use tradewind_observe::cost::{Amount, NOT_COUNTED};

use super::report::{Shown, month, shown};
use super::{By, Report};
use crate::cli::output::{FAINT, STRONG, WARNING};

/// Decimals of each amount but the total.
const DECIMALS: u32 = 4;

/// The tables.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![heading(report), String::new()];
    if report.bill.lines.is_empty() {
        lines.push("Nothing was used that this list has a price for.".to_owned());
        return lines;
    }
    lines.extend(table(&owners(report)));
    lines.push(String::new());
    lines.extend(table(&charges(report)));
    lines
}

fn heading(report: &Report) -> String {
    let list = format!("{}, {}", report.prices.title, report.prices.date);
    let from = report.begins.unwrap_or(report.since);
    let time = format!("{} to {} UTC", minute(from), minute(report.until));
    match report.projected {
        Some(to) => format!(
            "{STRONG}{}{STRONG:#} at the rate of {time}, by the prices of {list}",
            month(to)
        ),
        None => format!("{STRONG}{time}{STRONG:#}, by the prices of {list}"),
    }
}

/// `2026-11-21 20:18`
fn minute(time: Timestamp) -> String {
    let text: String = time.to_rfc3339().chars().take("2026-11-21T20:18".len()).collect();
    text.replace('T', " ")
}

/// A row; the first cell of a table's rows is flush left, as is any that `is_text` says; numbers are flush right.
struct Row {
    cells: Vec<String>,
    style: anstyle::Style,
}

impl Row {
    fn new<const N: usize>(cells: [&str; N], style: anstyle::Style) -> Self {
        Self {
            cells: cells.map(str::to_owned).into(),
            style,
        }
    }
}

fn owners(report: &Report) -> Vec<Row> {
    let plain = anstyle::Style::new();
    let (head, unknown) = match report.by {
        By::Function => (["WHO", "STACK", "BEFORE FREE TIERS"], "(not known)"),
        By::Stack => (["STACK", "", "BEFORE FREE TIERS"], "(no stack)"),
    };
    let mut rows = vec![Row::new(head, FAINT)];
    for shown in shown(report) {
        let name = match short(&shown) {
            name if name.is_empty() => unknown.to_owned(),
            name => name,
        };
        let stack = match report.by {
            By::Function => shown.stack.as_deref().unwrap_or("-"),
            By::Stack => "",
        };
        rows.push(Row::new([&name, stack, &shown.charge.text(DECIMALS)], plain));
    }
    rows
}

/// An ARN as people say it: `lambda shop-dev-cart`, `sqs orders`, `apigateway k3x`.
fn short(shown: &Shown) -> String {
    let mut parts = shown.name.splitn(6, ':').skip(2);
    match (parts.next(), parts.nth(2)) {
        (Some(service), Some(resource)) => {
            let prefixes = [
                "function:",
                "event-bus/",
                "log-group:",
                "/apis/",
                "/restapis/",
                "schedule/",
            ];
            let short = prefixes.iter().find_map(|prefix| resource.strip_prefix(prefix));
            format!("{service} {}", short.unwrap_or(resource))
        }
        _ => shown.name.clone(),
    }
}

fn charges(report: &Report) -> Vec<Row> {
    let bill = &report.bill;
    let plain = anstyle::Style::new();
    let mut rows = vec![Row::new(
        ["WHAT FOR", "QUANTITY", "CHARGE", "FREE TIER", "TO PAY"],
        FAINT,
    )];
    for line in &bill.lines {
        let quantity = format!("{} {}", grouped(&line.quantity), line.unit);
        let amounts = [
            line.charge,
            Amount::default() - line.free,
            line.charge - line.free,
        ];
        let [charge, free, pay] = amounts.map(|amount| amount.text(DECIMALS));
        rows.push(Row::new([&line.title, &quantity, &charge, &free, &pay], plain));
    }
    let [charge, free] = [bill.charge(), Amount::default() - bill.free()].map(|amount| amount.text(DECIMALS));
    let pay = format!("{} USD", bill.total().text(2));
    rows.push(Row::new(["Total", "", &charge, &free, &pay], STRONG));
    rows
}

/// `1,234,567.891`; what is less than one has six decimals.
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: Vec<char> = whole.chars().collect();
    let groups: Vec<String> = digits
        .rchunks(3)
        .rev()
        .map(|group| group.iter().collect())
        .collect();
    let shown = if whole == "0" { 6 } else { 3 };
    let fraction: String = fraction.chars().take(shown).collect();
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}", groups.join(","))
}

/// Texts flush left, numbers flush right.
fn table(rows: &[Row]) -> Vec<String> {
    let columns = rows.first().map_or(0, |row| row.cells.len());
    let width = |column: usize| {
        rows.iter()
            .map(|row| row.cells[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Row| {
        let cells = row.cells.iter().zip(&widths).enumerate();
        let padded = cells.map(|(column, (cell, width))| match is_number(rows, column) {
            true => format!("{cell:>width$}"),
            false => format!("{cell:width$}"),
        });
        let text = padded.collect::<Vec<_>>().join("  ");
        let style = row.style;
        format!("  {style}{}{style:#}", text.trim_end())
    };
    rows.iter().map(line).collect()
}

fn is_number(rows: &[Row], column: usize) -> bool {
    let cell = rows.get(1).and_then(|row| row.cells.get(column));
    column > 0
        && cell
            .is_some_and(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-') && cell.len() > 1)
}

/// What is to be known besides, for standard error.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let named = |(item, quantity): (&&str, &String)| format!("{item} {}", grouped(quantity));
    if !report.bill.unpriced.is_empty() {
        let unpriced: Vec<String> = report.bill.unpriced.iter().map(named).collect();
        notes.push(format!("\nwithout a price in this list: {}", unpriced.join(", ")));
    }
    notes.push(format!("\nnot counted: {}", NOT_COUNTED.join(", ")));
    notes.extend(report.prices.notes.iter().map(|note| format!("prices: {note}")));
    if report.dropped > 0 {
        let dropped = grouped(&report.dropped.to_string());
        notes.push(format!(
            "{WARNING}warning:{WARNING:#} {dropped} invocations are missing: too many ended at once"
        ));
    }
    notes
}
