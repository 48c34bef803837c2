// The keys of the desk. They do nothing while one writes, and can be switched off, because who dictates or
// misses a key should not find the page elsewhere (WCAG 2.1.4).
import { element, fill, find } from "./dom.mjs";

const HELP = [
  ["1 2 3 4", "key.views"], ["j k ↓ ↑", "key.move"], ["Enter", "key.open"], ["Esc", "key.back"], ["/", "key.search"],
  ["r", "key.refresh"], ["l", "key.language"], ["t", "key.theme"], ["?", "key.help"],
];

const isOn = () => localStorage.getItem("desk.keys") !== "off";
const writes = (target) => target.closest?.("input, select, textarea, [contenteditable]");

/** Listens to the whole page; `actions` is what single keys do. */
export function listen(actions, desk) {
  const help = () => showHelp(desk);
  const keys = {
    "/": actions.search, r: actions.refresh, l: actions.language, t: actions.theme, "?": help,
    j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), Escape: back,
  };
  actions.views.forEach((view, index) => { keys[index + 1] = view; });
  find("#help").addEventListener("click", help);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
    if (writes(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const single = event.key.length === 1;
    if (!(event.key in keys) || (single && event.key !== "?" && !isOn())) return;
    if (keys[event.key]() !== false) event.preventDefault();
  });
}

/** Moves to the next or the previous row; false where there are none, so that the page scrolls. */
function move(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (rows.length === 0) return false;
  const now = rows.indexOf(document.activeElement.closest("[data-row]"));
  const next = now < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(now + step, 0), rows.length - 1);
  const row = rows[next];
  (row.matches("a, button") ? row : find("a, button", row)).focus();
  row.scrollIntoView({ block: "nearest" });
  return true;
}

function back() {
  const link = find("a[data-back]");
  if (!link) return false;
  link.click();
  return true;
}

function showHelp({ say }) {
  const dialog = find("#keys");
  const on = element("input", { type: "checkbox", id: "keys-on", checked: isOn(), onchange: () => {
    localStorage.setItem("desk.keys", on.checked ? "on" : "off");
  } });
  fill(dialog,
    element("h2", { id: "keys-title" }, say("keysTitle")),
    element("p.hint", {}, say("keysHint")),
    element("dl.keys", {}, HELP.map(([keys, what]) => [
      element("dt", {}, keys.split(" ").map((key) => [element("kbd", {}, key), " "])),
      element("dd", {}, say(what)),
    ])),
    element("p", {}, element("label", { for: "keys-on" }, on, " ", say("keysOn"))),
    element("form", { method: "dialog" }, element("button.primary", { autofocus: true }, say("close"))));
  dialog.showModal();
}
