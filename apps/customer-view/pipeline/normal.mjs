// The one form of what the five systems say: `view.normal/1` of MODEL.md. identity/cases.json holds this and the Rust
// library of the same purpose to each other.

// Schema → its type in the one form, and the member with the id.
const SCHEMAS = {
  "shop.account/1": ["account"],
  "orders.order/1": ["order", "order"],
  "delivery.parcel/1": ["parcel", "parcel"],
  "marketing.contact/1": ["contact"],
  "calls.note/1": ["call", "call"],
};
const FACTS = ["cents", "currency", "items", "status", "note", "order"];

export function normal(schema, part) {
  const [type, id] = SCHEMAS[schema];
  const fact = Object.fromEntries(FACTS.filter((name) => name !== id && part[name] !== undefined).map((name) => [name, part[name]]));
  return {
    type,
    ...(id && { id: part[id] }),
    said: said(part),
    ...(some(part.consents) && { consents: part.consents }),
    ...(some(fact) && { fact }),
  };
}

const some = (object) => object && Object.keys(object).length > 0;
const known = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

function said(part) {
  const address = addressOf(part.address);
  const [given, family] = part.name === undefined ? [] : split(part.name);
  return known({
    email: part.email?.trim().toLowerCase(),
    phone: e164(part.phone, address?.country ?? "DE"),
    given: name(part.given) ?? given,
    family: name(part.family) ?? family,
    address,
    born: part.born,
    language: part.language?.trim().toLowerCase(),
  });
}

// Calling codes of the countries the retailer sells to.
const CODES = { AT: "43", BE: "32", CH: "41", CN: "86", DE: "49", DK: "45", ES: "34", FR: "33", GB: "44", IT: "39", NL: "31", PL: "48" };

// The number with its calling code, that of the country where it has none; undefined where it cannot be a number.
export function e164(text, country) {
  if (text === undefined) return undefined;
  const trimmed = text.trim().replaceAll("(0)", "");
  let digits = trimmed.replace(/[^0-9]/g, "");
  if (!trimmed.startsWith("+")) {
    if (digits.startsWith("00")) digits = digits.slice(2);
    else if (digits.startsWith("0") && CODES[country]) digits = CODES[country] + digits.slice(1);
    else return undefined;
  }
  return digits.length >= 8 && digits.length <= 15 ? `+${digits}` : undefined;
}

// Spaces made single, none around; undefined of nothing.
const tidy = (text) => text?.trim().split(/\s+/).join(" ") || undefined;

// "ANNA-MARIA WEISS" and "anna-maria weiss" as "Anna-Maria Weiss"; what has both cases stays.
function cased(text) {
  const mixed = /\p{Ll}/u.test(text) && /\p{Lu}/u.test(text);
  if (mixed || text === undefined) return text;
  return text.toLowerCase().replace(/[\p{L}\p{N}]+/gu, ([first, ...rest]) => first.toUpperCase() + rest.join(""));
}

const name = (text) => (tidy(text) === undefined ? undefined : cased(tidy(text)));

const TITLES = ["dr", "prof", "herr", "frau", "mr", "mrs", "ms", "mme", "m"];
const words = (text) => text.split(/\s+/).filter((word) => word && !TITLES.includes(word.toLowerCase().replace(/\.+$/, "")));

// "Weiß, Ada" and "Dr. Ada Weiß" as given and family name. A single word is a family name.
function split(whole) {
  const comma = whole.indexOf(",");
  const [given, family] = comma < 0 ? [words(whole).slice(0, -1), words(whole).slice(-1)] : [words(whole.slice(comma + 1)), words(whole.slice(0, comma))];
  return [name(given.join(" ")), name(family.join(" "))];
}

function addressOf(part) {
  const street = name(part?.street);
  const address = known({
    street: street?.replace(/^([0-9]\S*?),* (.+)$/, "$2 $1"),
    postcode: tidy(part?.postcode)?.toUpperCase(),
    city: name(part?.city),
    country: tidy(part?.country)?.toUpperCase(),
  });
  return some(address) ? address : undefined;
}
