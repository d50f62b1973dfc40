/** Alerts: what fired, as it fires; a form for a new one; the saved ones, to be tested and removed. */

import { $, h, out } from "./dom.js";
import { act, json, keepOpen } from "./http.js";
import { by, date, number, t } from "./i18n.js";
import { announce, start } from "./shell.js";
import { searchPath } from "./storyparts.js";
import { watch } from "./watch.js";

const LISTED = 40; // alerts whose earlier firings are shown
const MOST = 200; // firings on the page
const QUANTITIES = ["dead", "injured", "missing", "rescued", "displaced", "arrested"];
const feed = $("feed");
const form = $("add");

let fired = new Map(); // number -> firing
let held = []; // firings that wait for a click
let following = () => {};

// ------------------------------------------------------------------ what fired

/** What happened, in one sentence. */
function summary({ trigger, count, facts }) {
  if (trigger !== "number") return t(`fired_${trigger}`, { n: count, ...facts });
  const quantity = QUANTITIES.includes(facts.quantity) ? t(`quantity_${facts.quantity}`) : facts.quantity;
  return t(facts.before === null ? "fired_number_first" : "fired_number", { quantity, value: number(facts.value), before: number(facts.before ?? 0) });
}

/** A post that is quoted in a firing or a test. */
const quoted = (post) => h("blockquote", { "data-key": post.key, dir: "auto" }, post.quote ?? post.text,
  h("footer", { class: "note" }, h("bdi", {}, out(post.url, () => by(post.author)) ?? by(post.author)), ` · ${date(post.at)}`));

const entry = (firing) => h("article", { class: "entry", "data-entry": "" },
  h("p", { class: "by" }, h("b", { dir: "auto" }, firing.name), h("span", { class: "badge" }, t(`trigger_${firing.trigger}`)), h("time", { datetime: firing.at }, date(firing.at))),
  h("h2", {}, firing.facts.story ? h("a", { href: `/story/${encodeURIComponent(firing.facts.story)}` }, summary(firing)) : summary(firing)),
  ...firing.posts.slice(0, 3).map(quoted),
  firing.posts.length > 3 && h("p", { class: "note" }, t("n_more_posts", { n: firing.posts.length - 3 })));

function insert(firings) {
  feed.querySelector(".notice")?.remove();
  feed.prepend(...firings.toSorted((a, b) => b.n - a.n).map(entry));
  while (feed.childElementCount > MOST) feed.lastElementChild.remove();
  watch([...feed.querySelectorAll("[data-key]")].map((post) => post.dataset.key), drop);
}

function drop(keys) {
  for (const post of document.querySelectorAll("[data-key]")) if (keys.includes(post.dataset.key)) post.replaceWith(h("p", { class: "note" }, t("deleted_note")));
  announce(t("deleted_note"));
}

const reading = () => window.scrollY > feed.offsetTop || feed.contains(document.activeElement);

function arrive(firing) {
  if (fired.has(firing.n)) return;
  fired.set(firing.n, firing);
  held.push(firing);
  if (!reading()) release();
  showHeld();
  announce(`${firing.name}: ${summary(firing)}`);
}

function release() {
  insert(held.splice(0));
  showHeld();
}

function showHeld() {
  $("fresh").hidden = held.length === 0;
  $("fresh").textContent = t("n_fired", { n: held.length });
}

/** Follows what fires behind the newest that is shown. */
function follow() {
  following();
  following = keepOpen(`/v1/alerts/events?after=${Math.max(0, ...fired.keys())}`, undefined, ({ name, data }) => name === "alert" && arrive(data));
}

// ------------------------------------------------------------------ the alerts

/** A button that asks once more before it acts. */
function twice(label, question, call) {
  const button = h("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", () => {
    if (button.textContent === question) return call();
    button.textContent = question;
    button.addEventListener("blur", () => (button.textContent = label), { once: true });
  });
  return button;
}

function row(alert) {
  const result = h("div", { class: "result", role: "status" });
  const test = h("button", { type: "button", class: "quiet" }, t("alert_test"));
  const failed = (error) => result.replaceChildren(h("p", { class: "problem" }, t("failed", { reason: error.message })));
  test.addEventListener("click", async () => {
    result.replaceChildren(h("p", { class: "note waiting" }, t("searching")));
    try {
      const found = await (await act(`/v1/alerts/${encodeURIComponent(alert.id)}/test`, "POST")).json();
      result.replaceChildren(h("p", {}, t(found.exact ? "test_matches" : "test_matches_least", { n: found.posts })), ...found.newest.map(quoted),
        ...found.deliveries.map((one) => h("p", { class: one.delivered ? "note" : "problem" }, `${t(`channel_${one.channel}`)}: ${one.note}`)));
    } catch (error) {
      failed(error);
    }
  });
  const remove = twice(t("alert_remove"), t("alert_remove_sure"), async () => {
    try {
      await act(`/v1/alerts/${encodeURIComponent(alert.id)}`, "DELETE");
      announce(t("alert_removed", { name: alert.name }));
      await load();
      $("alerts-title").scrollIntoView({ block: "nearest" });
    } catch (error) {
      failed(error);
    }
  });
  const facts = [["burst", "story", "silence"].includes(alert.trigger) && alert.window, alert.webhook && t("channel_webhook"), alert.email && alert.email,
    alert.quiet && `${t("alert_quiet")} ${alert.quiet} ${alert.zone}`, alert.digest && `${t("alert_digest")} ${alert.digest}`].filter(Boolean);
  return h("li", {}, h("p", { class: "name" }, h("b", { dir: "auto" }, alert.name), h("span", { class: "badge" }, t(`trigger_${alert.trigger}`))),
    h("p", { class: "note" }, h("code", { dir: "auto" }, alert.query || t("alert_every_post")), facts.length > 0 && ` · ${facts.join(" · ")}`),
    ...(alert.deliveries ?? []).filter((one) => one.error).map((one) => h("p", { class: "problem" }, `${t(`channel_${one.channel}`)}: ${one.error}`)),
    h("p", { class: "actions" }, test, alert.query && h("a", { class: "quiet", href: searchPath(alert.query) }, t("view_search")),
      h("a", { class: "quiet", href: `/v1/alerts/${encodeURIComponent(alert.id)}/feed` }, t("alert_feed")), remove), result);
}

/** Reads the alerts and what fired last of each. */
async function load() {
  try {
    const { alerts } = await json("/v1/alerts");
    const known = await Promise.all(alerts.slice(-LISTED).map((alert) => json(`/v1/alerts/${encodeURIComponent(alert.id)}`)));
    const full = new Map(known.map((alert) => [alert.id, alert]));
    fired = new Map(known.flatMap((alert) => alert.firings.map((firing) => [firing.n, firing])));
    held = [];
    showHeld();
    $("alerts").replaceChildren(...(alerts.length ? alerts.toReversed().map((alert) => row(full.get(alert.id) ?? alert)) : [h("li", { class: "note" }, t("alerts_none"))]));
    feed.replaceChildren();
    insert([...fired.values()].toSorted((a, b) => b.n - a.n).slice(0, MOST));
    if (!fired.size) feed.append(h("div", { class: "notice" }, h("p", {}, h("b", {}, t(alerts.length ? "fired_none" : "alerts_start"))), h("p", {}, t("alerts_start_help"))));
    if (!alerts.length) $("new").open = true;
    follow();
  } catch (error) {
    feed.replaceChildren(h("p", { class: "notice problem", role: "alert" }, t("failed", { reason: error.message })));
  }
  feed.removeAttribute("aria-busy");
}

// ------------------------------------------------------------------ a new one

function showTrigger() {
  const { value } = form.elements.trigger;
  $("trigger-help").textContent = t(`trigger_help_${value}`);
  for (const label of form.querySelectorAll("[data-for]")) {
    label.hidden = !label.dataset.for.split(" ").includes(value);
    label.querySelector("input").disabled = label.hidden;
  }
}

form.elements.trigger.addEventListener("change", showTrigger);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const settings = {};
  for (const { name, value, type, disabled } of form.elements) if (name && value && !disabled) settings[name] = type === "number" ? Number(value) : value.trim();
  try {
    const added = await json("/v1/alerts", { body: settings });
    $("added").replaceChildren(h("p", {}, t("alert_saved", { name: added.name })), ...(added.secret ? [h("p", {}, t("alert_secret"), " ", h("code", {}, added.secret))] : []));
    for (const name of ["topic", "query", "name"]) form.elements[name].value = "";
    await load();
  } catch (error) {
    $("added").replaceChildren(h("p", { class: "problem" }, t("failed", { reason: error.message })));
  }
});
$("fresh").addEventListener("click", () => {
  release();
  window.scrollTo({ top: 0 });
});

start();
showTrigger();
for (const [name, value] of new URLSearchParams(location.search)) {
  if (!["topic", "query", "trigger"].includes(name)) continue;
  form.elements[name].value = value;
  $("new").open = true;
}
if (!form.elements.trigger.value) form.elements.trigger.value = "match";
showTrigger();
load();
