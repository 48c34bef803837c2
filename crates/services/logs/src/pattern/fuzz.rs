//! Hostile filter patterns, and messages that meet them.

use std::hint::black_box;

use tradewind_fuzz::fuzz;

use super::FilterPattern;

#[test]
fn fuzz_filter_pattern() {
    let seeds = [
        "ERROR ?warn -debug \"exact phrase\"",
        "%4[0-9]{2}%",
        "[ip, user, ..., status=4*, bytes>1000]",
        "{ ($.level = \"error\" || $.code >= 500) && $.user.name != \"bot*\" }",
        "{ $.items[0].sku IS NULL }",
        "{ $.a NOT EXISTS } ",
        "[w1=%a+%, w2 != 3 && w2 < 5]",
        "",
    ];
    let words = [
        "{", "}", "[", "]", "(", ")", "$.", "&&", "||", "!=", ">=", "IS", "NOT", "EXISTS", "NULL", "TRUE",
        "%", "...", "?", "-", "\"", "*", "=", ",", "\0",
    ];
    fuzz(&seeds, &words, |input| {
        let text = String::from_utf8_lossy(input);
        let (pattern, message) = text
            .split_once('\0')
            .unwrap_or((&text, "127.0.0.1 bot ERROR 404 12"));
        if let Ok(pattern) = pattern.parse::<FilterPattern>() {
            for message in [
                message,
                r#"{"level":"error","code":503,"items":[{"sku":null}],"a":1e400}"#,
            ] {
                black_box(pattern.matches(message));
                black_box(pattern.extract(message));
            }
        }
    });
}
