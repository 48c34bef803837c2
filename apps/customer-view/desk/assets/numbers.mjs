// Metrics, and the audit trail.
import { call, get } from "./api.mjs";
import { element, fill } from "./dom.mjs";
import { kindOf, section } from "./requests.mjs";

/** What was handled, how fast, how much of it late. */
export async function metricsView({ say, language }) {
  const metrics = await get("desk/metrics");
  const days = (value) => (value === null ? "–" : say("days", { n: value }));
  const tiles = [
    ["handled", String(metrics.handled)], ["medianDays", days(metrics.medianDays)],
    ["onTime", metrics.handled === 0 ? "–" : percent(language, metrics.onTime / metrics.handled)],
    ["openNow", String(metrics.open)], ["lateNow", String(metrics.late), metrics.late > 0 ? "bad" : "good"],
  ];
  return [
    element("h1", {}, say("metrics")),
    element("dl.tiles", {}, tiles.map(([name, value, tone]) => element("div.card", {},
      element("dt", {}, say(name)), element(tone ? `dd.${tone}` : "dd", {}, value)))),
    element("div.columns", {},
      section(say("byKind"), bars(say, metrics.byKind.map(({ kind, ...rest }) => ({ name: kindOf(say, kind), ...rest })))),
      section(say("byMonth"), bars(say, metrics.byMonth.map(({ month, ...rest }) => ({ name: month, ...rest }))))),
  ];
}

const percent = (language, share) =>
  new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-IE", { style: "percent" }).format(share);

function bars(say, rows) {
  if (rows.length === 0) return element("p.empty", {}, say("noMetrics"));
  const most = Math.max(...rows.map(({ handled }) => handled), 1);
  return element("table.bars", {},
    element("thead.visually-hidden", {}, element("tr", {}, ["kind", "handled", "medianDays"].map((name) => element("th", { scope: "col" }, say(name))))),
    element("tbody", {}, rows.map(({ name, handled, medianDays }) => element("tr", {},
      element("th", { scope: "row" }, name),
      element("td", {}, element("span.bar", {}, element("i", { class: `w${Math.max(handled > 0 ? 1 : 0, Math.round((handled / most) * 10))}` })), " ", String(handled)),
      element("td.quiet", {}, medianDays === null ? "–" : say("days", { n: medianDays }))))));
}

/** The audit trail, newest first, and whether it is whole. */
export async function auditView(desk) {
  const { say } = desk;
  const rows = element("tbody");
  const older = element("button", { type: "button", onclick: () => load() }, say("more"));
  const result = element("p", { role: "status" });
  const check = element("button.primary", { type: "button", onclick: async () => {
    fill(result, say("loading"));
    let { records, broken, next } = await call("POST", "desk/audit/verify");
    while (next) ({ records, broken, next } = await call("POST", `desk/audit/verify?after=${next}`));
    result.className = broken ? "wrong" : "right";
    fill(result, broken ? say("chainBroken", broken) : say("chainGood", { n: records }));
  } }, say("verify"));
  let before;
  async function load() {
    const page = await get(before ? `desk/audit?before=${before}` : "desk/audit");
    rows.append(...page.records.map((record) => row(desk, record)));
    before = page.next;
    older.hidden = !before;
  }
  await load();
  if (rows.children.length === 0) rows.append(element("tr", {}, element("td.empty", { colspan: "5" }, say("noAudit"))));
  return [
    element("div.head", {}, element("h1", {}, say("audit")), check),
    result,
    element("p.hint", {}, say("auditHint")),
    element("div.scroll", {}, element("table.audit", {},
      element("thead", {}, element("tr", {}, ["number", "at", "who", "what", "reason"].map((name) => element("th", { scope: "col" }, say(name))))),
      rows)),
    older,
  ];
}

function row({ date }, { n, at, actor, action, person, request, detail = {} }) {
  const { why, persons = [], ...rest } = typeof detail === "object" ? detail : { why: detail };
  const about = [request, person, ...persons.slice(0, 3)].filter(Boolean);
  const facts = Object.entries(rest).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return element("tr", {}, element("td.number", {}, String(n)), element("td", {}, date(at, true)), element("td", {}, actor),
    element("td", {}, action, about.map((id) => [" ", element("code", {}, id)]), element("span.quiet", {}, facts.map((fact) => ` ${fact}`))),
    element("td", {}, why ?? ""));
}
