//! What is printed for a given usage.

use super::*;

fn at(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(time.as_millisecond())
}

fn kept() -> Kept {
    let kept = serde_json::json!({
        "begins": 1_795_219_200_000_i64,
        "functions": [{
            "function": "arn:aws:lambda:us-east-1:000000000000:function:shop-dev-cart", "version": "$LATEST",
            "stack": "shop-dev", "memoryMib": 1024, "architecture": "x86_64", "invocations": 3_000_000,
            "billedMs": 500_000_000, "billedMibMs": 512_000_000_000_u64, "errors": 1
        }],
        "counts": [
            {"item": "sqs.requests", "resource": "arn:aws:sqs:us-east-1:000000000000:orders", "stack": null,
             "quantity": 2_500_000},
            {"item": "usage.dropped", "resource": "", "stack": null, "quantity": 7},
            {"item": "of.a.newer.node", "resource": "", "stack": null, "quantity": 7},
        ],
    });
    serde_json::from_value(kept).unwrap()
}

fn report_by(by: By, prices: &str) -> Report {
    let month = Month {
        before: Vec::new(),
        during: charged(&kept()),
    };
    let prices = price_list(prices).unwrap();
    Report {
        bill: Bill::of(&prices, &[month]),
        prices,
        since: at("2026-11-01T00:00:00Z"),
        until: at("2026-11-21T20:18:00Z"),
        begins: None,
        projected: None,
        by,
        dropped: 7,
    }
}

fn text(lines: &[String]) -> String {
    anstream::adapter::strip_str(&lines.join("\n")).to_string()
}

#[test]
fn people_see_who_what_and_what_is_to_pay() {
    let report = report_by(By::Function, "aws");
    let expected = "\
2026-11-01 00:00 to 2026-11-21 20:18 UTC, by the prices of AWS, us-east-1, 2026-05

  WHO                   STACK     BEFORE FREE TIERS
  lambda shop-dev-cart  shop-dev             8.9334
  sqs orders            -                    1.0000

  WHAT FOR                           QUANTITY  CHARGE  FREE TIER    TO PAY
  Lambda requests          3,000,000 requests  0.6000    -0.2000    0.4000
  Lambda compute, x86_64         500,000 GB-s  8.3334    -6.6667    1.6667
  SQS requests, per 64 KB  2,500,000 requests  1.0000    -0.4000    0.6000
  Total                                        9.9334    -7.2667  2.67 USD";
    assert_eq!(text(&table::lines(&report)), expected);
    let notes = text(&table::notes(&report));
    assert!(
        notes.contains("not counted: data sent to the internet"),
        "{notes}"
    );
    assert!(notes.contains("7 invocations are missing"), "{notes}");
}

#[test]
fn stacks_are_sums_and_what_has_no_price_is_named() {
    let report = report_by(By::Stack, "alibaba");
    let shown = report::shown(&report);
    assert_eq!(
        shown.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["shop-dev"]
    );
    let notes = text(&table::notes(&report));
    assert!(
        notes.contains("without a price in this list: sqs.requests 2,500,000"),
        "{notes}"
    );
    let report = report_by(By::Stack, "aws");
    assert!(text(&table::lines(&report)).contains("(no stack)"));
    let document = report::document(&report);
    assert_eq!(
        (&document["total"], &document["droppedRecords"]),
        (&"2.6666700000".into(), &7.into())
    );
    assert_eq!(document["owners"][1]["charge"], "1.0000000000");
}

#[test]
fn a_time_is_an_age_a_date_or_a_time() {
    assert_eq!(parse_since("7d"), Ok(Since::Age(7 * 86_400_000)));
    assert_eq!(
        parse_since("2026-11-01"),
        Ok(Since::Time(at("2026-11-01T00:00:00Z")))
    );
    let noon = at("2026-11-01T12:00:00Z");
    assert_eq!(parse_since("2026-11-01T12:00:00Z"), Ok(Since::Time(noon)));
    for wrong in ["", "7", "yesterday", "2026-13-01", "2026-11-01T12:00:00"] {
        assert!(parse_since(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_projection_is_of_the_time_there_is_usage_of() {
    let months = vec![Month {
        before: Vec::new(),
        during: charged(&kept()),
    }];
    let (month, end) = month_of(at("2026-11-21T00:00:00Z"));
    // three days of thirty
    let times = (at("2026-11-18T00:00:00Z"), at("2026-11-21T00:00:00Z"));
    let projected = project(months, times, (month, end));
    let bill = Bill::of(&price_list("aws").unwrap(), &[projected]);
    assert_eq!(bill.lines[0].quantity, "30000000");
}

#[test]
fn a_list_that_is_none_is_refused() {
    let failure = |name: &str| price_list(name).map(drop).unwrap_err().render();
    assert!(failure("azure").contains("`aws` and `alibaba`"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.json");
    std::fs::write(&file, r#"{"title": 1}"#).unwrap();
    assert!(failure(file.to_str().unwrap()).contains("not a price list"));
}
