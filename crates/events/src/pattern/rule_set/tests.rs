use proptest::prelude::*;
use serde_json::json;

use super::super::tests::{event, valid};
use super::*;

fn set(patterns: &[Pattern]) -> RuleSet<usize> {
    let mut rules = RuleSet::new();
    for (number, pattern) in patterns.iter().enumerate() {
        rules.insert(number, pattern.clone());
    }
    rules
}

fn matching(rules: &RuleSet<usize>, event: &Value) -> Vec<usize> {
    let mut found: Vec<usize> = rules.matching(event).into_iter().copied().collect();
    found.sort_unstable();
    let text = event.to_string();
    let mut read: Vec<usize> = rules
        .matching_bytes(text.as_bytes())
        .unwrap()
        .into_iter()
        .copied()
        .collect();
    read.sort_unstable();
    assert_eq!(found, read, "read from its text");
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_finds_what_the_patterns_say(
        patterns in prop::collection::vec(valid().prop_map(|(_, pattern)| pattern), 1..30),
        removed in prop::collection::vec(0_usize..30, 0..10),
        events in prop::collection::vec(event(), 1..10),
    ) {
        let mut rules = set(&patterns);
        for key in &removed {
            rules.remove(key);
        }
        for event in &events {
            let expected: Vec<usize> = (0..patterns.len())
                .filter(|number| !removed.contains(number) && patterns[*number].matches(event))
                .collect();
            prop_assert_eq!(matching(&rules, event), expected, "{}", event);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Enough of one kind that they are sorted in, and overlap.
    #[test]
    fn large_indexes_find_what_the_patterns_say(
        texts in prop::collection::vec("[ab]{0,4}|a{0,12}[ab\u{0}]{0,3}", 70..200),
        ranges in prop::collection::vec((-20_i32..20, 1_i32..20), 70..200),
        stars in prop::collection::vec("[ab]{0,2}[*][ab]{0,4}[*][ab]{0,2}", 70..200),
        asked in "[ab]{0,8}|a{0,12}[ab\u{0}]{0,8}",
        number in -25_i32..45,
    ) {
        let stars = stars.iter().filter(|text| !text.contains("**"));
        let alternatives = texts.iter().flat_map(|text| [
            json!({"prefix": text}), json!({"suffix": text}), json!({"equals-ignore-case": text}),
            json!({"suffix": {"equals-ignore-case": text}}),
        ]);
        let alternatives = alternatives
            .chain(ranges.iter().map(|(low, width)| json!({"numeric": [">", low, "<=", low + width]})))
            .chain(stars.map(|text| json!({"wildcard": text})));
        let patterns: Vec<Pattern> = alternatives
            .map(|alternative| Pattern::parse(&json!({"x": [alternative]}).to_string()).unwrap())
            .collect();
        let rules = set(&patterns);
        for event in [json!({"x": asked}), json!({"x": number}), json!({"x": [asked, number]})] {
            let expected: Vec<usize> =
                (0..patterns.len()).filter(|number| patterns[*number].matches(&event)).collect();
            prop_assert_eq!(matching(&rules, &event), expected);
        }
    }
}

fn exact(number: usize) -> Pattern {
    Pattern::parse(&json!({"source": ["shop"], "detail": {"id": [number]}}).to_string()).unwrap()
}

#[test]
fn a_rule_can_be_replaced() {
    let mut rules = set(&[exact(1), exact(2)]);
    rules.insert(0, exact(3));
    assert_eq!(rules.len(), 2);
    assert!(matching(&rules, &json!({"source": "shop", "detail": {"id": 1}})).is_empty());
    assert_eq!(
        matching(&rules, &json!({"source": "shop", "detail": {"id": 3}})),
        [0]
    );
    assert!(rules.remove(&0) && !rules.remove(&0));
    assert!(matching(&rules, &json!({"source": "shop", "detail": {"id": 3}})).is_empty());
}

#[test]
fn what_was_removed_does_not_pile_up() {
    let mut rules = RuleSet::new();
    for round in 0..50 {
        for number in 0..100 {
            rules.insert(number, exact(round * 100 + number));
        }
    }
    assert_eq!(
        matching(&rules, &json!({"source": "shop", "detail": {"id": 4907}})),
        [7]
    );
    assert!(rules.index.states.len() < 500, "{}", rules.index.states.len());
}

/// States entered, as a measure that no machine's load changes.
#[test]
fn an_event_does_not_meet_the_rules_it_has_nothing_to_do_with() {
    let pattern = |number: usize| {
        let text = json!({
            "source": ["shop"],
            "detail-type": [format!("type {}", number % 10)],
            "detail": {"customer": [format!("c{number}")], "total": [{"numeric": [">", number % 7]}]},
        });
        Pattern::parse(&text.to_string()).unwrap()
    };
    let rules = set(&(0..2000).map(pattern).collect::<Vec<_>>());
    let event = json!({"source": "shop", "detail-type": "type 7", "detail": {"customer": "c7", "total": 5}});
    assert_eq!(matching(&rules, &event), [7]);
    let flat = Event::of(&event, &rules.index.paths);
    let mut reached = Vec::new();
    rules.index.states[0].next.follow(&flat, &mut reached);
    assert_eq!(reached.len(), 1, "one state follows the first");
}

#[test]
fn what_is_no_json_is_said() {
    let rules = set(&[exact(1)]);
    assert!(rules.matching_bytes(b"{\"source\": ").is_err());
    assert!(rules.matching_bytes(b"{} x").is_err());
}
