/** Search: the query as a feed, with chips and filters that write operators into it, counts over time, and export. */

import { chosenTime } from "./asof.js";
import { chart } from "./bars.js";
import { $, h } from "./dom.js";
import { exportMenu } from "./export.js";
import { json } from "./http.js";
import { iso, language, t } from "./i18n.js";
import { postEntry, totalText } from "./post.js";
import { join, parse, valueOf, withValue, written } from "./query.js";
import { announce, here, start } from "./shell.js";
import { summary } from "./summary.js";
import { watch } from "./watch.js";

const PAGE = 20;
const UNITS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const filters = $("filters");
const given = new URLSearchParams(location.search);
const asOf = chosenTime();
const asOfPart = asOf ? { as_of: asOf } : {};

let query = parse(given.get("q") ?? "");
let sort = given.get("sort") === "latest" ? "latest" : "relevance";
let cursor = "";
let loading = false;
let run = 0; // the number of the search; results of an earlier one are dropped

// ------------------------------------------------------------------ the query in its controls

function showQuery() {
  $("q").value = join(query);
  $("chips").hidden = query.operators.length === 0;
  $("chips").replaceChildren(...query.operators.map((operator) => {
    const text = written(operator);
    const remove = h("button", { type: "button", "aria-label": t("remove_filter", { text }) }, "×");
    remove.addEventListener("click", () => {
      change({ ...query, operators: query.operators.filter((one) => one !== operator) });
      ($("chips").querySelector("button") ?? $("q")).focus();
    });
    return h("span", { class: operator.not ? "chip not" : "chip" }, operator.not && `${t("without")} `, `${operator.name}: `, h("b", { dir: "auto" }, operator.value.replaceAll('"', "")), remove);
  }));
  const { time, network, lang, filter, from } = filters.elements;
  const range = valueOf(query, "since") || valueOf(query, "until");
  const within = valueOf(query, "within_time");
  time.value = range ? "range" : [...time.options].some((one) => one.value === within) ? within : "";
  $("range").hidden = time.value !== "range";
  for (const name of ["since", "until"]) {
    const value = valueOf(query, name).replace(/Z$/, "");
    filters.elements[name].value = value && !value.includes("T") ? `${value}T00:00` : value.slice(0, 16);
  }
  for (const [select, name] of [[network, "network"], [lang, "lang"], [filter, "filter"]]) {
    const value = valueOf(query, name);
    if (value && ![...select.options].some((one) => one.value === value)) select.append(h("option", { value }, select === lang ? language(value) : value));
    select.value = value;
  }
  from.value = valueOf(query, "from");
  filters.elements.sort.value = sort;
  $("to-live").href = `/live?${new URLSearchParams({ q: join(query) })}`;
  $("save-alert").href = `/alerts?${new URLSearchParams({ query: join(query) })}`;
}

/** Another query: its address goes into the history, and it is searched. */
function change(next, nextSort = sort) {
  query = next;
  sort = nextSort;
  window.history.pushState(null, "", here({ q: join(query), sort: sort === "latest" ? sort : "" }));
  search();
}

filters.addEventListener("change", ({ target }) => {
  const value = target.value.trim();
  if (target.name === "sort") change(query, value);
  else if (target.name === "time") {
    $("range").hidden = value !== "range";
    const plain = withValue(withValue(query, "since", ""), "until", "");
    if (value === "range") $("range").querySelector("input").focus();
    else change(withValue(plain, "within_time", value));
  } else if (target.name === "since" || target.name === "until") {
    change(withValue(withValue(query, "within_time", ""), target.name, value && `${value}Z`));
  } else if (target.name === "from") change(withValue(query, "from", value.replace(/^@/, "").replace(/\s.*/, "")));
  else change(withValue(query, target.name, value));
});
filters.addEventListener("submit", (event) => event.preventDefault());
$("box").addEventListener("submit", (event) => {
  if (event.submitter && !event.submitter.formAction.endsWith("/search")) return;
  event.preventDefault();
  change(parse($("q").value));
});
window.addEventListener("popstate", () => location.reload());

async function fillFilters() {
  const store = await summary().catch(() => null);
  if (!store) return;
  const fill = (select, names, label) => {
    const { value } = select;
    select.append(...names.filter((name) => ![...select.options].some((one) => one.value === name)).map((name) => h("option", { value: name }, label(name))));
    select.value = value;
  };
  fill(filters.elements.network, Object.keys(store.networks), (name) => name);
  fill(filters.elements.lang, Object.keys(store.languages).filter((code) => code !== "und").slice(0, 40), language);
  $("save-alert").hidden = !store.alerts;
  if (!join(query)) $("feed").querySelector(".starters")?.append(...store.tags.map((tag) => h("a", { href: `/search?${new URLSearchParams({ q: tag })}` }, tag)));
}

// ------------------------------------------------------------------ results

function search() {
  run += 1;
  cursor = "";
  $("feed").replaceChildren();
  $("more").replaceChildren();
  $("counted").hidden = true;
  showQuery();
  document.title = `${join(query) || t("view_search")} · ${t("title")}`;
  const empty = !join(query);
  $("results-bar").hidden = empty;
  if (empty) {
    $("feed").replaceChildren(h("div", { class: "notice" }, h("p", {}, h("b", {}, t("search_start"))), h("p", {}, t("search_start_help")), h("p", { class: "actions starters" })));
    return;
  }
  $("total").textContent = t("searching");
  $("feed").replaceChildren(...Array.from({ length: 3 }, () => h("div", { class: "skeleton", "aria-hidden": "true" })));
  page(true).then(count);
}

/** Loads the next page; the first one replaces what is shown. */
async function page(first) {
  if (loading && !first) return;
  const mine = run;
  loading = true;
  try {
    const found = await json(`/v1/search?${new URLSearchParams({ q: join(query), sort, limit: PAGE, cursor, ...asOfPart })}`);
    if (mine !== run) return;
    if (first) $("feed").replaceChildren(...found.hints.map((hint) => h("p", { class: "notice" }, hint)));
    const before = $("feed").childElementCount;
    $("feed").append(...found.hits.map(postEntry));
    cursor = found.next ?? "";
    if (found.partial) $("feed").append(h("p", { class: "notice" }, t("partial_page")));
    if (first && !found.hits.length && !cursor) {
      $("feed").append(h("div", { class: "notice" }, h("p", {}, h("b", {}, t("no_results"))), h("p", {}, t("no_results_help"))));
      announce(t("no_results"));
    } else foot();
    if (!first) announce(t("n_posts", { n: $("feed").childElementCount - before }));
    watch([...$("feed").querySelectorAll(".entry")].map((entry) => entry.dataset.key), drop);
  } catch (error) {
    if (mine !== run) return;
    $("total").textContent = "";
    if (first) $("feed").replaceChildren();
    $("more").replaceChildren(h("p", { class: "notice problem", role: "alert" }, t("failed", { reason: error.message })), moreButton(t("try_again"), first));
  } finally {
    if (mine === run) loading = false;
  }
}

function moreButton(label, first = false) {
  const button = h("button", { type: "button", class: "second" }, label);
  button.addEventListener("click", () => page(first));
  return button;
}

/** The end of the list: it loads the next page by itself when it is scrolled to. */
function foot() {
  if (!cursor) return $("more").replaceChildren(h("p", { class: "note" }, t("end")));
  const button = moreButton(t("more"));
  $("more").replaceChildren(button);
  new IntersectionObserver(([seen], observer) => {
    if (!button.isConnected || loading) return;
    if (seen.isIntersecting) {
      observer.disconnect();
      page(false);
    }
  }, { rootMargin: "600px" }).observe(button);
}

/** Posts that were deleted meanwhile stay as a note, so that nothing jumps. */
function drop(keys) {
  for (const entry of $("feed").querySelectorAll(".entry")) {
    if (keys.includes(entry.dataset.key)) entry.replaceWith(h("p", { class: "entry note" }, t("deleted_note")));
  }
  announce(t("deleted_note"));
}

/** The number of all matches and the chart of them over time. */
async function count() {
  const mine = run;
  try {
    const base = { q: join(query), ...asOfPart };
    let found = await json(`/v1/counts?${new URLSearchParams({ ...base, by: "day" })}`);
    const finer = found.counts.length > 0 && found.counts.length <= 3 ? (valueOf(query, "since") && found.total.posts && span() <= 3 * UNITS.hour ? "minute" : "hour") : null;
    if (finer) found = await json(`/v1/counts?${new URLSearchParams({ ...base, by: finer })}`);
    if (mine !== run) return;
    $("total").textContent = totalText(found.total);
    announce($("total").textContent);
    if (!found.counts.length) return;
    $("counted").replaceChildren(chart(found.counts, UNITS[found.by], narrow));
    if (!found.total.exact) $("counted").append(h("p", { class: "note" }, t("chart_partial")));
    if (found.undated) $("counted").append(h("p", { class: "note" }, t("n_undated", { n: found.undated })));
    $("counted").hidden = false;
  } catch {
    if (mine === run) $("total").textContent = "";
  }
}

const span = () => Date.parse(valueOf(query, "until") || iso(Date.now())) - Date.parse(valueOf(query, "since"));

/** Restricts the search to the time of a bar. */
function narrow(from, to) {
  const plain = withValue(query, "within_time", "");
  change(withValue(withValue(plain, "since", iso(from)), "until", iso(to)));
}

start();
exportMenu($("export"), () => ({ q: join(query), ...asOfPart }));
search();
fillFilters();
