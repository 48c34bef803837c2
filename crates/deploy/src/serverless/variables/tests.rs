use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{Context, Resolution, resolve};
use crate::diagnostic::Severity;
use crate::yaml::parse_yaml;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn resolve_in(dir: &Path, text: &str, node: Option<&Path>) -> Resolution {
    let params = map(&[("given", "from-cli")]);
    let options = map(&[("verbose", "true"), ("loop", "${opt:loop}")]);
    let environment = map(&[
        ("HOME_TOWN", "Delft"),
        ("INDIRECT", "${self:custom.target}"),
        ("EMPTY", ""),
    ]);
    let context = Context {
        dir,
        stage_option: Some("prod"),
        region_option: None,
        stage: Some("prod".into()),
        region: Some("eu-west-1".into()),
        account: "123456789012",
        params: &params,
        options: &options,
        environment: &environment,
        node,
        instance_id: "abc".into(),
    };
    let root = parse_yaml(text, &dir.join("serverless.yml")).unwrap();
    resolve(root, &context)
}

fn resolution(text: &str) -> Resolution {
    resolve_in(Path::new("/nowhere"), text, None)
}

/// The value of `x` in a configuration with some other things to refer to.
fn value(variable: &str) -> Value {
    let text = format!(
        "service: shop\ncustom:\n  target: hit\n  n: 7\n  yes: true\n  list: [a, {{b: c}}]\n  deep: \
         {{k: '${{self:custom.target}}-${{self:custom.n}}'}}\n  prod: {{size: big}}\n  alias: '${{self:custom.deep}}'\n\
         params:\n  prod: {{a: prod-a}}\n  default: {{a: default-a, b: '${{self:custom.n}}'}}\nx: {variable}\n"
    );
    let outcome = resolution(&text);
    let errors: Vec<_> = outcome
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{variable}: {errors:?}");
    outcome.root.child("x").unwrap().to_json()
}

fn problem(text: &str) -> String {
    let outcome = resolution(text);
    let diagnostic = outcome.diagnostics.first().expect("no problem found");
    let hint = diagnostic.hint.as_deref().unwrap_or_default();
    format!("{diagnostic} | {hint}")
}

#[test]
fn sources_yield_their_values() {
    let cases = [
        ("${self:service}", json!("shop")),
        ("${self:custom.n}", json!(7)),
        ("${self:custom.yes}", json!(true)),
        ("${self:custom.list.0}", json!("a")),
        ("${self:custom.list.1.b}", json!("c")),
        ("${self:custom.deep}", json!({"k": "hit-7"})),
        ("${self:custom.alias.k}", json!("hit-7")),
        ("${self:custom.${sls:stage}.size}", json!("big")),
        ("n is ${self:custom.n}, ${self:custom.yes}", json!("n is 7, true")),
        ("${self:provider.stage}", json!("prod")),
        ("${self:provider.region}", json!("eu-west-1")),
        ("${opt:stage}", json!("prod")),
        ("${opt:verbose}", json!("true")),
        ("${opt:region, 'none'}", json!("none")),
        ("${env:HOME_TOWN}", json!("Delft")),
        ("${env:EMPTY}", json!("")),
        ("${env:INDIRECT}", json!("hit")),
        ("${sls:stage}-${sls:instanceId}", json!("prod-abc")),
        (
            "${aws:accountId}/${aws:region}/${aws:partition}",
            json!("123456789012/eu-west-1/aws"),
        ),
        ("${param:given}", json!("from-cli")),
        ("${param:a}", json!("prod-a")),
        ("${param:b}", json!(7)),
        ("${strToBool(TRUE)}", json!(true)),
        ("${strToBool(${env:NONE, '0'})}", json!(false)),
        ("${env:NONE, self:custom.none, 'last'}", json!("last")),
        ("${env:NONE, ${self:custom.none, 'x'}}", json!("x")),
        ("${env:NONE, ${self:custom.n}}", json!(7)),
        ("${env:NONE, 12}", json!(12)),
        ("${env:NONE, false}", json!(false)),
        ("${env:NONE, null}", json!(null)),
        ("${env:NONE, ''}", json!("")),
        ("${env:NONE, \"a, b}\"}", json!("a, b}")),
        ("${self:custom.none, 'on-${sls:stage}'}", json!("on-prod")),
        ("${AWS::Region}-${sls:stage}", json!("${AWS::Region}-prod")),
        (r"\${self:custom.n}", json!("${self:custom.n}")),
    ];
    for (variable, expected) in cases {
        assert_eq!(value(variable), expected, "{variable}");
    }
}

#[test]
fn what_has_no_value_says_how_to_give_it_one() {
    let cases = [
        ("x: ${env:NONE}", "set NONE in the environment"),
        ("x: ${opt:colour}", "pass `--colour`"),
        ("x: ${param:nope}", "pass `--param nope=value`"),
        (
            "custom: {target: 1}\nx: ${self:custom.tarqet}",
            "did you mean `custom.target`?",
        ),
        ("x: ${self:custom.a.b}", "set `custom.a.b`"),
        ("x: ${file(none.yml)}", "there is no file `none.yml`"),
        ("x: ${strToBool(maybe)}", "true, false, 1 or 0"),
        ("x: ${slf:custom}", "did you mean `self`?"),
        ("x: ${quark:custom}", "the sources are self, opt, env"),
        ("x: ${sls:version}", "${sls:stage}"),
        ("x: ${env:}", "write `${env:name}`"),
        ("x: ${opt:stage, dev}", "quote fallbacks"),
    ];
    for (text, expected) in cases {
        let found = problem(text);
        assert!(found.contains(expected), "{text}: {found}");
        assert!(found.contains("/nowhere/serverless.yml:"), "{text}: {found}");
    }
}

#[test]
fn only_scalars_stand_inside_a_text() {
    let found = problem("custom: {m: {a: 1}}\nx: a-${self:custom.m}\n");
    assert!(
        found.starts_with("/nowhere/serverless.yml:2:4: `${self:custom.m}` is a mapping"),
        "{found}"
    );
}

#[test]
fn circles_are_named_all_the_way_round() {
    let found = problem("custom:\n  a: ${self:custom.b}\n  b: x-${self:custom.c}\n  c: ${self:custom.a}\n");
    assert!(
        found.contains("`custom.a` → `custom.b` → `custom.c` → `custom.a`"),
        "{found}"
    );
    assert!(problem("x: {y: '${self:x}'}").contains("circle"));
    assert!(problem("x: ${opt:loop}").contains("more than 10 times"));
}

#[test]
fn texts_cannot_grow_without_bound() {
    let mut text = String::from("custom:\n  a0: xxxxxxxxxxxxxxxx\n");
    for level in 1..40 {
        let below = level - 1;
        text += &format!("  a{level}: ${{self:custom.a{below}}}${{self:custom.a{below}}}\n");
    }
    assert!(problem(&text).contains("grows beyond"));
    let mut text = String::from("custom:\n  a0: [x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let below = level - 1;
        text += &format!("  a{level}: ['${{self:custom.a{below}}}', '${{self:custom.a{below}}}']\n");
    }
    assert!(problem(&text).contains("more than 1000000 values"));
}

#[test]
fn a_service_that_is_not_there_is_refused_unless_a_fallback_stands_in() {
    let found = problem("provider:\n  x: ${ssm:/path}\n");
    assert!(
        found.starts_with("/nowhere/serverless.yml:2:6: `${ssm:/path}`: source `ssm` (the parameter store) is not supported yet"),
        "{found}"
    );
    let outcome = resolution("provider:\n  x: ${cf:stack.Out, 'local'}\n");
    assert_eq!(outcome.root.to_json(), json!({"provider": {"x": "local"}}));
    assert_eq!(outcome.diagnostics[0].severity, Severity::Warning);
    assert!(outcome.diagnostics[0].message.ends_with("its fallback is used"));
}

#[test]
fn what_nobody_reads_may_name_such_a_service() {
    let outcome = resolution("custom:\n  prod: ${ssm:/a}\nx: 1\n");
    assert_eq!(outcome.diagnostics[0].severity, Severity::Warning);
    let outcome = resolution("custom:\n  prod: ${ssm:/a}\nx: ${self:custom.prod}\n");
    assert_eq!(outcome.diagnostics.len(), 1);
    assert_eq!(outcome.diagnostics[0].severity, Severity::Error);
}

#[test]
fn every_problem_is_reported_once() {
    let outcome = resolution("a: ${env:A}\nb: ${env:B}\nc: ${self:a}\n");
    let messages: Vec<String> = outcome.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "/nowhere/serverless.yml:1:4: `${env:A}` has no value",
            "/nowhere/serverless.yml:2:4: `${env:B}` has no value",
        ]
    );
}

#[test]
fn files_are_read_by_their_ending() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "a.yml",
        "k: {v: !Ref R, s: '${sls:stage}'}\nfns: '${file(b.json)}'\n",
    );
    write("b.json", "{\"one\": {\"handler\": \"h.${self:custom.n}\"}}");
    write("c.txt", "plain ${sls:stage}\n");
    write("loop.yml", "x: ${file(loop.yml)}\n");
    let text = "custom: {n: 3}\nall: ${file(./a.yml):k}\none: ${file(a.yml):k.s}\nvia: \
                ${file(a.yml):fns.one.handler}\ntext: ${file(c.txt)}\nnone: ${file(z.yml), 'x'}\n\
                gone: ${file(a.yml):k.zz, 'y'}\n";
    let outcome = resolve_in(dir.path(), text, None);
    assert_eq!(outcome.diagnostics, []);
    let expected = json!({"custom": {"n": 3}, "all": {"v": {"Ref": "R"}, "s": "prod"}, "one": "prod",
        "via": "h.3", "text": "plain prod\n", "none": "x", "gone": "y"});
    assert_eq!(outcome.root.to_json(), expected);
    let names: Vec<_> = outcome.files.iter().filter_map(|f| f.file_name()).collect();
    assert_eq!(names, ["a.yml", "b.json", "c.txt", "z.yml"]);
    let looping = resolve_in(dir.path(), "x: ${file(loop.yml)}", None);
    assert!(looping.diagnostics[0].message.contains("circle"));
}

#[test]
fn values_of_files_keep_their_places() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.yml"), "hello:\n  handler: h.x\n").unwrap();
    let outcome = resolve_in(
        dir.path(),
        "functions: ${file(f.yml)}\nk: ${file(f.yml):hello.handler}\n",
        None,
    );
    let handler = |path: &[&str]| {
        let node = path
            .iter()
            .try_fold(&outcome.root, |node, key| node.child(key))
            .unwrap();
        let name = node.span.file.file_name().unwrap().to_str().unwrap().to_owned();
        (name, node.span.line)
    };
    assert_eq!(handler(&["functions", "hello", "handler"]), ("f.yml".into(), 2));
    assert_eq!(handler(&["k"]), ("serverless.yml".into(), 2));
}

fn node() -> Option<std::path::PathBuf> {
    ["/usr/bin/node", "/usr/local/bin/node", "/opt/homebrew/bin/node"]
        .iter()
        .map(std::path::PathBuf::from)
        .find(|path| path.exists())
}

#[tokio::test]
async fn javascript_files_are_evaluated() {
    let Some(node) = node() else { return };
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "a.js",
        "console.log('noise');\nmodule.exports = { plain: { v: 1, s: '${sls:stage}' },\n  \
         fn: async ({ options }) => options.stage, town: process.env.HOME_TOWN };\n",
    );
    write(
        "b.js",
        "module.exports = async ({ resolveVariable, resolveConfigurationProperty }) => ({\n  \
         stage: await resolveVariable('sls:stage'), n: await resolveConfigurationProperty(['custom', 'n']) });\n",
    );
    write(
        "c.js",
        "module.exports = () => { throw new Error('no luck'); };\n",
    );
    write("d.mjs", "export default { esm: true };\n");
    let text = "custom: {n: 3}\na: ${file(a.js):plain}\nfn: ${file(a.js):fn}\ntown: ${file(a.js):town}\n\
                b: ${file(b.js)}\nd: ${file(d.mjs):esm}\n";
    let path = dir.path().to_owned();
    let outcome = tokio::task::spawn_blocking(move || {
        let good = resolve_in(&path, text, Some(&node));
        let bad = resolve_in(&path, "c: ${file(c.js)}", Some(&node));
        let without = resolve_in(&path, "c: ${file(c.js)}", None);
        (good, bad.diagnostics, without.diagnostics)
    });
    let (good, bad, without) = outcome.await.unwrap();
    assert_eq!(good.diagnostics, []);
    let expected = json!({"custom": {"n": 3}, "a": {"v": 1, "s": "prod"}, "fn": "prod", "town": "Delft",
        "b": {"stage": "prod", "n": 3}, "d": true});
    assert_eq!(good.root.to_json(), expected);
    assert!(bad[0].message.contains("no luck"), "{bad:?}");
    assert!(bad[0].to_string().contains("c.js:1:"), "{bad:?}");
    assert!(without[0].message.contains("needs node"), "{without:?}");
}
