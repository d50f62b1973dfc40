/** How a plan is shown: tiles, facts, the parts of a step, and several plans beside one another. */

import { h, svg } from "./dom.js";
import { lang, number, t } from "./i18n.js";

const MOST_PARTS = 9;
const format = (options) => new Intl.NumberFormat(lang, options);
const short = format({ maximumSignificantDigits: 3 });
const compact = format({ notation: "compact", maximumSignificantDigits: 4 });
const dollars = format({ style: "currency", currency: "USD", notation: "compact", maximumSignificantDigits: 3 });
const percent = format({ style: "percent", maximumFractionDigits: 1 });

const range = (low, high, write) => t("plan_range", { low: write(low), high: write(high) });
const inDays = (n) => t("plan_n_days", { n: short.format(n) });
const seconds = (n) => `${short.format(n)} s`;
const watts = (n) => `${short.format(n)} MW`;
const way = ({ how }) => how === "own" ? t("plan_own") : t("plan_rent", { from: how.replace("rent, ", "") });

/** What a plan is, in one line. */
export const headline = ({ plan, tokens, days }) => t("plan_headline", {
  model: plan.model, gpus: number(plan.n_gpus + plan.spare_gpus), gpu: plan.gpu, tokens: compact.format(tokens), days: inDays(days.p50),
});

/** The rows of tiles and of the comparison: name, value, its range. */
const ROWS = [
  ["days", ({ days }) => [inDays(days.p50), range(days.p10, days.p90, (n) => short.format(n))], ({ days }) => days.p50],
  ["step", ({ plan }) => [seconds(plan.step_time_s), range(...plan.band_s, seconds)], ({ plan }) => plan.step_time_s],
  ["mfu", ({ plan }) => [percent.format(plan.mfu), range(...plan.mfu_band, percent.format)], ({ plan }) => plan.mfu],
  ["ettr", ({ failures }) => [percent.format(failures.ettr.p50), range(failures.ettr.p10, failures.ettr.p90, percent.format)], ({ failures }) => failures.ettr.p50],
  ["cost", ({ cost }) => cost.ways.length ? [dollars.format(cost.ways[0].usd), `${range(cost.ways[0].low, cost.ways[0].high, (n) => dollars.format(n))}, ${way(cost.ways[0])}`] : ["–", t("plan_no_price")], ({ cost }) => cost.ways[0]?.usd],
  ["power", ({ power }) => [watts(power.site_mw), range(power.site_low_mw, power.site_high_mw, watts)], ({ power }) => power.site_mw],
];

/** A plan: tiles, facts, parts of its step. */
export const shown = (found) => [
  h("dl", { class: "tiles" }, ...ROWS.map(([name, value]) => {
    const [main, beside] = value(found);
    return h("div", {}, h("dt", {}, t(`plan_row_${name}`)), h("dd", {}, main, h("small", {}, beside)));
  })),
  h("ul", { class: "plan-facts" }, ...facts(found).map(([text, warn]) => h("li", { class: warn && "warn" }, text))),
  h("h3", {}, t("plan_parts")),
  h("ul", { class: "parts" }, ...parts(found.plan)),
];

/** Sentences about a plan: [text, whether it is a warning]. */
function facts({ plan, batch, idle_share, failures, power, cost, tokens }) {
  const listed = [
    [t("plan_layout", { layout: plan.label, n: plan.n_gpus })],
    [t("plan_memory", { used: short.format(plan.memory_gb), room: short.format(plan.memory_limit_gb) }), plan.memory_gb > plan.memory_limit_gb],
    [t("plan_step_size", { tokens: compact.format(plan.tokens_per_step), share: percent.format(batch.extra_tokens), budget: compact.format(tokens) })],
    [t("plan_failures", {
      n: number(Math.round(failures.interruptions)), every: short.format(failures.mtbf_hours), kind: t(`plan_kind_${failures.checkpoint}`), seconds: short.format(failures.interval_s),
    })],
    [t("plan_energy", { mwh: short.format(power.energy_mwh), peak: watts(power.peak_mw), provision: watts(power.provision_mw), tonnes: short.format(power.carbon_tonnes) })],
    [t("plan_gpu_hours", { hours: compact.format(cost.gpu_hours), ways: cost.ways.map((one) => `${way(one)} ${dollars.format(one.usd)}`).join("; ") || t("plan_no_price") })],
  ];
  if (idle_share > 0.01) listed.push([t("plan_idle", { n: number(plan.spare_gpus), share: percent.format(idle_share) }), true]);
  if (plan.unproven.length) listed.push([t("plan_unproven", { what: plan.unproven.join(", ") }), true]);
  if (!power.fits) listed.push([t("plan_over", { peak: watts(power.peak_mw), limit: watts(power.limit_mw), n: number(power.gpus_within_limit) }), true]);
  return listed;
}

function parts({ breakdown_s: all, step_time_s: step }) {
  const largest = Object.entries(all).filter(([, s]) => s > 0.001 * step).sort((a, b) => b[1] - a[1]).slice(0, MOST_PARTS);
  return largest.map(([name, s]) => h("li", {}, h("span", {}, t(`plan_part_${name}`)),
    svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: (100 * s) / largest[0][1], height: 10 })),
    h("b", {}, percent.format(s / step))));
}

/** The table of pinned plans beside the present one; each value with its difference to the present one. */
export function compared(current, pinned, { use, remove }) {
  const good = pinned.map((one, i) => [one, i]).filter(([one]) => !(one instanceof Error));
  const head = (found) => `${found.plan.model}, ${number(found.plan.n_gpus + found.plan.spare_gpus)} ${found.plan.gpu}`;
  const press = (label, name, act) => {
    const made = h("button", { type: "button", class: "quiet", "aria-label": name }, label);
    made.addEventListener("click", act);
    return made;
  };
  const cells = good.map(([found, i]) => h("th", { scope: "col" }, head(found), h("div", {},
    press(t("use"), t("plan_use", { plan: head(found) }), () => use(i)), " ",
    press(t("plan_remove"), t("plan_remove_one", { plan: head(found) }), () => remove(i)))));
  const rows = ROWS.map(([name, value, key]) => h("tr", {}, h("th", { scope: "row" }, t(`plan_row_${name}`)),
    h("td", {}, value(current)[0]),
    ...good.map(([found]) => h("td", {}, value(found)[0], difference(key(found), key(current))))));
  const layout = h("tr", {}, h("th", { scope: "row" }, t("plan_row_layout")), ...[current, ...good.map(([found]) => found)].map((found) => h("td", { class: "layout" }, found.plan.label)));
  return [h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, t("plan_present"), h("br"), head(current)), ...cells)), h("tbody", {}, ...rows, layout)];
}

const signed = format({ style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
const difference = (its, ours) => its && ours ? h("span", { class: "difference" }, signed.format(its / ours - 1)) : null;
