// Searching people, and one person: golden record, consents, why merged, timeline.
import { Refused, call, get } from "./api.mjs";
import { element, fill } from "./dom.mjs";
import { chip, facts, reasoned, section, systemOf } from "./requests.mjs";

const PURPOSES = ["request", "complaint", "correction", "audit"];

/** The search: what is looked for never stands in an address. */
export async function searchView(desk) {
  const { say } = desk;
  const results = element("div.card.results", { "aria-live": "polite" });
  const text = element("input", { id: "what", type: "search", "data-focus": true, required: true, autocomplete: "off",
    "aria-describedby": "what-hint", maxlength: "400" });
  const purpose = purposeField(desk);
  const form = element("form.card.search", { role: "search", onsubmit: submit },
    element("div", {}, element("label", { for: "what" }, say("searchLabel")), text,
      element("p.hint", { id: "what-hint" }, say("searchHint"))),
    purpose,
    element("button.primary", { type: "submit" }, say("search")));
  async function submit(event) {
    event.preventDefault();
    fill(results, element("p.quiet", {}, say("loading")));
    try {
      fill(results, found(desk, await call("POST", "persons/search", { body: described(text.value), purpose: desk.purpose })));
    } catch (error) {
      if (!(error instanceof Refused) || error.status === 401) throw error;
      fill(results, element("p.wrong", { role: "alert" }, error.message));
    }
  }
  return [element("h1", {}, say("search")), form, results];
}

function purposeField(desk) {
  const { say } = desk;
  if (desk.purpose === "") desk.purpose = PURPOSES[0];
  const known = PURPOSES.includes(desk.purpose) ? PURPOSES : [desk.purpose, ...PURPOSES];
  const select = element("select", { id: "purpose", "aria-describedby": "purpose-hint",
    onchange: () => { desk.purpose = select.value; } },
    known.map((name) => element("option", { value: name, selected: name === desk.purpose },
      PURPOSES.includes(name) ? say(`purpose.${name}`) : name)));
  return element("div", {}, element("label", { for: "purpose" }, say("purpose")), select,
    element("p.hint", { id: "purpose-hint" }, say("purposeHint")));
}

/** What a text describes: an e-mail, a phone, or a name. */
export function described(text) {
  if (text.includes("@")) return { email: text };
  return /^[+0][\d\s()/.-]{5,}$/.test(text.trim()) ? { phone: text } : { name: text };
}

function found(desk, { persons }) {
  const { say } = desk;
  if (persons.length === 0) return element("p.empty", {}, say("noneFound"));
  const columns = ["name", "email", "phone", "address", "accounts"];
  return element("div.scroll", {}, element("table", {},
    element("thead", {}, element("tr", {}, columns.map((name) => element("th", { scope: "col" }, say(name))))),
    element("tbody", {}, persons.map((person) => element("tr", { "data-row": true },
      element("td", {}, element("a", { href: `#/persons/${person.person}` }, person.name || person.person),
        person.restricted && chip(say("restricted"), "warn")),
      element("td", {}, person.email ?? ""),
      element("td", {}, person.phone ?? ""),
      element("td", {}, person.city ?? ""),
      element("td.number", {}, person.accounts === undefined ? "" : String(person.accounts)))))));
}

/** One person. */
export async function personView(desk, id, query) {
  const { say } = desk;
  const request = query.get("for");
  if (request) desk.purpose = `request ${request}`;
  const purpose = desk.purpose || PURPOSES[0];
  const back = element("p.back", {}, element("a", { "data-back": true,
    href: request ? `#/requests/${encodeURIComponent(request)}` : "#/search" }, `← ${say(request ? "request" : "search")}`));
  const person = await get(`persons/${encodeURIComponent(id)}?include=links,consents,timeline`, purpose);
  if (person.restricted) return [back, ...restricted(desk, person)];
  const { links, consents: { history }, timeline: { timeline } } = person.included;
  const name = [person.fields.given?.value, person.fields.family?.value].filter(Boolean).join(" ");
  return [
    back,
    element("div.head", {}, element("h1", {}, name || person.id), element("code", {}, person.id)),
    element("div.columns.wide", {}, section(say("goldenRecord"), golden(desk, person)),
      section(say("consents"), consents(desk, person, history))),
    section(say("whyMerged"), why(desk, links), reasoned(desk, { id: "hold", label: say("holdPerson"), question: "holdReason", done: "acted" },
      (reason) => call("PUT", `desk/holds/${person.id}`, { body: { reason } }))),
    section(say("timeline"), timelineOf(desk, timeline)),
  ];
}

function restricted({ say, date }, { person, restricted: { since, request } }) {
  return [
    element("div.head", {}, element("h1", {}, person), chip(say("restricted"), "warn")),
    element("section.card", {}, element("p", {}, say("restrictedHint")),
      facts([[say("since"), date(since, true)], [say("request"), request && element("a", { href: `#/requests/${encodeURIComponent(request)}` }, request)]])),
  ];
}

const FIELDS = ["email", "phone", "given", "family", "address", "born", "language"];

function golden({ say, date }, { fields, version }) {
  const written = (value) => (typeof value === "object" ? Object.values(value).join(", ") : String(value));
  return element("div.scroll", {}, element("table", {},
    element("caption.visually-hidden", {}, `${say("goldenRecord")} ${version}`),
    element("thead", {}, element("tr", {}, ["field", "value", "source", "rule"].map((name) => element("th", { scope: "col" }, say(name))))),
    element("tbody", {}, FIELDS.filter((name) => fields[name]).map((name) => {
      const { value, source, at, rule } = fields[name];
      return element("tr", {}, element("th", { scope: "row" }, say(`field.${name}`)), element("td", {}, written(value)),
        element("td", {}, systemOf(say, source), element("br"), element("span.quiet", {}, date(at))), element("td.quiet", {}, rule && ruleOf(say, rule)));
    }))));
}

function consents(desk, { id, consents = {} }, history) {
  const { say, date } = desk;
  const names = Object.keys(consents);
  if (names.length === 0) return [element("p.empty", {}, say("noConsents")), setConsent(desk, id, consents)];
  return [
    element("ul.plain", {}, names.map((name) => {
      const { state, source, at } = consents[name];
      return element("li", {}, chip(say(state === "granted" ? "given" : "withdrawn"), state === "granted" ? "good" : "bad"),
        ` ${say(`consent.${name}`)} `, element("span.quiet", {}, `${systemOf(say, source)} · ${date(at)}`));
    })),
    element("details", {}, element("summary", {}, say("history")), element("ol.history", {}, history.map((entry) =>
      element("li", {}, element("time", { datetime: entry.at }, date(entry.at, true)), element("span", {},
        `${say(`consent.${entry.purpose}`)}: ${say(entry.state === "granted" ? "given" : "withdrawn")} · `,
        entry.by ?? systemOf(say, entry.source), entry.why && ` · ${entry.why}`))))),
    setConsent(desk, id, consents),
  ];
}

const CONSENTS = ["newsletter", "profiling", "partners", "phone"];

/** What a person says on the phone: each purpose can be given, or withdrawn. */
function setConsent(desk, person, consents) {
  const { say } = desk;
  return CONSENTS.map((purpose) => {
    const state = consents[purpose]?.state === "granted" ? "withdrawn" : "granted";
    const label = `${say(state === "granted" ? "give" : "withdraw")}: ${say(`consent.${purpose}`)}`;
    const act = (why) => call("PUT", `persons/${person}/consents`, { body: { purpose, state, why } });
    return reasoned(desk, { id: `consent-${purpose}`, label, question: "consentReason", done: "acted" }, act);
  });
}

function why(desk, { person, links, accounts }) {
  const { say } = desk;
  const account = ({ source, account, token }) => element("span.account", {}, source ? `${systemOf(say, source)} ` : "", element("code", {}, account ?? token));
  if (links.length === 0) return [element("p", {}, accounts.map(account)), element("p.empty", {}, say("noLinks"))];
  return element("ul.links", {}, links.map((link) => element("li", {},
    element("div.pair", {}, account(link.a), element("span.join", { "aria-hidden": "true" }, "⟷"), account(link.b),
      element("span.score", {}, `${say("score")} ${Number(link.score).toFixed(2)}`)),
    element("ul.reasons", {}, link.reasons.map((reason) => element("li", {}, chip(ruleOf(say, reason.rule)),
      weightBar(reason.weight),
      element("span.quiet", {}, `${reason.weight > 0 ? "+" : ""}${Number(reason.weight).toFixed(1)}`)))),
    takeApart(desk, person, link))));
}

/** How much a reason says, for or against. */
const weightBar = (weight) => element("span.bar", { "aria-hidden": "true" },
  element("i", { class: `w${Math.max(1, Math.min(10, Math.round(Math.abs(weight))))}${weight < 0 ? " against" : ""}` }));

const ruleOf = (say, rule) => {
  const words = say(`rule.${rule}`);
  return words.startsWith("rule.") ? rule : words;
};

function takeApart(desk, person, { a, b }) {
  const act = (why) => call("POST", `persons/${person}/unmerge`, { body: { a: a.token, b: b.token, why } });
  return reasoned(desk, { id: `${a.token}-${b.token}`, label: desk.say("unmerge"), question: "unmergeReason", done: "unmerged" }, act);
}

const KNOWN = new Set(["at", "what", "source", "account", "event", "currency"]);

function timelineOf(desk, entries) {
  const { say, date } = desk;
  if (entries.length === 0) return element("p.empty", {}, say("noTimeline"));
  return element("ol.history", {}, entries.slice(0, 200).map((entry) => element("li", {},
    element("time", { datetime: entry.at }, date(entry.at, true)),
    element("span", {}, element("strong", {}, say(`what.${entry.what}`)), ` · ${systemOf(say, entry.source)}`,
      element("span.quiet", {}, [entry.account, ...moreOf(desk, entry)].filter(Boolean).map((fact) => ` · ${fact}`))))));
}

/** What else an entry says, in words where there are some. */
function moreOf({ say, language }, entry) {
  const currency = /^[A-Z]{3}$/.test(entry.currency) ? entry.currency : "EUR";
  const money = new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-IE", { style: "currency", currency });
  const words = {
    purpose: (purpose) => say(`consent.${purpose}`),
    state: (state) => say(state === "granted" ? "given" : "withdrawn"),
    fields: (fields) => [fields].flat().map((field) => say(`field.${field}`)).join(", "),
    cents: (cents) => money.format(cents / 100), id: String, from: String,
  };
  return Object.entries(entry).filter(([name]) => !KNOWN.has(name)).map(([name, value]) =>
    words[name]?.(value) ?? `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
}
