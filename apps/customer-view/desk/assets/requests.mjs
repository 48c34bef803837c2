// The list of requests, and one of them.
import { Refused, call, get } from "./api.mjs";
import { element } from "./dom.mjs";

const SHOWN = ["open", "late", "closed", "all"];

/** The requests; who is late comes first. */
export async function requestsView(desk, _, query) {
  const show = SHOWN.includes(query.get("show")) ? query.get("show") : "open";
  const { requests, counts } = await get(`desk/requests?show=${show}`);
  return [
    element("div.head", {}, element("h1", {}, desk.say("requests")), filter(desk, show, counts)),
    requests.length === 0 ? element("p.empty", {}, desk.say("noRequests")) : table(desk, requests),
  ];
}

function filter({ say }, show, counts) {
  return element("nav.filter", { "aria-label": say("show") }, SHOWN.map((name) =>
    element("a", { href: `#/requests?show=${name}`, "aria-current": name === show ? "true" : undefined },
      say(name), " ", element("span.count", {}, String(counts[name])))));
}

function table(desk, requests) {
  const { say } = desk;
  const columns = ["daysLeft", "kind", "subject", "status", "systems", "received", "request"];
  return element("div.scroll", {}, element("table.requests", {},
    element("thead", {}, element("tr", {}, columns.map((name) => element("th", { scope: "col" }, say(name))))),
    element("tbody", {}, requests.map((request) => row(desk, request)))));
}

function row(desk, request) {
  const { say, date } = desk;
  const { systems } = request;
  return element(request.late ? "tr.late" : "tr", { "data-row": true },
    element("td", {}, timeLeft(desk, request)),
    element("td", {}, element("a", { href: `#/requests/${encodeURIComponent(request.id)}` }, kindOf(say, request.kind))),
    element("td", {}, request.subject),
    element("td", {}, state(say, request.status), request.hold && chip(say("legalHold"), "warn")),
    element("td", {}, meter(say, systems)),
    element("td", {}, date(request.received)),
    element("td", {}, element("code", {}, request.id)));
}

/** How long there is, in words and in colour; nothing for what is closed. */
export function timeLeft({ say, date }, { closed, daysLeft, deadline, extended }) {
  if (!deadline) return "–";
  if (closed) return element("span.quiet", {}, date(deadline));
  const many = Math.abs(daysLeft);
  const late = daysLeft < 0;
  const key = daysLeft === 0 ? "days.today" : `${many === 1 ? "day" : "days"}.${late ? "late" : "left"}`;
  const tone = late ? "bad" : daysLeft <= 7 ? "warn" : "good";
  return [chip(say(key, { n: many }), tone), extended && element("span.quiet", {}, " ", say("extended"))];
}

function meter(say, systems) {
  const done = systems.filter((system) => system.done).length;
  const words = say("answered", { n: done, of: systems.length });
  return element("span.meter", { role: "img", "aria-label": words, title: words },
    systems.map((system) => element(`i.${system.failed ? "bad" : system.done ? "good" : "waiting"}`)));
}

export const chip = (words, tone = "") => element(tone ? `span.chip.${tone}` : "span.chip", {}, words);

const DONE = new Set(["done", "answered"]);
const FAILED = new Set(["failed", "escalated", "refused", "expired"]);
const worded = (say, group, name) => {
  const words = say(`${group}.${name}`);
  return words === `${group}.${name}` ? String(name) : words;
};

export const kindOf = (say, kind) => worded(say, "kind", kind);
export const systemOf = (say, system) => worded(say, "system", system);
export const state = (say, name) => chip(worded(say, "status", name), DONE.has(name) ? "good" : FAILED.has(name) ? "bad" : "");

/** A request with all that was done for it. */
export async function requestView(desk, id) {
  const { say } = desk;
  const request = await get(`desk/requests/${encodeURIComponent(id)}`, `request ${id}`);
  return [
    element("p.back", {}, element("a", { href: "#/requests", "data-back": true }, `← ${say("requests")}`)),
    element("div.head", {}, element("h1", {}, kindOf(say, request.kind), " ", element("code", {}, request.id)),
      element("div", {}, timeLeft(desk, request))),
    element("div.columns", {},
      section(say("details"), details(desk, request), decisions(desk, request)),
      section(say("history"), history(desk, request.history))),
    section(say("systems"), systemsTable(desk, request.systems)),
    section(say("evidence"), evidence(desk, request.evidence), certificate(desk, request.certificate)),
  ];
}

export function section(title, ...content) {
  return element("section.card", {}, element("h2", {}, title), ...content.filter(Boolean));
}

/** Names and values; what has no value is left out. */
export function facts(pairs) {
  return element("dl.facts", {}, pairs.filter(([, value]) => value !== undefined && value !== null && value !== "").map(
    ([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

const linkTo = (request, id, text = id) => element("a", { href: `#/persons/${encodeURIComponent(id)}?for=${encodeURIComponent(request.id)}` }, text);

function details(desk, request) {
  const { say, date } = desk;
  const link = (id) => linkTo(request, id);
  return facts([
    [say("status"), state(say, request.status)],
    [say("outcome"), request.outcome && worded(say, "outcome", request.outcome)],
    [say("reason"), request.reason],
    [say("subject"), request.subject],
    [say("person"), request.persons.length > 0 ? request.persons.map((id) => [link(id), " "]) : undefined],
    [say("received"), date(request.received, true)],
    [say("deadline"), request.deadline && [date(request.deadline), request.extended ? ` (${say("extended")}: ${request.extended})` : ""]],
    [say("legalHold"), request.hold],
  ]);
}

const NEEDS_REASON = new Set(["hold", "refuse", "extend", "lift"]);

/** What the officer may decide now. */
function decisions(desk, request) {
  const { say } = desk;
  if (request.actions.length === 0) return undefined;
  return element("div.actions", {}, element("h3", {}, say("actions")), request.actions.map((action) => decision(desk, request, action)));
}

function decision(desk, request, action) {
  const { id, doubtful } = request;
  if (action === "approve" && doubtful.length > 0) return identification(desk, request);
  const label = desk.say(`action.${action}`);
  const act = (reason) => call("POST", `desk/requests/${encodeURIComponent(id)}/actions`, { body: { action, reason } });
  return reasoned(desk, { id: action, label, needsReason: NEEDS_REASON.has(action), question: "actionReason", done: "acted" }, act);
}

/** Whose data it is, where that is in doubt: those that were found, and others that the officer knows of. */
function identification(desk, request) {
  const { say } = desk;
  const found = request.doubtful.map((person, at) => [person, element("input", { type: "checkbox", id: `whose-${at}`, checked: true })]);
  const others = element("input", { id: "whose-others", autocomplete: "off", maxlength: "2000", pattern: "\\s*(p-[0-9a-f]{32}[\\s,]*)*",
    "aria-describedby": "whose-hint" });
  const fields = element("fieldset", {}, element("legend", {}, say("whose")),
    found.map(([person, box]) => element("div", {}, element("label", {}, box, " ", element("code", {}, person)), " ", linkTo(request, person, say("show")))),
    element("label", { for: others.id }, say("whoseOthers")), others, element("p.hint", { id: "whose-hint" }, say("whoseHint")));
  const act = () => {
    const persons = [...found.filter(([, box]) => box.checked).map(([person]) => person), ...others.value.split(/[\s,]+/).filter(Boolean)];
    return call("POST", `desk/requests/${encodeURIComponent(request.id)}/actions`, { body: { action: "approve", persons } });
  };
  return reasoned(desk, { id: "approve", label: say("action.identify"), needsReason: false, done: "acted", fields }, act);
}

/** A button that does `act`, behind a field for the reason where one is needed. */
export function reasoned(desk, { id, label, needsReason = true, question, done, fields }, act) {
  const { say } = desk;
  const wrong = element("p.wrong", { role: "alert" });
  const reason = element("input", { id: `reason-${id}`, required: true, maxlength: "200", autocomplete: "off" });
  async function submit(event) {
    event.preventDefault();
    try {
      await act(reason.value);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      wrong.textContent = error.message;
      return;
    }
    await desk.refresh();
    desk.announce(say(done, { what: label }));
  }
  const button = element("button", { type: "submit" }, label);
  if (!needsReason) return element("form", { onsubmit: submit }, fields, button, wrong);
  return element("details.apart", {}, element("summary", {}, label), element("form", { onsubmit: submit },
    element("label", { for: reason.id }, say(question)), reason, button, wrong));
}

function history({ say, date }, entries) {
  return element("ol.history", {}, entries.map(({ at, by, what, systems = [] }) =>
    element("li", {}, element("time", { datetime: at }, date(at, true)),
      element("span", {}, worded(say, "mark", what), element("span.quiet", {}, by && ` ${by}`), systems.map((system) => ` · ${systemOf(say, system)}`)))));
}

function systemsTable({ say, date }, systems) {
  if (systems.length === 0) return element("p.empty", {}, say("noEvidence"));
  const columns = ["system", "state", "at", "attempts", "reason"];
  return element("div.scroll", {}, element("table", {},
    element("thead", {}, element("tr", {}, columns.map((name) => element("th", { scope: "col" }, say(name))))),
    element("tbody", {}, systems.map((system) => element("tr", {},
      element("th", { scope: "row" }, systemOf(say, system.system)),
      element("td", {}, state(say, system.state)),
      element("td", {}, date(system.at, true)),
      element("td", {}, system.attempts === undefined ? "–" : String(system.attempts)),
      element("td", {}, system.error ?? ""))))));
}

function evidence(desk, pieces) {
  const { say, date } = desk;
  if (pieces.length === 0) return element("p.empty", {}, say("noEvidence"));
  return pieces.map((piece) => element("details", {},
    element("summary", {}, systemOf(say, piece.system), element("span.quiet", {}, ` ${date(piece.at, true)}`)),
    listed(say("kept"), piece.kept), listed(say("proof"), piece.proof),
    element("pre", { tabindex: "0" }, JSON.stringify(piece.document, null, 2))));
}

function certificate({ say }, document) {
  if (!document) return undefined;
  return element("details", {}, element("summary", {}, say("certificate"), element("span.quiet", {}, ` ${document.signature?.algorithm ?? ""}`)),
    element("pre", { tabindex: "0" }, JSON.stringify(document, null, 2)));
}

const listed = (title, lines) => lines.length > 0 &&
  [element("h3", {}, title), element("ul", {}, lines.map((line) => element("li", {}, line)))];
