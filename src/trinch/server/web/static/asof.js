/** The as-of time of a view: any date and minute, UTC; empty is now. */

import { $, h } from "./dom.js";
import { date, iso, t } from "./i18n.js";
import { summary } from "./summary.js";

const box = $("asof");
const input = $("asof-time");
const HOUR = 3_600_000;
const STEPS = [["minus_day", -24 * HOUR], ["minus_hour", -HOUR], ["plus_hour", HOUR], ["plus_day", 24 * HOUR]];

let exact = null; // the time of the address, to the second, until another is chosen
let onChosen = () => {};

const given = new URLSearchParams(location.search).get("as_of")?.trim();
if (given) {
  const when = /^\d{5,12}$/.test(given) ? new Date(given * 1000) : new Date(/T.*(Z|[+-]\d\d:?\d\d)$/.test(given) ? given : `${given}${given.includes("T") ? "" : "T00:00"}Z`);
  if (!Number.isNaN(when.valueOf())) exact = iso(when);
}

/** The chosen time, RFC 3339; null is now. */
export const chosenTime = () => exact ?? (input?.value ? iso(`${input.value}:00Z`) : null);

function show() {
  const time = chosenTime();
  $("asof-text").textContent = time ? date(time) : t("latest");
  box.classList.toggle("past", time !== null);
}

function choose(when) {
  exact = null;
  input.value = when === null ? "" : iso(when).slice(0, 16);
  show();
  onChosen();
}

/** Chooses a time, in milliseconds since 1970. */
export const pickTime = (when) => choose(Math.min(when, Date.now()));

/** Starts the control; `chosen` is called when another time was chosen. */
export function initTime(chosen) {
  onChosen = chosen;
  if (!box) return;
  show();
  input.addEventListener("change", () => choose(input.value ? `${input.value}:00Z` : null));
  input.form.addEventListener("submit", () => {
    input.disabled = !input.value; // an address without an empty as_of
    setTimeout(() => (input.disabled = false));
  });
  document.addEventListener("click", (event) => box.contains(event.target) || (box.open = false));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    box.open = false;
    box.querySelector("summary").focus();
  });
  box.addEventListener("toggle", () => box.open && fill(), { once: true });
}

/** The steps, and the years of the store where there are several. */
async function fill() {
  const button = (label, when) => {
    const made = h("button", { type: "button" }, label);
    made.addEventListener("click", () => choose(when()));
    return made;
  };
  const { first, newest } = await summary().catch(() => ({}));
  $("asof-steps").hidden = false;
  $("asof-steps").replaceChildren(
    ...STEPS.map(([name, by]) => button(t(name), () => Math.min(Date.parse(chosenTime() ?? newest ?? new Date()) + by, Date.now()))),
    ...(newest ? [button(t("newest_post"), () => Date.parse(newest) + 60_000)] : []),
    button(t("latest"), () => null),
  );
  if (!first) return;
  input.min = `${first.slice(0, 10)}T00:00`;
  const [from, to] = [+first.slice(0, 4), +newest.slice(0, 4)];
  if (to > from) $("asof-years").replaceChildren(h("span", { class: "note" }, t("end_of")),
    ...Array.from({ length: to - from }, (_, i) => button(String(from + i), () => `${from + i}-12-31T23:59:00Z`)));
}
