// The cart of the page. The server is asked after every change; what it answers is what we show.

const $ = (selector, root = document) => root.querySelector(selector);
const euros = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });
const price = (cents) => euros.format(cents / 100);

const cartUrl = `cart/${document.body.dataset.cartId}`;
const panel = $("[data-panel]");
const panelBody = $("[data-panel-body]");
const products = new Map([...document.querySelectorAll("[data-product]")].map((card) => [card.dataset.product, {
  name: $("h3", card).textContent,
  price: Number(card.dataset.price),
  tile: $(".tile", card),
}]));

let items = {};

// Talking to the functions

async function call(method, path, body) {
  const start = performance.now();
  const response = await fetch(path, {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  note(method, path, response, performance.now() - start);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? `the shop answered ${response.status}`);
  return answer;
}

function note(method, path, response, ms) {
  const list = $("[data-calls]");
  const route = `${method} /${path.split("/")[0]}`.padEnd(15);
  const by = response.headers.get("x-function") ?? "";
  const line = document.createElement("li");
  line.textContent = `${route} ${response.status}  ${ms.toFixed(1).padStart(7)} ms   ${by}`;
  if (list.dataset.used) list.prepend(line);
  else list.replaceChildren(line);
  list.dataset.used = "yes";
  while (list.children.length > 12) list.lastChild.remove();
}

async function change(id, count) {
  const wanted = { ...items, [id]: count };
  if (count < 1) delete wanted[id];
  await attempt(async () => show((await call("PUT", cartUrl, { items: wanted })).items));
}

async function attempt(action) {
  try {
    await action();
  } catch (problem) {
    panelBody.prepend(element("p", { className: "problem", role: "alert" }, `That did not work: ${problem.message}`));
    if (!panel.open) panel.showModal();
  }
}

// Showing the cart

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function show(newItems) {
  items = newItems;
  const count = $("[data-count]");
  const many = Object.values(items).reduce((sum, one) => sum + one, 0);
  if (count.textContent !== String(many)) {
    count.textContent = many;
    count.classList.remove("bump");
    requestAnimationFrame(() => count.classList.add("bump"));
  }
  if (panel.open) return drawPanel();
}

async function drawPanel() {
  if (Object.keys(items).length === 0) {
    panelBody.replaceChildren(message("Nothing here yet", "The wind is fair and the shelves are full."));
    return;
  }
  const drawnFor = items;
  const quote = await call("POST", "quote", { items });
  if (drawnFor !== items) return; // changed while we asked; the newer answer draws
  const focused = document.activeElement?.dataset?.step;
  panelBody.replaceChildren(lines(), ...suggestion(quote), totals(quote), checkoutButton(quote));
  if (focused) $(`[data-step="${focused}"]`, panelBody)?.focus();
}

function lines() {
  return element("ul", { className: "lines" }, ...Object.entries(items).map(([id, count]) => {
    const product = products.get(id);
    return element("li", { className: "line" },
      product.tile.cloneNode(true),
      element("div", {}, element("h3", {}, product.name), stepper(id, count, product.name)),
      element("span", { className: "amount" }, price(product.price * count)));
  }));
}

function stepper(id, count, name) {
  const step = (sign, by, label) => {
    const button = element("button", { type: "button", ariaLabel: label, onclick: () => change(id, count + by) }, sign);
    button.dataset.step = `${id}${sign}`;
    return button;
  };
  return element("div", { className: "stepper" },
    step("−", -1, `One ${name} less`), element("output", {}, String(count)), step("+", 1, `One ${name} more`));
}

function suggestion(quote) {
  const product = products.get(quote.suggestion);
  if (!product) return [];
  return [element("div", { className: "suggestion" },
    product.tile.cloneNode(true),
    element("div", {}, element("small", {}, "Goes well with it"), element("strong", {}, product.name)),
    element("button", { type: "button", className: "add", onclick: () => change(quote.suggestion, 1) }, "Add"))];
}

function totals(quote) {
  const shipping = quote.shipping ? price(quote.shipping) : "free";
  const row = (label, amount, className = "") =>
    [element("dt", { className }, label), element("dd", { className }, amount)];
  const more = quote.untilFreeShipping
    ? row(`Free shipping for ${price(quote.untilFreeShipping)} more`, "", "quiet") : [];
  return element("dl", { className: "totals" },
    ...row("Goods", price(quote.subtotal)), ...row("Shipping", shipping), ...more,
    ...row("Total", price(quote.total), "grand"),
    ...row("VAT included", price(quote.vatIncluded), "quiet"));
}

function checkoutButton(quote) {
  return element("button", { type: "button", className: "checkout", onclick: () => attempt(order) },
    `Order for ${price(quote.total)}`);
}

async function order() {
  const placed = await call("POST", "checkout", { items });
  items = (await call("PUT", cartUrl, { items: {} })).items;
  $("[data-count]").textContent = "0";
  panelBody.replaceChildren(message("Thank you!", `Order ${placed.order} over ${price(placed.total)} is on its way to nowhere: this is an example.`));
}

function message(title, text) {
  return element("div", { className: "note", role: "status" },
    $(".brand svg").cloneNode(true), element("h3", {}, title), element("p", { className: "quiet" }, text));
}

// Listening

document.addEventListener("click", (click) => {
  const target = click.target.closest("button");
  if (target?.dataset.add) change(target.dataset.add, (items[target.dataset.add] ?? 0) + 1);
  else if (target?.dataset.kind !== undefined) filter(target);
  else if (target?.hasAttribute("data-open-cart")) openCart();
  else if (target?.hasAttribute("data-close-cart") || click.target === panel) panel.close();
});

function openCart() {
  panel.showModal();
  attempt(drawPanel);
}

function filter(chosen) {
  for (const button of document.querySelectorAll(".kinds button")) button.ariaPressed = String(button === chosen);
  for (const card of document.querySelectorAll(".card")) {
    card.hidden = chosen.dataset.kind !== "" && card.dataset.kind !== chosen.dataset.kind;
  }
}

attempt(async () => show((await call("GET", cartUrl)).items));
