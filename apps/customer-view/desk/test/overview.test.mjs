import assert from "node:assert/strict";
import { test } from "node:test";
import { detail, median, metrics, overview } from "../overview.mjs";
import { requests } from "./seed.mjs";

const NOW = "2026-03-10T12:00:00Z";
const seeded = requests(Date.parse(NOW)).filter(([key]) => key.startsWith("requests/")).map(([, document]) => document);
const find = (id) => seeded.find((request) => request.id === id);

test("who is late comes first, then who is due next; closed ones last, the newest first", () => {
  const { requests, counts } = overview(seeded, "all", NOW, "UTC");
  assert.deepEqual(requests.slice(0, 6).map(({ id }) => id), ["r-late1", "r-soon1", "r-held1", "r-new1", "r-doubt1", "r-long1"]);
  assert.deepEqual(requests.slice(6).map(({ id }) => id), ["r-done0", "r-done1", "r-done2", "r-done3", "r-done4"]);
  assert.deepEqual(counts, { open: 6, late: 1, closed: 5, all: 11 });
  assert.deepEqual(overview(seeded, "late", NOW, "UTC").requests.map(({ id }) => id), ["r-late1"]);
});

test("days are those of the controller's time zone", () => {
  const request = { ...find("r-new1"), deadline: { due: "2026-03-29", dueAt: "2026-03-29T22:00:00Z", extended: null } };
  const left = (now, zone) => overview([request], "open", now, zone).requests[0].daysLeft;
  assert.equal(left("2026-03-28T22:59:00Z", "Europe/Berlin"), 1);
  assert.equal(left("2026-03-28T23:00:00Z", "Europe/Berlin"), 0, "the day on which the clocks go forward");
  assert.equal(left("2026-03-28T23:00:00Z", "UTC"), 1);
  assert.equal(left("2026-02-28T12:00:00Z", "UTC"), 29);
});

test("a request is late from the instant at which its last day is over", () => {
  const request = { ...find("r-new1"), deadline: { due: "2026-03-10", dueAt: "2026-03-10T23:00:00Z", extended: null } };
  const late = (now) => overview([request], "open", now, "UTC").requests[0].late;
  assert.equal(late("2026-03-10T22:59:59Z"), false);
  assert.equal(late("2026-03-10T23:00:00Z"), true);
});

test("the list hints at addresses, and does without where they were erased", () => {
  const [line] = overview([find("r-late1")], "open", NOW, "UTC").requests;
  assert.equal(line.subject, "a…@example.com");
  assert.equal(overview([{ ...find("r-late1"), contact: null }], "open", NOW, "UTC").requests[0].subject, "–");
  assert.equal(detail(find("r-late1"), [], NOW, "UTC").subject, "ada.weiss@example.com");
});

test("what may be decided depends on the state", () => {
  const actions = (id, more = {}) => detail({ ...find(id), ...more }, [], NOW, "UTC").actions;
  assert.deepEqual(actions("r-new1"), ["approve", "extend", "hold", "refuse"]);
  assert.deepEqual(actions("r-held1"), ["release", "extend", "refuse"]);
  assert.deepEqual(actions("r-long1"), ["retry", "hold", "refuse"], "extended once already");
  assert.deepEqual(actions("r-soon1", { subject: { persons: [] } }), ["retry", "extend", "refuse"], "an erasure that has begun is not held");
  assert.deepEqual(actions("r-done1"), []);
  assert.deepEqual(actions("r-done1", { kind: "restriction" }), ["lift"]);
});

test("the history tells what happened from what was sent", () => {
  const marks = { greeted: "2026-03-01T00:00:02Z", "reminded-7-2026-04-07": "2026-03-31T00:00:00Z", "told-stuck": "2026-03-30T00:00:00Z", "escalated-calls": "2026-03-02T00:00:00Z" };
  const escalations = [{ at: "2026-03-02T00:00:00Z", systems: ["calls"], why: "no answer" }];
  const history = [{ at: "2026-03-01T00:00:00Z", by: "person", what: "request.received", detail: {} }];
  const found = detail({ ...find("r-new1"), marks, escalations, history }, [], NOW, "UTC").history;
  assert.deepEqual(found.map(({ what }) => what), ["received", "sent-greeted", "escalated", "sent-told-stuck", "sent-reminded"]);
});

test("metrics count what was handled: the median, by kind and month, and how much in time", () => {
  const found = metrics(seeded, NOW);
  assert.deepEqual([found.handled, found.medianDays, found.open, found.late], [5, 12, 6, 1]);
  assert.deepEqual(found.byKind, [{ kind: "access", handled: 2, medianDays: 14 }, { kind: "erasure", handled: 3, medianDays: 12 }]);
  const expired = { ...find("r-done0"), state: "expired" };
  assert.equal(metrics([expired], NOW).handled, 0, "nobody handled what was never confirmed");
  assert.deepEqual(metrics([], NOW), { handled: 0, medianDays: null, onTime: 0, open: 0, late: 0, byKind: [], byMonth: [] });
});

test("a handled request was in time if it was closed before its end", () => {
  const closed = (closedAt) => metrics([{ ...find("r-done0"), closedAt, deadline: { due: "2026-01-31", dueAt: "2026-01-31T23:00:00Z" } }], NOW).onTime;
  assert.equal(closed("2026-01-31T22:59:59Z"), 1);
  assert.equal(closed("2026-01-31T23:00:00Z"), 0);
});

test("the median of an even number lies between the middle two", () => {
  assert.equal(median([1, 10, 2, 4]), 3);
  assert.equal(median([7]), 7);
  assert.equal(median([]), null);
});
