// The page of the desk, whose content is made in the browser.
import { preferred, speaker } from "./assets/words.mjs";

/** Nothing from elsewhere, nothing inline, no frame around it. */
export const POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
  "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
].join("; ");

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);

/** The language that the address or the browser asks for. */
export const languageOf = ({ queryStringParameters, headers }) =>
  preferred(queryStringParameters?.lang, headers?.["accept-language"]);

const VIEWS = ["requests", "search", "metrics", "audit"];

/** The page. Its words are put in again by its script, in the language that was chosen. */
export function deskPage(language) {
  const say = speaker(language);
  const text = (key) => escape(say(key));
  const link = (view) => `<a href="#/${view}" data-view="${view}" data-say="${view}">${text(view)}</a>`;
  return `<!doctype html>
<html lang="${language === "zh" ? "zh-CN" : "en"}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${text("title")}</title>
  <link rel="icon" href="desk/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="desk/assets/desk.css">
  <script type="module" src="desk/assets/desk.mjs"></script>
</head>
<body>
  <a class="skip" href="#content" data-say="skip">${text("skip")}</a>
  <header class="bar signed-out">
    <a class="brand" href="#/requests"><i></i><span data-say="title">${text("title")}</span></a>
    <nav>${VIEWS.map(link).join("")}</nav>
    <div class="tools">
      <button type="button" id="language" data-say="language">${text("language")}</button>
      <button type="button" id="theme" data-label="theme"><span aria-hidden="true">◐</span></button>
      <button type="button" id="help" data-label="help"><span aria-hidden="true">?</span></button>
      <button type="button" id="sign-out" data-say="signOut">${text("signOut")}</button>
    </div>
  </header>
  <div id="note" class="note" role="status" aria-live="polite"></div>
  <main id="content" tabindex="-1"><noscript>${text("needsScript")}</noscript></main>
  <dialog id="keys" aria-labelledby="keys-title"></dialog>
</body>
</html>
`;
}
