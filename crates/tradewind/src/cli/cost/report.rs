//! The report as JSON; money is text with all its decimals.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tradewind_model::Timestamp;
use tradewind_observe::cost::{Amount, NOT_COUNTED, OwnerCharge};

use super::{By, Report};

/// One whom the report shows: a function or another resource, or a stack.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The ARN, or the stack; empty where it is not known.
    pub(super) name: String,
    pub(super) stack: Option<String>,
    /// By the id of the line.
    pub(super) lines: Vec<(String, String, Amount)>,
    pub(super) charge: Amount,
}

/// Whom the report shows, dearest first.
pub(super) fn shown(report: &Report) -> Vec<Shown> {
    let owners = &report.bill.owners;
    match report.by {
        By::Function => owners.iter().map(of_owner).collect(),
        By::Stack => by_stack(owners),
    }
}

fn of_owner(owner: &OwnerCharge) -> Shown {
    Shown {
        name: owner.resource.clone(),
        stack: owner.stack.clone(),
        lines: owner.lines.clone(),
        charge: owner.charge,
    }
}

fn by_stack(owners: &[OwnerCharge]) -> Vec<Shown> {
    let mut stacks: BTreeMap<Option<&String>, Shown> = BTreeMap::new();
    for owner in owners {
        let stack = stacks.entry(owner.stack.as_ref()).or_insert_with(|| Shown {
            name: owner.stack.clone().unwrap_or_default(),
            stack: owner.stack.clone(),
            ..Shown::default()
        });
        stack.charge = stack.charge + owner.charge;
    }
    let mut stacks: Vec<Shown> = stacks.into_values().collect();
    stacks.sort_by_key(|stack| std::cmp::Reverse(stack.charge));
    stacks
}

/// The JSON object.
pub(super) fn document(report: &Report) -> Value {
    let bill = &report.bill;
    let lines = bill.lines.iter().map(|line| {
        json!({
            "line": line.id,
            "title": line.title,
            "quantity": line.quantity,
            "unit": line.unit,
            "charge": line.charge.to_string(),
            "free": line.free.to_string(),
            "toPay": (line.charge - line.free).to_string(),
        })
    });
    json!({
        "since": report.since.to_rfc3339(),
        "until": report.until.to_rfc3339(),
        "usageBegins": report.begins.map(Timestamp::to_rfc3339),
        "projectedTo": report.projected.map(month),
        "prices": {
            "title": report.prices.title,
            "date": report.prices.date,
            "sources": report.prices.sources,
            "notes": report.prices.notes,
        },
        "currency": "USD",
        "by": match report.by { By::Function => "function", By::Stack => "stack" },
        "owners": shown(report).iter().map(owner).collect::<Vec<_>>(),
        "lines": lines.collect::<Vec<_>>(),
        "charge": bill.charge().to_string(),
        "free": bill.free().to_string(),
        "total": bill.total().to_string(),
        "unpriced": bill.unpriced,
        "notCounted": NOT_COUNTED,
        "droppedRecords": report.dropped,
    })
}

fn owner(shown: &Shown) -> Value {
    let line = |(id, quantity, charge): &(String, String, Amount)| json!({"line": id, "quantity": quantity, "charge": charge.to_string()});
    json!({
        "name": shown.name,
        "stack": shown.stack,
        "charge": shown.charge.to_string(),
        "lines": shown.lines.iter().map(line).collect::<Vec<_>>(),
    })
}

/// `2026-11`
pub(super) fn month(time: Timestamp) -> String {
    time.to_rfc3339().chars().take("2026-11".len()).collect()
}
