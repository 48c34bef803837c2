// Headless Chromium, driven over the DevTools protocol by two pipes: no package, no port.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const KEYS = { Enter: ["Enter", 13, "\r"], Escape: ["Escape", 27], Tab: ["Tab", 9], ArrowDown: ["ArrowDown", 40], ArrowUp: ["ArrowUp", 38], Space: ["Space", 32, " "] };
const PATIENCE = 20_000;

/** A browser with one page. `close()` ends it. */
export async function open({ language = "en-US", dark = false } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "desk-browser-"));
  const program = process.env.CHROMIUM ?? "chromium-headless-shell";
  const child = spawn(program, ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
    "--no-first-run", "--hide-scrollbars", `--user-data-dir=${profile}`, "about:blank"],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const send = protocol(child);
  const { targetInfos } = await send("Target.getTargets");
  const { targetId } = targetInfos.find(({ type }) => type === "page");
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const page = pageOf((method, params) => send(method, params, sessionId), send.listen);
  await page.prepare(language, dark);
  return {
    ...page,
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      await send("Browser.close").catch(() => child.kill());
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function protocol(child) {
  const waiting = new Map();
  const listeners = [];
  let [next, rest] = [1, ""];
  const fail = (error) => { for (const { reject } of waiting.values()) reject(error); };
  child.once("error", fail);
  child.once("exit", () => fail(new Error("the browser ended")));
  child.stdio[4].setEncoding("utf8").on("data", (data) => {
    const messages = (rest + data).split("\0");
    rest = messages.pop();
    for (const message of messages.map((text) => JSON.parse(text))) {
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      if (!call) listeners.forEach((listener) => listener(message));
      else if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`));
      else call.resolve(message.result);
    }
  });
  const send = (method, params = {}, sessionId) => new Promise((resolve, reject) => {
    const id = next++;
    waiting.set(id, { method, resolve, reject });
    child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  });
  send.listen = (listener) => listeners.push(listener);
  return send;
}

function pageOf(send, listen) {
  const complaints = [];
  listen(({ method, params }) => {
    if (method === "Runtime.exceptionThrown") complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Log.entryAdded" && params.entry.level === "error") complaints.push(`${params.entry.text} ${params.entry.url ?? ""}`);
  });

  /** The value of an expression in the page. */
  async function evaluate(expression) {
    const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true. */
  async function until(expression, what = expression) {
    const end = Date.now() + PATIENCE;
    while (Date.now() < end) {
      const value = await evaluate(expression).catch(() => undefined); // the page may just be on its way
      if (value) return value;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`waited for ${what}; the page says: ${await evaluate("document.body.innerText")}`);
  }

  /** Presses and releases a key. */
  async function press(name, modifiers = 0) {
    const [key, code, text] = KEYS[name] ?? [name, name.toUpperCase().charCodeAt(0), name];
    const event = { key: name === "Space" ? " " : key, code: name.length === 1 ? undefined : key, windowsVirtualKeyCode: code, text, modifiers };
    await send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...event });
    await send("Input.dispatchKeyEvent", { type: "keyUp", ...event, text: undefined });
  }

  return {
    complaints, evaluate, until, press,
    async prepare(language, dark) {
      await Promise.all(["Page", "Runtime", "Log", "Network"].map((domain) => send(`${domain}.enable`)));
      await send("Emulation.setLocaleOverride", { locale: language.replace("-", "_") });
      await send("Network.setUserAgentOverride", { userAgent: "desk-test", acceptLanguage: language });
      await send("Emulation.setDeviceMetricsOverride", { width: 1280, height: 860, deviceScaleFactor: 1, mobile: false });
      await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
    },
    go: (url) => send("Page.navigate", { url }),
    /** Types a text where the focus is. */
    type: (text) => send("Input.insertText", { text }),
    width: (width, height = 860) => send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false }),
    async screenshot(file) {
      const { data } = await send("Page.captureScreenshot", { format: "png" });
      writeFileSync(file, Buffer.from(data, "base64"));
    },
    /** The page as a screen reader has it: role and name of what can be reached. */
    async accessible() {
      const { nodes } = await send("Accessibility.getFullAXTree");
      return nodes.filter(({ ignored }) => !ignored).map(({ role, name, properties }) =>
        ({ role: role?.value, name: name?.value ?? "", focusable: properties?.some((p) => p.name === "focusable" && p.value.value) }));
    },
  };
}
