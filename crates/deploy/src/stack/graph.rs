//! Which resource needs which, and an order that respects it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::intrinsics::sub_references;
use super::template::{ResourceDeclaration, TemplateProblem};

/// Positions of the declarations such that each stands behind all that it needs. Among equals
/// the template's own order is kept.
pub(crate) fn creation_order(declarations: &[ResourceDeclaration]) -> Result<Vec<usize>, TemplateProblem> {
    let position: BTreeMap<&str, usize> = declarations
        .iter()
        .enumerate()
        .map(|(i, d)| (d.logical_id.as_str(), i))
        .collect();
    let needs: Vec<BTreeSet<usize>> = declarations
        .iter()
        .map(|d| {
            dependencies(d)
                .iter()
                .filter_map(|id| position.get(id.as_str()).copied())
                .collect()
        })
        .collect();
    let mut order = Vec::with_capacity(declarations.len());
    let mut placed = vec![false; declarations.len()];
    while order.len() < declarations.len() {
        let ready =
            (0..declarations.len()).find(|&i| !placed[i] && needs[i].iter().all(|&need| placed[need]));
        let Some(next) = ready else {
            return Err(circular(declarations, &placed));
        };
        placed[next] = true;
        order.push(next);
    }
    Ok(order)
}

fn circular(declarations: &[ResourceDeclaration], placed: &[bool]) -> TemplateProblem {
    let rest: Vec<&str> = declarations
        .iter()
        .zip(placed)
        .filter(|(_, placed)| !**placed)
        .map(|(d, _)| d.logical_id.as_str())
        .collect();
    TemplateProblem::of_template(format!(
        "Circular dependency between resources: [{}]",
        rest.join(", ")
    ))
}

/// The logical ids (and parameter names) a resource refers to.
pub(crate) fn dependencies(declaration: &ResourceDeclaration) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = declaration.depends_on.iter().cloned().collect();
    for value in declaration.properties.values() {
        collect(value, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(map) => {
            if let Some((function, argument)) = map.iter().next().filter(|_| map.len() == 1) {
                collect_function(function, argument, found);
            }
            map.values().for_each(|item| collect(item, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn collect_function(function: &str, argument: &Value, found: &mut BTreeSet<String>) {
    match (function, argument) {
        ("Ref", Value::String(id)) => drop(found.insert(id.clone())),
        ("Fn::GetAtt", Value::String(text)) => {
            found.extend(text.split('.').next().map(str::to_owned));
        }
        ("Fn::GetAtt", Value::Array(parts)) => {
            found.extend(parts.first().and_then(Value::as_str).map(str::to_owned));
        }
        ("Fn::Sub", Value::String(text)) => found.extend(sub_references(text)),
        ("Fn::Sub", Value::Array(parts)) => {
            found.extend(
                parts
                    .first()
                    .and_then(Value::as_str)
                    .into_iter()
                    .flat_map(sub_references),
            );
        }
        _ => {}
    }
}
