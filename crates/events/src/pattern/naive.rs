//! What a pattern means, without any thought for speed: the judge of the property tests.
//!
//! An event is a list of leaves, each with the elements of arrays that it lies in. A conjunction matches if
//! for each of its fields a leaf can be chosen such that no two lie in different elements of one array, and
//! none is left, that would go with those, where none may be.

use serde_json::Value;

/// Whether the (valid) pattern matches, by trying all combinations.
pub(super) fn matches(pattern: &Value, event: &Value) -> bool {
    let mut leaves = Vec::new();
    flatten(event, &mut Vec::new(), &mut Vec::new(), &mut leaves);
    conjunctions(pattern, &[])
        .iter()
        .any(|fields| choose(fields, &[], &leaves))
}

type Path = Vec<String>;
/// The arrays on the way to a leaf, by their addresses, and the element of each.
type Elements = Vec<(usize, usize)>;

#[derive(Clone, Debug)]
struct Leaf {
    path: Path,
    elements: Elements,
    value: Value,
}

#[derive(Clone, Debug)]
struct Field {
    path: Path,
    alternatives: Vec<Value>,
}

fn flatten(value: &Value, path: &mut Path, elements: &mut Elements, leaves: &mut Vec<Leaf>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                path.push(name.clone());
                flatten(value, path, elements, leaves);
                path.pop();
            }
        }
        Value::Array(values) => {
            let array = std::ptr::from_ref(values).addr();
            for (index, value) in values.iter().enumerate() {
                elements.push((array, index));
                flatten(value, path, elements, leaves);
                elements.pop();
            }
        }
        leaf => leaves.push(Leaf {
            path: path.clone(),
            elements: elements.clone(),
            value: leaf.clone(),
        }),
    }
}

fn conjunctions(pattern: &Value, path: &[String]) -> Vec<Vec<Field>> {
    let mut all = vec![Vec::new()];
    for (name, value) in pattern.as_object().unwrap() {
        let path: Path = path.iter().chain([name]).cloned().collect();
        let choices = match value {
            Value::Array(branches) if name == "$or" => {
                let parent = &path[..path.len() - 1];
                branches
                    .iter()
                    .flat_map(|branch| conjunctions(branch, parent))
                    .collect()
            }
            Value::Array(alternatives) => vec![vec![Field {
                path,
                alternatives: alternatives.clone(),
            }]],
            object => conjunctions(object, &path),
        };
        let join = |so_far: &Vec<Field>| {
            let join = |choice: &Vec<Field>| [&**so_far, choice].concat();
            choices.iter().map(join).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(join).collect();
    }
    all
}

/// Chosen so far: a leaf for each of the first fields, or none.
fn choose(fields: &[Field], chosen: &[Option<Leaf>], leaves: &[Leaf]) -> bool {
    let Some(field) = fields.get(chosen.len()) else {
        return absences_hold(fields, chosen, leaves);
    };
    let next = |leaf: Option<Leaf>| {
        let chosen: Vec<Option<Leaf>> = chosen.iter().cloned().chain([leaf]).collect();
        choose(fields, &chosen, leaves)
    };
    let fits = |leaf: &&Leaf| {
        leaf.path == field.path
            && chosen.iter().flatten().all(|other| together(leaf, other))
            && field
                .alternatives
                .iter()
                .any(|alternative| is(alternative, &leaf.value))
    };
    let absent = field
        .alternatives
        .iter()
        .any(|alternative| *alternative == serde_json::json!({"exists": false}));
    leaves.iter().filter(fits).any(|leaf| next(Some(leaf.clone()))) || (absent && next(None))
}

fn absences_hold(fields: &[Field], chosen: &[Option<Leaf>], leaves: &[Leaf]) -> bool {
    let goes_with_all = |leaf: &Leaf| chosen.iter().flatten().all(|other| together(leaf, other));
    fields
        .iter()
        .zip(chosen)
        .filter(|(_, leaf)| leaf.is_none())
        .all(|(field, _)| {
            !leaves
                .iter()
                .any(|leaf| leaf.path == field.path && goes_with_all(leaf))
        })
}

fn together(one: &Leaf, other: &Leaf) -> bool {
    let differ = |(array, index): &(usize, usize)| {
        other
            .elements
            .iter()
            .any(|(other, at)| other == array && at != index)
    };
    !one.elements.iter().any(differ)
}

fn is(alternative: &Value, value: &Value) -> bool {
    let Value::Object(expression) = alternative else {
        return same(alternative, value);
    };
    let (operator, operand) = expression.iter().next().unwrap();
    let lower = |value: &Value| value.as_str().map(str::to_lowercase);
    let text = value.as_str();
    match (operator.as_str(), operand) {
        ("exactly", operand) => operand == value,
        ("prefix", Value::Object(o)) => text.is_some_and(|text| {
            text.to_lowercase()
                .starts_with(&lower(&o["equals-ignore-case"]).unwrap())
        }),
        ("suffix", Value::Object(o)) => text.is_some_and(|text| {
            text.to_lowercase()
                .ends_with(&lower(&o["equals-ignore-case"]).unwrap())
        }),
        ("prefix", operand) => text.is_some_and(|text| text.starts_with(operand.as_str().unwrap())),
        ("suffix", operand) => text.is_some_and(|text| text.ends_with(operand.as_str().unwrap())),
        ("equals-ignore-case", operand) => text.is_some() && lower(value) == lower(operand),
        ("exists", operand) => *operand == Value::Bool(true),
        ("wildcard", operand) => text.is_some_and(|text| wildcard(operand.as_str().unwrap(), text)),
        ("cidr", operand) => text.is_some_and(|text| cidr(operand.as_str().unwrap(), text)),
        ("numeric", Value::Array(terms)) => value.as_f64().is_some_and(|number| numeric(terms, number)),
        ("anything-but", Value::Array(these)) => !these.iter().any(|this| same(this, value)),
        ("anything-but", Value::Object(inner)) => {
            let (operator, operand) = inner.iter().next().unwrap();
            let operands = operand
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![operand.clone()]);
            !operands
                .iter()
                .any(|operand| is(&serde_json::json!({operator: operand}), value))
        }
        ("anything-but", operand) => !same(operand, value),
        (other, _) => panic!("the judge does not know {other}"),
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

fn wildcard(pattern: &str, text: &str) -> bool {
    match pattern.split_at_checked(1) {
        None => text.is_empty(),
        Some(("*", rest)) => {
            (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| wildcard(rest, text)))
        }
        Some((one, rest)) => text.strip_prefix(one).is_some_and(|text| wildcard(rest, text)),
    }
}

/// Of blocks of whole octets.
fn cidr(block: &str, text: &str) -> bool {
    let (address, bits) = block.split_once('/').unwrap();
    let octets = bits.parse::<usize>().unwrap() / 8;
    let is_address = text.parse::<std::net::Ipv4Addr>().is_ok();
    is_address
        && address
            .split('.')
            .zip(text.split('.'))
            .take(octets)
            .all(|(one, other)| one == other)
}

fn numeric(terms: &[Value], number: f64) -> bool {
    terms.chunks(2).all(|pair| {
        let bound = pair[1].as_f64().unwrap();
        match pair[0].as_str().unwrap() {
            "=" => number.total_cmp(&bound).is_eq(),
            "<" => number < bound,
            "<=" => number <= bound,
            ">" => number > bound,
            _ => number >= bound,
        }
    })
}
