//! Everyone resolved in memory, compared with the truth.

use std::collections::HashMap;

use customer_view_generator::Retailer;
use customer_view_generator::score::score;
use customer_view_identity::normal::normal;
use customer_view_identity::{Event, People};

/// A debug build takes a part of the people; `customer-view resolve --people 100000` takes all, and measures.
const PEOPLE: usize = if cfg!(debug_assertions) { 4_000 } else { 100_000 };

#[test]
fn the_view_is_right_about_almost_everyone() {
    let retailer = Retailer::new(1, PEOPLE);
    let mut people = People::new();
    for record in retailer.records() {
        let normal = normal(record.schema, &record.part).expect("the generator writes schemas there are");
        let event = Event {
            at: record.at,
            id: record.event,
        };
        people.hear(record.source, &record.account, &event, &normal);
    }
    let truth = retailer
        .truth()
        .into_iter()
        .map(|(source, account, person)| (format!("{source}/{account}"), person));
    let truth: Vec<(String, usize)> = truth.collect();
    let view = people
        .view()
        .map(|(source, account, person)| (format!("{source}/{account}"), person));
    let view: HashMap<String, usize> = view.collect();
    let score = score(&truth, &view);
    assert_eq!(score.known, score.accounts);
    assert!(score.precision >= 0.99, "{score:#?}");
    assert!(score.recall >= 0.95, "{score:#?}");
}
