//! Bills against sums made by hand.

use tradewind_model::{Clock, Timestamp};
use tradewind_store::Database;

use super::*;
use crate::usage::{
    Ledger, LedgerConfig, MIGRATIONS, Meter, Metered, Owner, UsageRecord, UsageSink, UsageStatus,
    UsageTotals, Used,
};

fn prices(name: &str) -> PriceList {
    PriceList::built_in(name).unwrap()
}

fn function(name: &str, invocations: u64, billed_ms: u64, memory_mib: u32) -> Used {
    Used {
        owner: Owner {
            resource: format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
            stack: Some("shop".into()),
        },
        item: "lambda".into(),
        version: "$LATEST".into(),
        memory_mib,
        totals: UsageTotals {
            invocations,
            billed_ms,
            billed_mib_ms: billed_ms * u64::from(memory_mib),
            ..UsageTotals::default()
        },
        quantity: 0,
    }
}

fn counted(item: Metered, resource: &str, quantity: u64) -> Used {
    Used {
        owner: Owner {
            resource: resource.into(),
            stack: None,
        },
        item: item.as_str().into(),
        version: String::new(),
        memory_mib: 0,
        totals: UsageTotals::default(),
        quantity,
    }
}

fn charged(used: &[Used]) -> Vec<UsedBy> {
    used.iter()
        .flat_map(|used| UsedBy::of(used, Architecture::X86))
        .collect()
}

fn bill(list: &str, used: &[Used]) -> Bill {
    let month = Month {
        before: Vec::new(),
        during: charged(used),
    };
    Bill::of(&prices(list), &[month])
}

#[test]
fn every_list_of_the_binary_is_sound() {
    for (name, _) in BUILT_IN {
        let list = PriceList::built_in(name).unwrap();
        assert!(!list.sources.is_empty() && !list.date.is_empty(), "{name}");
    }
}

/// 1 M calls of 100 ms at 512 MB. AWS: 50,000 GB-s of $0.0000166667 = $0.833335, and $0.20. Function Compute:
/// 7,500 CU for calls, 100,000 s of 0.35 vCPU = 35,000 CU, 50,000 GB-s of 0.15 = 7,500 CU: 50,000 CU of $0.00002.
#[test]
fn a_million_calls_cost_what_a_pencil_says() {
    let used = [function("cart", 1_000_000, 100_000_000, 512)];
    let aws = bill("aws", &used);
    assert_eq!(aws.charge().text(6), "1.033335");
    assert_eq!(aws.lines[1].quantity, "50000");
    // all of it is free on AWS
    assert_eq!(aws.total().text(2), "0.00");
    let alibaba = bill("alibaba", &used);
    assert_eq!(
        (alibaba.total().text(2), &*alibaba.lines[0].quantity),
        ("1.00".into(), "50000")
    );
}

#[test]
fn the_free_tier_is_what_it_takes_off() {
    // 3 M requests: $0.60, of which $0.20 free; 500,000 GB-s: $8.33335, of which 400,000 GB-s = $6.66668 free
    let aws = bill("aws", &[function("cart", 3_000_000, 500_000_000, 1_024)]);
    let [requests, compute] = &aws.lines[..] else {
        panic!("{aws:?}")
    };
    assert_eq!(
        (requests.charge.text(2), requests.free.text(2)),
        ("0.60".into(), "0.20".into())
    );
    assert_eq!(
        (compute.charge.text(5), compute.free.text(5)),
        ("8.33335".into(), "6.66668".into())
    );
    assert_eq!(aws.total().text(5), "2.06667");
}

#[test]
fn a_free_tier_is_shared_by_both_architectures() {
    let x86 = UsedBy::of(&function("a", 1, 300_000_000, 1_024), Architecture::X86);
    let arm = UsedBy::of(&function("b", 1, 300_000_000, 1_024), Architecture::Arm);
    let month = Month {
        before: Vec::new(),
        during: [x86, arm].concat(),
    };
    let bill = Bill::of(&prices("aws"), &[month]);
    // 300,000 GB-s of x86 free, then 100,000 of arm
    assert_eq!(bill.lines[1].free, bill.lines[1].charge);
    assert_eq!(bill.lines[2].free.text(5), "1.33334");
    assert_eq!(bill.lines[2].charge.text(5), "4.00002");
}

#[test]
fn tiers_are_climbed() {
    // 400 M requests of HTTP APIs: 300 M of $1.00, 100 M of $0.90
    let aws = bill("aws", &[counted(Metered::HttpApiRequests, "a", 400_000_000)]);
    assert_eq!(aws.total().text(2), "390.00");
    // 600 M CU: 100 M of 20, 400 M of 17, 100 M of 14 dollars a million
    let calls = 80_000_000_000;
    let alibaba = bill("alibaba", &[function("cart", calls, 0, 512)]);
    assert_eq!(alibaba.lines[0].quantity, "600000000");
    assert_eq!(alibaba.total().text(2), "10200.00");
}

#[test]
fn a_part_of_a_month_costs_what_it_adds_to_the_month() {
    let list = prices("aws");
    let part = |requests| charged(&[function("cart", requests, 0, 128)]);
    let months = |before, during| {
        let (before, during) = (part(before), part(during));
        Bill::of(&list, &[Month { before, during }])
    };
    // of the second 800,000 the first 200,000 are free
    assert_eq!(months(800_000, 800_000).total().text(2), "0.12");
    assert_eq!(months(800_000, 800_000).charge().text(2), "0.16");
    assert_eq!(months(2_000_000, 800_000).free().text(2), "0.00");
    // each month has its own free tier
    let two = Bill::of(
        &list,
        &[
            Month {
                before: Vec::new(),
                during: part(1_500_000),
            },
            Month {
                before: Vec::new(),
                during: part(1_500_000),
            },
        ],
    );
    assert_eq!(two.total().text(2), "0.20");
}

#[test]
fn owners_sum_to_the_lines() {
    let used: Vec<Used> = (1..=7)
        .map(|n| {
            function(
                &format!("f{n}"),
                n * 12_347,
                n * 7_919,
                128 + u32::try_from(n).unwrap(),
            )
        })
        .chain([counted(Metered::S3Writes, "arn:aws:s3:::photos", 11)])
        .collect();
    for list in ["aws", "alibaba"] {
        let bill = bill(list, &used);
        let owners: Amount = bill.owners.iter().map(|owner| owner.charge).sum();
        assert_eq!(owners, bill.charge(), "{list}");
        assert!(bill.owners.is_sorted_by(|a, b| a.charge >= b.charge));
        let lines: Amount = bill.owners[0].lines.iter().map(|(.., amount)| *amount).sum();
        assert_eq!(lines, bill.owners[0].charge);
    }
}

#[test]
fn what_has_no_price_is_named() {
    let used = [
        function("cart", 1, 1, 512),
        counted(Metered::SqsRequests, "q", 7),
        counted(Metered::SqsRequests, "r", 5),
    ];
    assert_eq!(
        bill("alibaba", &used).unpriced.into_iter().collect::<Vec<_>>(),
        [("sqs.requests", "12".to_owned())]
    );
    assert!(bill("aws", &used).unpriced.is_empty());
}

#[test]
fn an_hour_is_projected_to_a_month() {
    let projection = Projection {
        observed_ms: 3_600_000,
        whole_ms: 30 * 86_400_000,
    };
    let month = projection.project(charged(&[counted(Metered::RestApiRequests, "api", 1_000)]));
    let bill = Bill::of(&prices("aws"), &[month]);
    assert_eq!(
        (&*bill.lines[0].quantity, bill.total().text(2)),
        ("720000", "2.52".into())
    );
}

#[test]
fn sums_are_exact_and_rounded_once() {
    // 0.1 + 0.2, a million times
    let ten = |n: i128| Amount::rounded(n * 100_000_000_000, 1);
    let sum: Amount = (0..1_000_000).map(|_| ten(1) + ten(2)).sum();
    assert_eq!(sum.to_string(), "300000.0000000000");
    let texts: Vec<String> = [(4_i128, 1000_i128), (5, 1000), (15, 1000), (996, 1000)]
        .iter()
        .map(|(n, d)| Amount::rounded(n * 1_000_000_000_000, *d).text(2))
        .collect();
    assert_eq!(texts, ["0.00", "0.01", "0.02", "1.00"]);
    assert_eq!((Amount::default() - ten(1)).text(2), "-0.10");
}

#[test]
fn a_wrong_list_is_refused_with_the_place() {
    let list = |line: &str| {
        let text = format!(
            r#"{{"title": "T", "date": "2026", "currency": "USD", "sources": [],
                "free": [{{"id": "f", "amount": "1"}}], "lines": [{line}]}}"#
        );
        PriceList::parse(&text)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let line = |of: &str, tiers: &str, rest: &str| {
        list(&format!(
            r#"{{"id": "x", "title": "X", "unit": "u", "of": {of}, "tiers": {tiers}{rest}}}"#
        ))
    };
    let (of, tiers) = (r#"{"sqs.requests": "1"}"#, r#"[{"price": "1"}]"#);
    assert_eq!(line(of, tiers, ""), Ok(()));
    for (answer, part) in [
        (line(r#"{"sqs.reqests": "1"}"#, tiers, ""), "`sqs.reqests`"),
        (line(r#"{"sqs.requests": 1}"#, tiers, ""), "decimal as text"),
        (line("{}", tiers, ""), "charges for nothing"),
        (line(of, "[]", ""), "tier"),
        (line(of, r#"[{"price": "1,5"}]"#, ""), "`1,5`"),
        (line(of, r#"[{"price": "-1"}]"#, ""), "`-1`"),
        (line(of, r#"[{"upTo": "5", "price": "1"}]"#, ""), "last tier"),
        (line(of, tiers, r#", "free": "g""#), "free tier `g`"),
        (line(of, tiers, r#", "color": "g""#), "color"),
        (
            PriceList::parse("[]")
                .map(drop)
                .map_err(|error| error.to_string()),
            "price list",
        ),
    ] {
        let message = answer.unwrap_err();
        assert!(message.contains(part), "{message}");
    }
}

/// A month of a mid-size retailer's customer view at speed, through the ledger.
///
/// 2 million events come from Kafka in batches of 100 and go through four functions: 80,000 invocations of 400 ms at
/// 512 MB, 32,000 s, 16,000 GB-s. Each batch of the first three goes on by a bus, 100 KB, two units: 120,000 units.
/// Every event is merged into one object: 2 million reads and as many writes. 40,000 reads of an HTTP API, each a
/// function of 20 ms at 256 MB, 200 GB-s, and one object read. 500 requests: 5 systems each, 2,500 invocations of
/// 1,000 ms at 256 MB, 625 GB-s, 500 publishes, 2,500 messages sent, received and deleted, 7,500 requests to a queue,
/// and 5,000 objects written.
///
/// AWS, before free tiers: 122,500 requests $0.0245; 16,825 GB-s $0.2804172275; HTTP API $0.04; SQS $0.003;
/// SNS $0.00025; bus $0.12; S3 writes 2,005,000 of $0.000005 = $10.025; S3 reads 2,040,000 of $0.0000004 = $0.816.
/// $11.3091672275; Lambda's, SQS's and SNS's parts are free: $11.001.
///
/// Function Compute: calls 122,500 × 0.0075 = 918.75 CU; vCPU: 32,000 s × 0.35 = 11,200, (800 s + 2,500 s) × 0.2 =
/// 660; memory 16,825 × 0.15 = 2,523.75: 15,302.5 CU of $0.00002 = $0.30605.
#[tokio::test]
async fn a_month_of_the_customer_view_costs_what_a_pencil_says() {
    let month = Timestamp::from_millis(1_793_491_200_000); // 2026-11-01T00:00:00Z
    let clock = Clock::manual(month);
    let (usage, meter) = (UsageSink::default(), Meter::default());
    let ledger = Ledger::open(LedgerConfig {
        database: Database::in_memory_for_tests(&[MIGRATIONS]),
        clock: clock.clone(),
        usage: usage.clone(),
        meter: meter.clone(),
        stacks_of: std::sync::Arc::new(|resources: Vec<String>| {
            let owned = resources.into_iter();
            let owners = owned
                .map(|resource| (resource, "customer-view".to_owned()))
                .collect();
            Box::pin(async move { owners })
        }),
    });
    let ledger = ledger.await.unwrap();
    let invoke = |function: &str, billed_ms: u64, memory_mib: u32| {
        usage.record(UsageRecord {
            function: format!("arn:aws:lambda:us-east-1:000000000000:function:{function}").into(),
            version: "$LATEST".into(),
            request_id: "r".into(),
            started: clock.now(),
            init: None,
            duration: std::time::Duration::from_millis(billed_ms),
            billed_ms,
            memory_mib,
            peak_memory_bytes: 0,
            cpu: std::time::Duration::ZERO,
            bytes_in: 0,
            bytes_out: 0,
            status: UsageStatus::Success,
        });
    };
    // 500 times in the month: 4,000 events, 80 reads and a request
    for _ in 0..500 {
        for step in ["validate", "normalise", "resolve", "merge"] {
            (0..40).for_each(|_| invoke(step, 400, 512));
        }
        meter.count(
            Metered::EventBridgeEvents,
            "arn:aws:events:us-east-1:000000000000:event-bus/view",
            240,
        );
        meter.count(Metered::S3Reads, "arn:aws:s3:::view-data", 4_000 + 80);
        meter.count(Metered::S3Writes, "arn:aws:s3:::view-data", 4_000);
        (0..80).for_each(|_| invoke("read", 20, 256));
        meter.count(
            Metered::HttpApiRequests,
            "arn:aws:apigateway:us-east-1::/apis/k3x",
            80,
        );
        (0..5).for_each(|_| invoke("answer", 1_000, 256));
        meter.count(
            Metered::SnsPublishes,
            "arn:aws:sns:us-east-1:000000000000:requests",
            1,
        );
        meter.count(
            Metered::SqsRequests,
            "arn:aws:sqs:us-east-1:000000000000:answers",
            15,
        );
        meter.count(Metered::S3Writes, "arn:aws:s3:::view-requests", 10);
        ledger.flush().await.unwrap();
        ledger.keep().await.unwrap();
        clock.advance_millis(30 * 86_400_000 / 500);
    }
    let used = ledger.used(month, clock.now()).await.unwrap();
    let aws = bill("aws", &used);
    assert_eq!(
        (aws.charge().to_string(), aws.total().to_string()),
        ("11.3091672275".into(), "11.0010000000".into())
    );
    let alibaba = bill("alibaba", &used);
    assert_eq!(
        (&*alibaba.lines[0].quantity, alibaba.total().to_string()),
        ("15302.5", "0.3060500000".into())
    );
    // the figure that this story was begun with
    let seed = Amount::rounded(15_000_000_000_000, 1);
    assert!(aws.total() < seed, "{}", aws.total());
    assert!(
        aws.owners
            .iter()
            .all(|owner| owner.stack.as_deref() == Some("customer-view"))
    );
    assert_eq!(aws.owners[0].resource, "arn:aws:s3:::view-data");
    assert!(aws.unpriced.is_empty(), "{:?}", aws.unpriced);
}
