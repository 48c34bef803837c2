//! What users of AWS Lambda depend on, line by line, and the test that holds each to it.
//!
//! The lines are those of the project's list of behaviours that concern functions. What is not here
//! yet says so instead of naming a test.

use std::collections::HashMap;
use std::path::Path;

use Proof::{Absent, Test};

/// How a behaviour is held.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// A file of the repository and a test in it.
    Test(&'static str, &'static str),
    /// It is not there, and why.
    Absent(&'static str),
}

type Line = (&'static str, &'static [(&'static str, Proof)]);

const ENGINE: &str = "crates/compute/src/tests/semantics/mod.rs";
const FAULTS: &str = "crates/compute/src/tests/faults.rs";
const CUSTOM: &str = "crates/compute/src/tests/custom_runtimes.rs";
const STREAMING: &str = "crates/compute/src/tests/streaming.rs";
const BESIDE: &str = "crates/compute/src/tests/extensions.rs";
const SCALING: &str = "crates/compute/src/tests/scaling.rs";
const RUNTIME_API: &str = "crates/compute/src/channel/runtime_api_tests.rs";
const EXTENSIONS: &str = "crates/compute/src/channel/extensions_tests.rs";
const REPORT: &str = "crates/compute/src/instance/report.rs";
const PLATFORM: &str = "crates/compute/src/instance/platform.rs";
const ENVIRONMENT: &str = "crates/compute/src/environment.rs";
const FAILURE: &str = "crates/compute/src/failure.rs";
const INVOKE: &str = "crates/services/lambda/src/api/tests/invocations.rs";
const NAMES: &str = "crates/services/lambda/src/names.rs";
const NODE: &str = "runtimes/tests/test_node.py";

const LINES: &[Line] = &[
    (
        "limits",
        &[
            (
                "memory 128–10,240 MB, timeout 3 s and at most 900 s, /tmp 512–10,240 MB",
                Test("crates/model/src/limits.rs", "limits_hold_at_both_ends"),
            ),
            (
                "/tmp is kept across warm invokes",
                Test(ENGINE, "tmp_is_the_instances_own_and_is_kept_between_invocations"),
            ),
            (
                "/tmp is kept across resets",
                Absent("a crashed instance is replaced by another, whose /tmp is empty"),
            ),
            (
                "environment 4 KB",
                Test(
                    "crates/services/lambda/src/settings/environment.rs",
                    "the_environment_is_at_most_four_kilobytes_of_json",
                ),
            ),
            (
                "policy 20 KB",
                Test(
                    "crates/services/lambda/src/policy.rs",
                    "a_policy_is_at_most_20_kilobytes",
                ),
            ),
            (
                "zip 50 MB",
                Test(
                    "crates/services/lambda/src/api/package.rs",
                    "a_package_is_at_most_50_megabytes",
                ),
            ),
            (
                "1,024 file descriptors",
                Test(
                    "crates/compute/src/tests/lifecycle.rs",
                    "the_process_is_confined_as_far_as_a_plain_child_can_be",
                ),
            ),
            ("image 10 GB", Absent("container images are not run")),
            (
                "rates of control API",
                Absent("a node of one's own does not throttle its owner"),
            ),
        ],
    ),
    (
        "payload",
        &[
            ("6 MB each way", Test(ENGINE, "large_events_and_answers_pass")),
            (
                "oversize request → 413 RequestTooLargeException",
                Test(INVOKE, "payloads_have_limits"),
            ),
            (
                "oversize response → 413 RequestEntityTooLarge to the runtime",
                Test(
                    RUNTIME_API,
                    "a_response_that_is_too_large_gets_413_and_the_caller_lambdas_error",
                ),
            ),
            (
                "oversize response → Function.ResponseSizeTooLarge to the caller",
                Test(FAULTS, "seven_megabytes_are_too_much_and_the_instance_lives_on"),
            ),
            ("asynchronous 1 MB", Test(INVOKE, "payloads_have_limits")),
            (
                "streamed 200 MB",
                Test(
                    "crates/compute/src/stream.rs",
                    "two_hundred_megabytes_are_the_limit",
                ),
            ),
            (
                "streamed beyond 6 MB",
                Test(
                    STREAMING,
                    "a_stream_may_be_larger_than_a_whole_answer_and_waits_for_its_reader",
                ),
            ),
            ("2 MB/s after the first 6 MB", Absent("the reader sets the pace")),
            (
                "client context ≤ 3,583 B",
                Test(INVOKE, "invocations_are_checked_before_they_run"),
            ),
        ],
    ),
    (
        "invoke",
        &[
            (
                "RequestResponse 200, X-Amz-Executed-Version, X-Amz-Log-Result",
                Test(INVOKE, "an_answer_comes_with_its_version_and_log"),
            ),
            (
                "the log tail is 4 KB",
                Test(
                    "crates/compute/src/instance/journal.rs",
                    "the_tail_is_the_last_four_kilobytes",
                ),
            ),
            (
                "the log tail is the invocation's own",
                Test(ENGINE, "the_log_tail_is_the_invocations_own"),
            ),
            (
                "Event 202",
                Test("crates/services/lambda/src/worker/tests.rs", "an_event_runs_once"),
            ),
            (
                "function error = 200 and X-Amz-Function-Error",
                Test(INVOKE, "a_functions_error_is_an_answer"),
            ),
            (
                "errorType, errorMessage, trace",
                Test(
                    FAULTS,
                    "what_a_handler_throws_is_its_callers_error_and_the_instance_lives_on",
                ),
            ),
            (
                "400, 404 before it runs",
                Test(INVOKE, "invocations_are_checked_before_they_run"),
            ),
            (
                "429 with Retry-After and Reason",
                Test(
                    "crates/services/lambda/src/error/wire.rs",
                    "throttles_tell_their_reason_and_when_to_retry",
                ),
            ),
            (
                "429 by reserved concurrency",
                Test(SCALING, "reserved_concurrency_throttles_and_zero_turns_off"),
            ),
        ],
    ),
    (
        "ARN forms",
        &[
            (
                "name, partial ARN, ARN, with qualifier",
                Test(NAMES, "every_form_names_the_same_function"),
            ),
            ("name ≤ 64", Test(NAMES, "a_name_that_is_too_long_is_not_found")),
            (
                "$LATEST, integers, aliases",
                Test(NAMES, "qualifiers_are_checked"),
            ),
            (
                "an alias splits between two versions",
                Test(
                    "crates/services/lambda/src/api/tests/aliases.rs",
                    "weights_split_invocations_between_two_versions",
                ),
            ),
        ],
    ),
    (
        "Runtime API",
        &[
            (
                "next, with its headers",
                Test(
                    RUNTIME_API,
                    "next_waits_for_an_event_and_gives_it_with_lambdas_headers",
                ),
            ),
            (
                "response 202 {\"status\":\"OK\"}, once",
                Test(RUNTIME_API, "a_response_is_accepted_once"),
            ),
            (
                "invocation error, Lambda-Runtime-Function-Error-Type",
                Test(RUNTIME_API, "an_error_is_passed_on_as_the_runtime_words_it"),
            ),
            (
                "init error",
                Test(RUNTIME_API, "init_errors_are_taken_before_the_first_next_only"),
            ),
            (
                "restore",
                Test(RUNTIME_API, "restore_is_a_wrong_transition_without_snap_start"),
            ),
            (
                "ping, InvalidRequestID, InvalidStateTransition",
                Test(RUNTIME_API, "wrong_ids_paths_and_methods_have_lambdas_answers"),
            ),
            (
                "streaming response mode and its trailers",
                Test(RUNTIME_API, "a_streamed_response_is_passed_on_as_it_comes"),
            ),
            (
                "an official client's life",
                Test(CUSTOM, "an_executable_gets_events_and_is_reused"),
            ),
            (
                "Lambda-Runtime-Cognito-Identity, Lambda-Runtime-Aws-Tenant-Id",
                Absent("there are no identity pools and no tenants"),
            ),
            (
                "Runtime.ExitError",
                Test(CUSTOM, "its_end_is_named_and_it_is_replaced"),
            ),
            (
                "Runtime.InvalidEntrypoint",
                Test(CUSTOM, "what_cannot_be_executed_is_an_invalid_entrypoint"),
            ),
            (
                "Runtime.TruncatedResponse",
                Test(RUNTIME_API, "a_response_that_breaks_off_is_truncated"),
            ),
            (
                "Runtime.Unknown",
                Test(
                    "crates/compute/src/channel/frames.rs",
                    "garbage_foreign_ids_and_endless_frames_break_the_channel",
                ),
            ),
            (
                "Runtime.InvalidWorkingDir, Runtime.InvalidTaskConfig",
                Absent("they are errors of container images"),
            ),
            (
                "Sandbox.Timedout",
                Test(FAULTS, "a_handler_that_hangs_or_spins_times_out"),
            ),
            (
                "Function.Unknown",
                Test(FAILURE, "an_init_failure_takes_the_runtimes_own_words"),
            ),
        ],
    ),
    (
        "extensions",
        &[
            (
                "register",
                Test(EXTENSIONS, "registering_tells_about_the_function"),
            ),
            (
                "errors by name",
                Test(EXTENSIONS, "what_is_wrong_is_forbidden_by_name"),
            ),
            (
                "at most 10",
                Test(
                    EXTENSIONS,
                    "ten_extensions_are_the_limit_and_none_comes_after_the_runtime_is_ready",
                ),
            ),
            (
                "event/next; init and invocation wait for all",
                Test(EXTENSIONS, "ready_is_when_runtime_and_extensions_all_wait"),
            ),
            (
                "init/error, exit/error",
                Test(EXTENSIONS, "an_error_of_an_extension_ends_the_instance"),
            ),
            (
                "INVOKE and SHUTDOWN reach /opt/extensions",
                Test(BESIDE, "an_extension_sees_the_life_of_its_instance"),
            ),
            (
                "Extension.Crash, Extension.InitError",
                Test(BESIDE, "a_failing_extension_fails_the_initialisation"),
            ),
            (
                "telemetry, logs",
                Absent("answered Telemetry.NotSupported and Logs.NotSupported"),
            ),
        ],
    ),
    (
        "life cycle",
        &[
            (
                "INIT ≤ 10 s, then again inside the first invoke",
                Test(
                    FAULTS,
                    "a_slow_initialisation_is_repeated_under_the_functions_timeout",
                ),
            ),
            (
                "a failing init fails the invocation",
                Test(CUSTOM, "its_failure_to_initialise_is_reported"),
            ),
            (
                "crash → reset and init",
                Test(FAULTS, "a_handler_that_exits_or_is_killed_is_named_and_replaced"),
            ),
            (
                "shutdown 0 / 500 / 2,000 ms",
                Test(
                    EXTENSIONS,
                    "the_time_to_shut_down_depends_on_the_kind_of_extensions",
                ),
            ),
            (
                "frozen between invokes",
                Test(
                    "crates/compute/src/tests/idle.rs",
                    "an_idle_instance_gets_no_processor_and_goes_on_when_it_is_called",
                ),
            ),
            ("INIT is billed", Test(REPORT, "a_cold_start_and_a_failure_show")),
            (
                "state lives between warm invokes",
                Test(ENGINE, "node_and_python_functions_answer_and_are_reused"),
            ),
        ],
    ),
    (
        "environment",
        &[
            (
                "the variables",
                Test(ENVIRONMENT, "lambdas_variables_are_all_there"),
            ),
            (
                "users may change some",
                Test(ENVIRONMENT, "users_may_change_what_lambda_lets_them"),
            ),
            (
                "and nothing else",
                Test(
                    ENGINE,
                    "the_environment_is_lambdas_and_the_users_and_nothing_else",
                ),
            ),
            (
                "AWS_EXECUTION_ENV is not set on provided",
                Test(ENVIRONMENT, "custom_runtimes_have_no_execution_environment_name"),
            ),
        ],
    ),
    (
        "context",
        &[
            (
                "what was invoked, how long is left, client context",
                Test(ENGINE, "the_context_says_what_was_invoked_and_how_long_is_left"),
            ),
            ("all fields", Test(NODE, "test_all_fields")),
            ("identity", Test(NODE, "test_client_context_and_identity")),
            ("getRemainingTimeInMillis", Test(NODE, "test_remaining_time")),
            (
                "callbackWaitsForEmptyEventLoop",
                Test(NODE, "test_a_callback_need_not_wait"),
            ),
        ],
    ),
    (
        "log lines",
        &[
            (
                "START, END, REPORT in order",
                Test(ENGINE, "the_log_has_lambdas_lines_in_order"),
            ),
            ("their form", Test(REPORT, "lines_are_those_of_lambda")),
            (
                "INIT_START",
                Test(PLATFORM, "runtimes_have_versions_in_lambdas_form"),
            ),
            ("RESTORE_REPORT", Absent("there is no restore phase yet")),
            (
                "Task timed out after 3.00 seconds",
                Test(FAILURE, "a_timeout_has_its_own_log_line"),
            ),
            (
                "group and stream",
                Test(ENGINE, "events_of_the_log_carry_their_invocation_and_instance"),
            ),
            (
                "one event ≤ 256 KB",
                Test(
                    "crates/compute/src/instance/lines.rs",
                    "long_lines_are_cut_between_characters",
                ),
            ),
            (
                "JSON and its levels",
                Test(
                    ENGINE,
                    "a_json_log_has_json_events_and_only_the_levels_that_are_wanted",
                ),
            ),
        ],
    ),
];

#[test]
fn every_behaviour_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = HashMap::new();
    for (line, clauses) in LINES {
        assert!(!clauses.is_empty(), "{line}");
        for (clause, proof) in *clauses {
            match proof {
                Test(file, name) => {
                    let source: &String = sources
                        .entry(*file)
                        .or_insert_with(|| std::fs::read_to_string(root.join(file)).unwrap_or_default());
                    assert!(
                        has_test(source, name),
                        "{line}, {clause}: no test `{name}` in {file}"
                    );
                }
                Absent(why) => assert!(!why.is_empty(), "{line}, {clause}"),
            }
        }
    }
}

/// Rust's tests are marked, Python's are methods.
fn has_test(source: &str, name: &str) -> bool {
    let marked = |mark| source.split(mark).skip(1);
    let rust = marked("#[test]").chain(marked("#[tokio::test]"));
    let mut after = rust.filter_map(|rest| rest.split_once("fn ").map(|(_before, signature)| signature));
    after.any(|signature| signature.starts_with(&format!("{name}(")))
        || source.contains(&format!("def {name}(self"))
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(has_test("#[tokio::test]\nasync fn it_holds() {}", "it_holds"));
    assert!(!has_test("#[test]\nfn it_holds() {}\nfn helper() {}", "helper"));
    assert!(!has_test("#[test]\nfn it_holds() {}", "it"));
    assert!(!has_test("fn helper() {}\n#[test]\nfn it_holds() {}", "helper"));
}
