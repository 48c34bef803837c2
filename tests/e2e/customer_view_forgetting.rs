//! Forgetting is real, in short: some people with canaries in every field are erased from the whole app while others'
//! records come in over real Kafka; half of those are written only after an erasure was confirmed. `cargo xtask forget`
//! has more of them.

use tradewind_tests::customer_view::{Built, Part, Retailer};
use tradewind_tests::{cache, stderr, tradewind};

const PEOPLE: usize = 12;
const CANARIES: usize = 3;
/// Records of the others a second.
const RATE: u32 = 2;

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn nothing_is_left_of_those_who_asked_to_be_forgotten() {
    let binaries = tradewind().parent().unwrap().to_owned();
    let built = Built {
        binaries,
        cache: cache(),
    };
    let packages = ["requests-light", "requests-full"].map(|name| cache().join(name));
    let packages = std::env::join_paths(packages).unwrap();
    let retailer = Retailer::start(built, Part::Whole).unwrap();
    let output = retailer
        .forgetting(packages.as_ref(), PEOPLE, CANARIES, RATE)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}
