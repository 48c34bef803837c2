// What happens behind an order. Nobody waits for these functions, and none of them knows the others:
// stock and invoice listen to the bus, notify to the bucket, summary to the clock.
import { get, list, put } from "./bucket.mjs";

// An order was placed: put its things aside.
export async function stock({ detail: order }) {
  for (const [product, count] of Object.entries(order.items)) {
    console.log(`${order.order}: ${count} × ${product} put aside`);
  }
}

// An order was placed: write its invoice. Written twice it is the same file, so a repeated event does no harm.
export async function invoice({ detail: order, time }) {
  await put(`invoices/${order.order}.json`, { date: time, ...order });
  console.log(`${order.order}: invoice over ${euros(order.total)} written`);
}

// An invoice lies in the bucket: tell the customer. A real shop would send the mail.
export async function notify({ Records }) {
  for (const { s3 } of Records) {
    const invoice = await get(decodeURIComponent(s3.object.key));
    console.log(`${invoice.order}: "Thank you! ${euros(invoice.total)}, it leaves tomorrow."`);
  }
}

// Every night: what all orders come to.
export async function summary() {
  const invoices = await Promise.all((await list("invoices/")).map(get));
  const total = invoices.reduce((sum, { total }) => sum + total, 0);
  const result = { orders: invoices.length, total };
  await put(`summaries/${new Date().toISOString().slice(0, 10)}.json`, result);
  console.log(`${result.orders} orders, ${euros(total)}`);
  return result;
}

const euros = (cents) => `${(cents / 100).toFixed(2)} EUR`;
