// Data-subject requests as the desk shows them. What `requests` stores (requests/MODEL.md) is read here and
// nowhere else in the desk.
const CLOSED = new Set(["done", "refused", "expired"]);
/** A request that was never confirmed was not handled by anyone. */
const HANDLED = new Set(["done", "refused"]);
const DAY = 24 * 60 * 60 * 1000;

export const isClosed = ({ state }) => CLOSED.has(state);

/** Whether the answer came, or will come, after its time. */
export const isLate = (request, now) => (request.closedAt ?? now) >= request.deadline.dueAt;

/** A line of the list. The address is only hinted at: the list is open all day. */
export function summary(request, now, zone) {
  const closed = isClosed(request);
  return {
    id: request.id,
    kind: request.kind,
    status: request.state,
    closed,
    subject: masked(request.contact?.email),
    received: request.receivedAt,
    deadline: request.deadline.due,
    daysLeft: daysBetween(today(now, zone), request.deadline.due),
    late: !closed && isLate(request, now),
    extended: Boolean(request.deadline.extended),
    hold: Boolean(request.hold),
    systems: systemsOf(request).map(({ system, state }) => ({ system, done: DONE.has(state), failed: FAILED.has(state) })),
  };
}

const DONE = new Set(["answered", "done"]);
const FAILED = new Set(["failed", "escalated"]);

const systemsOf = ({ systems = {} }) => Object.entries(systems).map(([system, facts]) => ({ system, ...facts }));

function masked(email) {
  if (!email) return "–";
  const at = email.lastIndexOf("@");
  return `${email.slice(0, 1)}…${email.slice(at)}`;
}

const today = (now, zone) => new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(new Date(now));
const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / DAY);

const SHOWN = {
  open: (request) => !isClosed(request),
  late: (request, now) => !isClosed(request) && isLate(request, now),
  closed: isClosed,
  all: () => true,
};

/** The list of those that `show` names: open before closed, who is due first before the others. */
export function overview(requests, show, now, zone) {
  const chosen = requests.filter((request) => SHOWN[show](request, now));
  const order = (request) => (isClosed(request) ? `1${invert(request.receivedAt)}` : `0${request.deadline.dueAt}`);
  chosen.sort((one, other) => (order(one) < order(other) ? -1 : 1));
  const count = (name) => requests.filter((request) => SHOWN[name](request, now)).length;
  return {
    requests: chosen.map((request) => summary(request, now, zone)),
    counts: Object.fromEntries(Object.keys(SHOWN).map((name) => [name, count(name)])),
  };
}

// Later times first: each digit becomes nine less itself.
const invert = (time) => time.replace(/\d/g, (digit) => 9 - digit);

export const isShown = (show) => Object.hasOwn(SHOWN, show);

/** All of one request, with the evidence that the systems gave. */
export function detail(request, evidence, now, zone) {
  return {
    ...summary(request, now, zone),
    subject: request.contact?.email ?? "–",
    extended: request.deadline.extended?.reason,
    outcome: request.outcome ?? undefined,
    reason: request.reason ?? request.doubt?.why ?? request.error ?? undefined,
    hold: request.hold?.reason,
    details: request.details,
    persons: request.subject?.persons ?? [],
    doubtful: request.doubt?.persons ?? [],
    actions: actionsOf(request),
    systems: systemsOf(request).map(({ system, state, askedAt, answeredAt, attempts, error }) =>
      ({ system, state, at: answeredAt ?? askedAt, attempts, error: error ?? undefined })),
    evidence: evidence.map(({ system, document }) => ({
      system, at: document.at, document, kept: linesOf(document.kept), proof: linesOf(document.proof),
    })),
    history: historyOf(request),
  };
}

const line = (piece) => (typeof piece === "string" ? piece : Object.values(piece).map((value) => JSON.stringify(value).replace(/^"|"$/g, "")).join(" · "));
const linesOf = (pieces) => (Array.isArray(pieces) ? pieces.map(line) : []);

// What `requests` lets happen in a state (its domain/states.py); it has the last word.
const ACTIONS = {
  unverified: ["refuse"],
  collecting: ["retry", "extend", "hold", "refuse"],
  held: ["release", "extend", "refuse"],
  review: ["approve", "extend", "hold", "refuse"],
  completing: ["retry", "extend", "refuse"],
};

function actionsOf({ state, kind, marks = {}, deadline, subject }) {
  if (state === "done") return kind === "restriction" && !marks.lifted ? ["lift"] : [];
  const erasing = kind === "erasure" && subject;
  return (ACTIONS[state] ?? []).filter((action) => !(action === "extend" && deadline.extended) && !(action === "hold" && erasing) && !(action === "refuse" && state === "completing" && erasing));
}

// A mark may end in what it was sent for, such as a date: `reminded-7-2026-04-07`.
const sent = (mark) => /^(reminded|late|told-held|told-identity)/.exec(mark)?.[0] ?? mark;

// What happened to it, what was sent, who did not answer.
function historyOf({ history = [], marks = {}, escalations = [] }) {
  const entries = [
    ...history.map(({ at, by, what }) => ({ at, by, what: what.replace(/^request\./, "") })),
    ...Object.entries(marks).filter(([mark]) => !mark.startsWith("escalated")).map(([mark, at]) => ({ at, what: `sent-${sent(mark)}` })),
    ...escalations.map(({ at, systems }) => ({ at, what: "escalated", systems })),
  ];
  return entries.sort((one, other) => (one.at < other.at ? -1 : 1));
}

/** How many were handled, how fast, and how many of them in time; by kind and by month. */
export function metrics(requests, now) {
  const handled = requests.filter(({ state, closedAt }) => HANDLED.has(state) && closedAt);
  const open = requests.filter((request) => !isClosed(request));
  return {
    ...measured(handled),
    onTime: handled.filter((request) => !isLate(request, now)).length,
    open: open.length,
    late: open.filter((request) => isLate(request, now)).length,
    byKind: grouped(handled, ({ kind }) => kind).map(([kind, group]) => ({ kind, ...measured(group) })),
    byMonth: grouped(handled, ({ closedAt }) => closedAt.slice(0, 7)).slice(-12).map(([month, group]) => ({ month, ...measured(group) })),
  };
}

function measured(handled) {
  const days = handled.map(({ receivedAt, closedAt }) => (Date.parse(closedAt) - Date.parse(receivedAt)) / DAY);
  return { handled: handled.length, medianDays: median(days) };
}

/** The median to one decimal; null of nothing. */
export function median(numbers) {
  if (numbers.length === 0) return null;
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  const value = sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
  return Math.round(value * 10) / 10;
}

function grouped(requests, nameOf) {
  const groups = new Map();
  for (const request of requests) {
    const name = nameOf(request);
    groups.set(name, [...(groups.get(name) ?? []), request]);
  }
  return [...groups].sort(([one], [other]) => (one < other ? -1 : 1));
}
