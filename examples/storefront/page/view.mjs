// The page as HTML. Every value that is not ours is escaped by the `html` tag.
import { art, harbour, logo } from "./art.mjs";

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);
const raw = (markup) => ({ markup });
const html = (parts, ...values) => raw(String.raw({ raw: parts }, ...values.map(insert)));

function insert(value) {
  if (Array.isArray(value)) return value.map(insert).join("");
  return value?.markup ?? escape(value);
}

const euros = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });
const price = (cents) => euros.format(cents / 100);

const KINDS = { home: "For the cabin", outdoors: "For the shore", wear: "For the weather" };

export function renderPage({ products, cart, functionName }) {
  const count = Object.values(cart.items).reduce((sum, many) => sum + many, 0);
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Leeward — good things for windy days</title>
  <meta name="description" content="A small shop that runs on Tradewind.">
  <link rel="icon" href="data:image/svg+xml,${encodeURIComponent(logo)}">
  <link rel="stylesheet" href="assets/shop.css">
  <script type="module" src="assets/shop.mjs"></script>
</head>
<body data-cart-id="${cart.id}">
  <a class="skip" href="#goods">Skip to the goods</a>
  ${header(count)}
  <main>
    ${hero()}
    ${goods(products)}
  </main>
  ${footer(functionName)}
  ${cartPanel()}
</body>
</html>
`.markup;
}

function header(count) {
  return html`<header class="bar">
    <a class="brand" href="./">${raw(logo)}<span>Leeward</span></a>
    <button class="cart-button" type="button" data-open-cart aria-haspopup="dialog">
      Cart <span class="count" data-count aria-live="polite">${count}</span>
    </button>
  </header>`;
}

function hero() {
  return html`<section class="hero">
      ${raw(harbour)}
      <div class="hero-text">
        <h1>Good things<br>for windy days.</h1>
        <p>Honest objects, chosen by people who live where the weather comes from.</p>
        <a class="button" href="#goods">See the goods</a>
      </div>
    </section>`;
}

function goods(products) {
  return html`<section class="goods" id="goods" aria-labelledby="goods-title">
      <div class="goods-head">
        <h2 id="goods-title">The goods</h2>
        <div class="kinds" role="group" aria-label="Show">
          <button type="button" data-kind="" aria-pressed="true">Everything</button>
          ${Object.entries(KINDS).map(
            ([kind, label]) => html`<button type="button" data-kind="${kind}" aria-pressed="false">${label}</button>`,
          )}
        </div>
      </div>
      <ul class="grid">${products.map(card)}</ul>
      <noscript><p>The cart needs JavaScript; the window shopping does not.</p></noscript>
    </section>`;
}

function card(product) {
  return html`
        <li class="card" data-product="${product.id}" data-kind="${product.kind}" data-price="${product.price}">
          <div class="tile tile-${product.id}">${raw(art[product.id])}</div>
          <h3>${product.name}</h3>
          <p>${product.note}</p>
          <div class="buy">
            <strong>${price(product.price)}</strong>
            <button class="add" type="button" data-add="${product.id}">Add<span class="visually-hidden"> ${product.name}</span></button>
          </div>
        </li>`;
}

function footer(functionName) {
  return html`<footer>
    <p>This page was made by the function <code>${functionName}</code>. Nothing here is for sale.</p>
    <details class="backstage">
      <summary>Behind the counter</summary>
      <p>Every click below was answered by a function. The newest is on top.</p>
      <ol data-calls><li>Put something into the cart.</li></ol>
    </details>
  </footer>`;
}

function cartPanel() {
  return html`<dialog class="panel" data-panel aria-labelledby="panel-title">
    <div class="panel-head">
      <h2 id="panel-title">Your cart</h2>
      <button type="button" class="close" data-close-cart aria-label="Close the cart">×</button>
    </div>
    <div class="panel-body" data-panel-body></div>
  </dialog>`;
}
