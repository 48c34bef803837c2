// Elements from code. Text becomes text nodes, so that a name like `<script>` is a name.

/** `element("a.chip", {href: "#x"}, "text", other)`; properties that begin with `on` are listeners. */
export function element(what, properties = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const made = document.createElement(tag);
  if (classes.length > 0) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false || value === null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

/** Shows `children`, and nothing else, in `place`. */
export const fill = (place, ...children) => place.replaceChildren(...children.flat(Infinity).filter(Boolean));

export const find = (selector, within = document) => within.querySelector(selector);
