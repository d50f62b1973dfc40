/** The page's texts in its language: plurals, numbers, dates, durations. translations.py reads the same files. */

export const lang = document.documentElement.lang;
const table = await (await fetch(`/static/i18n/${lang}.json`)).json();
const plural = new Intl.PluralRules(lang);
const names = new Intl.DisplayNames([lang], { type: "language", fallback: "code" });

export const number = (n) => {
  const [whole, fraction] = String(n).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, table.thousands);
  return fraction ? grouped + (lang === "fr" ? "," : ".") + fraction : grouped;
};

/** t("n_posts", {n: 3}) is "3 posts". */
export function t(key, values = {}) {
  let found = table[key];
  if (typeof found === "object") found = plural.select(values.n) === "one" ? found.one : found.other;
  return found.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? number(values[name]) : values[name]));
}

const two = (n) => String(n).padStart(2, "0");

/** `23:00` of a time, UTC. */
export const clock = (when) => {
  const at = new Date(when);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
};

/** `17 March` of a time, UTC. */
export const day = (when) => {
  const at = new Date(when);
  return `${at.getUTCDate()} ${table.months[at.getUTCMonth()]}`;
};

/** `17 March 2026, 23:00 UTC`; "undated" for null. */
export const date = (when) => when === null ? t("undated") : `${day(when)} ${new Date(when).getUTCFullYear()}, ${clock(when)} UTC`;

const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });

/** A time of the last day as "5 minutes ago", any other as its date. */
export function ago(when) {
  const seconds = (Date.now() - new Date(when)) / 1000;
  if (seconds < 0 || seconds >= 86400) return date(when);
  const [unit, size] = seconds < 60 ? ["second", 1] : seconds < 3600 ? ["minute", 60] : ["hour", 3600];
  return relative.format(-Math.floor(seconds / size), unit);
}

/** A number of seconds as text: "hour", "3 hours". */
export function duration(seconds) {
  for (const [unit, size] of [["days", 86400], ["hours", 3600], ["minutes", 60]]) {
    if (seconds >= size) return t(unit, { n: Math.round(seconds / size) });
  }
  return t("seconds", { n: seconds });
}

/** The name of a language by its code. */
export function language(code) {
  if (code === "und") return t("other");
  try {
    return names.of(code);
  } catch {
    return code;
  }
}

const regions = new Intl.DisplayNames([lang], { type: "region", fallback: "code" });

/** The name of a country by its ISO 3166-1 code. */
export const country = (code) => (/^[A-Z]{2}$/.test(code) ? regions.of(code) : code);

/** RFC 3339 in seconds. */
export const iso = (when) => new Date(when).toISOString().replace(/\.\d+Z$/, "Z");

/** "@name", or "unknown". */
export const by = (author) => (author ? `@${author}` : t("unknown"));
