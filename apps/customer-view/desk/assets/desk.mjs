// The desk: which view is shown, in which language, and what the keys do. The views are files of their own.
import { Refused, call } from "./api.mjs";
import { element, fill, find } from "./dom.mjs";
import { listen } from "./keys.mjs";
import { auditView, metricsView } from "./numbers.mjs";
import { personView, searchView } from "./people.mjs";
import { requestView, requestsView } from "./requests.mjs";
import { dateIn, preferred, speaker } from "./words.mjs";

const VIEWS = ["requests", "search", "metrics", "audit"];
const ROUTES = [
  [/^requests$/, requestsView, "requests"],
  [/^requests\/([^/]+)$/, requestView, "requests"],
  [/^search$/, searchView, "search"],
  [/^persons\/([^/]+)$/, personView, "search"],
  [/^metrics$/, metricsView, "metrics"],
  [/^audit$/, auditView, "audit"],
];

const stored = (name) => localStorage.getItem(`desk.${name}`) ?? undefined;
const store = (name, value) => localStorage.setItem(`desk.${name}`, value);

const desk = {
  language: preferred(new URLSearchParams(location.search).get("lang") ?? stored("language"), navigator.language),
  say: undefined,
  date: (value, withTime) => dateIn(desk.language, value, withTime),
  /** What the officer said that the data are needed for; kept for this tab. */
  get purpose() { return sessionStorage.getItem("desk.purpose") ?? ""; },
  set purpose(text) { sessionStorage.setItem("desk.purpose", text); },
  go: (hash) => { location.hash = hash; },
  refresh: () => show(),
  announce,
};

function announce(text) {
  find("#note").textContent = text;
}

function frame() {
  desk.say = speaker(desk.language);
  document.documentElement.lang = desk.language === "zh" ? "zh-CN" : "en";
  document.title = desk.say("title");
  for (const place of document.querySelectorAll("[data-say]")) place.textContent = desk.say(place.dataset.say);
  for (const place of document.querySelectorAll("[data-label]")) {
    place.setAttribute("aria-label", desk.say(place.dataset.label));
    place.title = desk.say(place.dataset.label);
  }
  find("#language").lang = desk.language === "zh" ? "en" : "zh-CN";
}

const theme = (name) => { document.documentElement.dataset.theme = name; };

function signIn(reason) {
  find("header.bar").classList.add("signed-out");
  const token = element("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
  const form = element("form.sign-in.card", { onsubmit: submit },
    element("h1", {}, desk.say("signIn")),
    element("p.hint", {}, desk.say("signInHint")),
    element("label", { for: "token" }, desk.say("token")), token,
    element("p.wrong", { role: "alert" }, reason ?? ""),
    element("button.primary", { type: "submit" }, desk.say("signIn")));
  async function submit(event) {
    event.preventDefault();
    try {
      await call("POST", "session", { body: { token: token.value } });
      show();
    } catch (error) {
      find(".wrong", form).textContent = message(error);
      token.select();
    }
  }
  fill(find("#content"), form);
  token.focus();
}

async function signOut() {
  await call("DELETE", "session");
  signIn();
}

function message(error) {
  const words = desk.say(`error.${error.code}`);
  return words.startsWith("error.") ? error.message : words;
}

let shown = 0;

/** Shows what the address names; an answer that comes after the next step is dropped. */
async function show() {
  const turn = ++shown;
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [match, view, tab] = routeOf(path);
  frame();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const made = await view(desk, match, new URLSearchParams(query));
    if (turn !== shown) return;
    find("header.bar").classList.remove("signed-out");
    announce("");
    fill(find("#content"), made);
    focusOn(find("[data-focus]", find("#content")) ?? find("h1", find("#content")));
  } catch (error) {
    if (turn === shown) failed(error);
  }
}

function routeOf(path) {
  for (const [pattern, view, tab] of ROUTES) {
    const found = pattern.exec(path);
    if (found) return [found[1] && decodeURIComponent(found[1]), view, tab];
  }
  return [undefined, requestsView, "requests"];
}

function failed(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) return signIn(error.code === "SessionEnded" ? message(error) : undefined);
  find("header.bar").classList.remove("signed-out");
  announce("");
  const by = error.facts.erased?.request;
  fill(find("#content"), element("h1", { tabindex: "-1" }, message(error)),
    by && element("p", {}, `${desk.say("request")} `, element("a", { href: `#/requests/${encodeURIComponent(by)}` }, by)),
    element("p", {}, element("a", { href: "#/requests", "data-back": true }, desk.say("back"))));
  focusOn(find("h1"));
}

function focusOn(place) {
  if (!place) return;
  if (place.tagName === "H1") place.tabIndex = -1;
  place.focus({ preventScroll: place.tagName === "H1" });
}

function switchLanguage() {
  desk.language = desk.language === "zh" ? "en" : "zh";
  store("language", desk.language);
  show();
}

function switchTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  theme(now === "dark" ? "light" : "dark");
  store("theme", document.documentElement.dataset.theme);
}

theme(stored("theme") ?? "");
find("#language").addEventListener("click", switchLanguage);
find("#theme").addEventListener("click", switchTheme);
find("#sign-out").addEventListener("click", () => signOut().catch(failed));
listen({
  views: VIEWS.map((view) => () => desk.go(`/${view}`)),
  search: () => desk.go("/search"),
  refresh: show,
  language: switchLanguage,
  theme: switchTheme,
}, desk);
addEventListener("hashchange", show);
show();
