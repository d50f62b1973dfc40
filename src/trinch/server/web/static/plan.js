/** Plan: inputs that are the address, an estimate while they move, plans pinned beside one another, the report. */

import { $, h } from "./dom.js";
import { blob, json } from "./http.js";
import { number, t } from "./i18n.js";
import { compared, headline, shown } from "./planview.js";
import { announce, start } from "./shell.js";

const DEFAULTS = { model: "grok-1", gpu: "H100-SXM-80GB", gpus: "20000", tokens: "10T", precision: "bf16", fleet: "llama-3" };
const TEXTS = ["model", "config", "gpu", "site", "precision", "engine", "software_date", "fleet", "checkpoint", "grid"];
const MOST_PINS = 5;
/** Least and most of each slider; all but PUE are logarithmic. */
const DIALS = {
  gpus: [8, 200_000], tokens: [1e10, 1e14], days: [1, 365], price: [0.5, 20], mtbf_hours: [5_000, 500_000], pue: [1, 2], batch: [16, 32_768],
};
const UNITS = { k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12 };

const form = $("plan-form");
const results = new Map(); // estimates by their inputs
let pins = []; // inputs of pinned plans
let current = null; // the estimate that is shown
let busy = false;

// ------------------------------------------------------------------ inputs

/** 20k, 10T, 1,000 as a number. */
function quantity(text) {
  const found = /^([\d.,_\s]+)([kmbgt]?)$/i.exec(text.trim());
  return found ? Number(found[1].replace(/[,_\s]/g, "")) * (UNITS[found[2].toLowerCase()] ?? 1) : NaN;
}

/** 1e13 as 10T. */
function withUnit(n) {
  for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"]]) if (n >= size) return `${Number((n / size).toPrecision(4))}${unit}`;
  return String(Number(n.toPrecision(6)));
}

/** What the form says, as parameters of an address: those that differ from nothing. */
function read() {
  const given = {};
  for (const { name, value } of form.elements) if (name && value.trim()) given[name] = value.trim();
  delete given[$("goal").value === "days" ? "tokens" : "days"];
  delete given[given.model ? "config" : "model"];
  return new URLSearchParams(Object.entries(given).sort()).toString();
}

function write(query) {
  const given = Object.fromEntries(new URLSearchParams(query));
  for (const { name } of form.elements) if (name) form.elements[name].value = given[name] ?? "";
  for (const name of ["gpu", "precision", "fleet"]) form.elements[name].value ||= DEFAULTS[name];
  $("goal").value = given.days ? "days" : "tokens";
  form.elements.tokens.value ||= DEFAULTS.tokens;
  form.elements.days.value ||= "90";
  reveal();
  for (const slider of form.querySelectorAll("[data-for]")) place(slider);
}

function reveal() {
  $("pasted").hidden = form.elements.model.value !== "";
  $("dial-tokens").hidden = $("goal").value === "days";
  $("dial-days").hidden = $("goal").value !== "days";
}

/** Moves a slider to the value of its field. */
function place(slider) {
  const name = slider.dataset.for;
  const [low, high] = DIALS[name];
  const field = form.elements[name];
  const value = quantity(field.value || field.dataset.used || "");
  const share = name === "pue" ? (value - low) / (high - low) : Math.log(value / low) / Math.log(high / low);
  slider.value = Number.isFinite(share) ? Math.round(share * 1000) : 500;
  slider.setAttribute("aria-valuetext", field.value || field.dataset.used || t("plan_auto"));
}

/** Writes the value of a slider into its field. */
function slid(slider) {
  const name = slider.dataset.for;
  const [low, high] = DIALS[name];
  const share = slider.value / 1000;
  let value = name === "pue" ? low + share * (high - low) : low * (high / low) ** share;
  value = name === "pue" ? Number(value.toFixed(2)) : Number(value.toPrecision(value < 1000 ? 2 : 3));
  if (name === "gpus") value = Math.max(8, Math.round(value / 8) * 8);
  if (name === "batch" || name === "days") value = Math.round(value);
  form.elements[name].value = name === "tokens" ? withUnit(value) : String(value);
  slider.setAttribute("aria-valuetext", form.elements[name].value);
}

/** The body of /v1/plan. Throws where a field cannot be read. */
function body(query) {
  const asked = {};
  for (const [name, text] of new URLSearchParams(query)) {
    if (name === "config") {
      try {
        asked.config = JSON.parse(text);
      } catch {
        throw new Error(t("plan_not_json"));
      }
    } else if (TEXTS.includes(name)) asked[name] = text;
    else if (name !== "pin" && name !== "lang") {
      asked[name] = quantity(text);
      if (Number.isNaN(asked[name])) throw new Error(t("plan_not_number", { field: t(`plan_${{ mtbf_hours: "mtbf", nic_gbits: "nic" }[name] ?? name}`), value: text }));
    }
  }
  return asked;
}

// ------------------------------------------------------------------ estimates

function estimate(query) {
  if (!results.has(query)) {
    const asked = (async () => json("/v1/plan", { body: body(query) }))();
    asked.catch(() => results.delete(query));
    results.set(query, asked);
    if (results.size > 200) results.delete(results.keys().next().value);
  }
  return results.get(query);
}

/** Asks for what the form says, again until the form has not changed meanwhile: one request at a time. */
async function update() {
  history.replaceState(null, "", `/plan?${address()}`);
  if (busy) return;
  busy = true;
  $("plan-result").setAttribute("aria-busy", "true");
  for (let query = null; query !== read(); ) {
    query = read();
    try {
      current = await estimate(query);
      show(null);
    } catch (error) {
      show(error.message);
    }
  }
  busy = false;
  $("plan-result").removeAttribute("aria-busy");
  compare();
}

function show(problem) {
  $("plan-problem").hidden = !problem;
  $("plan-problem").textContent = problem ? t("failed", { reason: problem }) : "";
  $("plan-shown").hidden = Boolean(problem);
  $("pin").disabled = $("report").disabled = Boolean(problem);
  $("plan-headline").textContent = problem ? t("plan_title") : headline(current);
  if (problem) return;
  $("plan-shown").replaceChildren(...shown(current));
  const { batch, pue, mtbf_hours: mtbf } = form.elements;
  batch.dataset.used = String(current.batch.sequences);
  pue.dataset.used = String(current.power.pue);
  mtbf.dataset.used = String(Math.round(current.failures.mtbf_hours * current.plan.n_gpus));
  for (const field of [batch, mtbf, pue]) field.placeholder = number(field.dataset.used);
  for (const slider of form.querySelectorAll("[data-for]")) if (document.activeElement !== slider) place(slider);
}

const said = () => announce($("plan-problem").hidden ? $("plan-headline").textContent : $("plan-problem").textContent);

// ------------------------------------------------------------------ pinned plans, address, report

function address() {
  const query = new URLSearchParams(read());
  for (const pin of pins) query.append("pin", pin);
  return query.toString();
}

async function compare() {
  $("compared").hidden = pins.length === 0;
  if (!pins.length) return;
  const plans = await Promise.all(pins.map((query) => estimate(query).catch((error) => error)));
  $("plan-table").replaceChildren(...compared(current, plans, { use, remove }));
}

function use(i) {
  write(pins[i]);
  update().then(said);
}

function remove(i) {
  pins.splice(i, 1);
  update();
  $("pin").focus();
}

$("pin").addEventListener("click", () => {
  const query = read();
  if (!pins.includes(query)) pins = [...pins, query].slice(-MOST_PINS);
  update();
  announce(t("plan_pinned"));
});

$("copy-address").addEventListener("click", async () => {
  const note = $("plan-report-note");
  note.hidden = false;
  try {
    await navigator.clipboard.writeText(location.href);
    note.textContent = t("link_copied");
  } catch {
    note.textContent = location.href;
  }
  announce(note.textContent);
});

$("report").addEventListener("click", async () => {
  const note = $("plan-report-note");
  note.hidden = false;
  note.textContent = t("plan_report_waiting");
  $("report").disabled = true;
  try {
    const file = URL.createObjectURL(await blob("/v1/plan/report", { body: body(read()) }));
    h("a", { href: file, download: "plan.html" }).click();
    setTimeout(() => URL.revokeObjectURL(file), 60_000);
    note.textContent = t("exported", { name: "plan.html" });
  } catch (error) {
    note.textContent = t("failed", { reason: error.message });
  }
  $("report").disabled = false;
  announce(note.textContent);
});

let timer = 0;
form.addEventListener("input", ({ target }) => {
  if (target.dataset.for) slid(target);
  else if (DIALS[target.name]) place(form.querySelector(`[data-for="${target.name}"]`));
  reveal();
  clearTimeout(timer);
  timer = setTimeout(update, 120);
});
form.addEventListener("change", () => {
  clearTimeout(timer);
  update().then(said);
});
form.addEventListener("submit", (event) => event.preventDefault());

start();
const given = new URLSearchParams(location.search);
pins = given.getAll("pin").slice(0, MOST_PINS);
given.delete("pin");
given.delete("lang");
write(given.has("gpus") ? given.toString() : new URLSearchParams(DEFAULTS).toString());
update();
