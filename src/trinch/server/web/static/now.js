/** Now: what is happening. Stories and trends update in place; new stories wait for a click. */

import { chosenTime } from "./asof.js";
import { $, h } from "./dom.js";
import { json } from "./http.js";
import { date, language, number, t } from "./i18n.js";
import { gauges, onIngest } from "./ingest.js";
import { postEntry } from "./post.js";
import { announce, here, start } from "./shell.js";
import { discounts, keysOf, points, searchPath, sources, sparkline, status, storyPath } from "./storyparts.js";
import { endOf, summary } from "./summary.js";
import { watch } from "./watch.js";

const STORIES = 9;
const TRENDS = 12;
const EVERY = 60_000; // milliseconds between two updates
const SOON = 4_000; // the same while old posts arrive
const SETTLE = 16_000; // after the first post: the summary of the store is cached for 15 s
const TRIES = 12; // while the server counts the words of earlier days

const picker = $("window");
let asOf = chosenTime(); // null is now
let ended = false; // the newest post is older than a day: the view is of the end of the store, wherever that moves
let updated = 0; // when the view was updated last
let shown = new Map(); // id of a story -> {story, element}
let waiting = []; // stories that arrived since
let gone = new Set(); // keys of deleted posts
let empty = false; // nothing was ingested when the view was loaded

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The response of a path; where the server still counts, that is said and the request repeated. */
async function patiently(path) {
  for (let tried = 1; ; tried++) {
    try {
      return await json(path);
    } catch (error) {
      if (!["over_budget", "overloaded"].includes(error.code) || tried === TRIES) throw error;
      $("stories").replaceChildren(h("p", { class: "notice wide" }, h("span", { class: "waiting" }, t("counting"))), ...skeletons(3));
      await pause(500);
    }
  }
}

const skeletons = (n) => Array.from({ length: n }, () => h("div", { class: "skeleton", "aria-hidden": "true" }));

const query = (limit) => new URLSearchParams({ window: picker.value, limit, ...(asOf && { as_of: asOf }) });

function card(story, lead) {
  const languages = Object.entries(story.languages);
  const split = h("div", { class: "split", role: "img", "aria-label": languages.map(([code, n]) => `${language(code)} ${number(n)}`).join(", ") },
    ...languages.map(([, n]) => {
      const part = h("i");
      part.style.width = `${(n / story.posts) * 100}%`;
      return part;
    }));
  const networks = Object.keys(story.networks);
  return h("article", { class: lead ? "story lead" : "story", "data-entry": story.id },
    h("p", { class: "when" }, status(story), ...discounts(story), h("time", { datetime: story.first_seen }, t("since_time", { time: date(story.first_seen) }))),
    h("h2", { class: lead ? null : "clamped", dir: "auto" }, h("a", { href: storyPath(story.id, asOf) }, story.headline)),
    sparkline(story),
    lead && points(story),
    h("p", { class: "sources-of" }, `${t("quoted_from")} `, ...sources(story)),
    languages.length > 1 && split,
    h("p", { class: "foot" }, h("span", {}, h("b", {}, number(story.posts)), ` ${t("posts")}`), h("span", {}, h("b", {}, number(story.authors)), ` ${t("authors")}`),
      h("span", {}, t("an_hour", { n: story.rate })), h("span", {}, networks.join(", "))));
}

/** Draws all stories. */
function draw(stories) {
  shown = new Map(stories.map((story, i) => [story.id, { story, element: card(story, i === 0) }]));
  $("stories").replaceChildren(...[...shown.values()].map(({ element }) => element));
  $("stories").removeAttribute("aria-busy");
  waiting = [];
  $("fresh").hidden = true;
  watchAll();
}

/** Updates the stories that are shown where they are; others wait behind a button. */
function merge(stories) {
  for (const story of stories) {
    const old = shown.get(story.id);
    if (!old || JSON.stringify(old.story) === JSON.stringify(story) || old.element.contains(document.activeElement)) continue;
    const element = card(story, old.element.classList.contains("lead"));
    old.element.replaceWith(element);
    shown.set(story.id, { story, element });
  }
  waiting = stories;
  const fresh = stories.filter((story) => !shown.has(story.id)).length;
  $("fresh").hidden = fresh === 0;
  $("fresh").textContent = t("n_new_stories", { n: fresh });
  if (fresh) announce($("fresh").textContent);
  watchAll();
}

/** Removes what quotes a deleted post; a story without its headline goes as a whole. */
function drop(keys) {
  gone = new Set([...gone, ...keys]);
  for (const [id, { story, element }] of shown) {
    if (story.citations.some((one) => gone.has(one.key))) {
      element.remove();
      shown.delete(id);
    }
    for (const point of element.querySelectorAll("[data-key]")) if (gone.has(point.dataset.key)) point.remove();
    story.summary = story.summary.filter((point) => !point.citations.some((one) => gone.has(one.key)));
  }
  for (const entry of document.querySelectorAll("#stories .entry")) if (gone.has(entry.dataset.key)) entry.remove();
  announce(t("withdrawn"));
  watchAll();
}

const entryKeys = () => [...document.querySelectorAll("#stories .entry")].map((entry) => entry.dataset.key);

const watchAll = () => watch([...shown.values()].flatMap(({ story }) => keysOf(story)).concat(entryKeys()), drop);

function drawTrends(trends) {
  const each = trends.map((trend) => h("li", {},
    h("p", { class: "name" }, h("a", { href: searchPath(trend.kind === "link" ? `url:${trend.text}` : trend.text, asOf), dir: "auto" }, trend.text),
      h("span", { title: t("trend_title", { n: Math.round(trend.expected) }) }, t("times", { n: Math.round(trend.growth * 10) / 10 }))),
    h("p", { class: "note", dir: "auto" }, t("n_posts", { n: trend.posts }), trend.headline && ` · ${trend.headline}`)));
  $("trends").replaceChildren(...(each.length ? each : [h("li", { class: "note" }, t("no_trends"))]));
}

/** An empty store, or one too young for stories. */
async function drawNothing(store) {
  $("stories").removeAttribute("aria-busy");
  if (!store.posts) {
    $("stories").replaceChildren(h("div", { class: "notice wide" }, h("p", {}, t("empty_store")),
      h("p", {}, h("code", {}, "trinch serve --listen jetstream")), h("p", {}, h("code", {}, "trinch ingest posts.jsonl"))));
    return;
  }
  const newest = await json(`/v1/search?${new URLSearchParams({ q: "", sort: "latest", limit: 8, ...(asOf && { as_of: asOf }) })}`);
  $("stories").replaceChildren(h("p", { class: "notice wide" }, t("no_stories")),
    h("div", { class: "feed wide" }, ...newest.hits.map((post) => postEntry(post))));
  watchAll();
}

/** Shows the view as of the end of the store, a time in milliseconds. */
function showEnd(newest) {
  asOf = new Date(newest + 1000).toISOString();
  $("then").hidden = false;
  $("then").textContent = t("shown_as_of", { time: date(asOf) });
}

async function load() {
  $("stories").replaceChildren(...skeletons(4));
  $("stories").setAttribute("aria-busy", "true");
  try {
    const store = await summary(empty);
    empty = !store.posts;
    const end = chosenTime() ? null : endOf(store);
    if (end) {
      ended = true;
      showEnd(end);
    }
    const stories = store.posts ? (await patiently(`/v1/stories?${query(STORIES)}`)).stories : [];
    if (stories.length) draw(stories);
    else await drawNothing(store);
    if (stories.length) announce(t("n_stories", { n: stories.length }));
    drawTrends(store.posts ? (await patiently(`/v1/trends?${query(TRENDS)}`)).trends : []);
  } catch (error) {
    const again = h("button", { type: "button", class: "second" }, t("try_again"));
    again.addEventListener("click", load);
    $("stories").replaceChildren(h("div", { class: "notice wide" }, h("p", { class: "problem" }, t("failed", { reason: error.message })), h("p", {}, again)));
    $("stories").removeAttribute("aria-busy");
  }
}

async function update() {
  if (document.hidden || (asOf && !ended)) return;
  updated = Date.now();
  try {
    const { stories } = await json(`/v1/stories?${query(STORIES)}`);
    if (!shown.size && stories.length) draw(stories);
    else if (stories.length) merge(stories);
    else if (!empty) await drawNothing(await summary());
    drawTrends((await json(`/v1/trends?${query(TRENDS)}`)).trends);
  } catch {
    // What is shown stays; the next update tries again.
  }
}

const given = new URLSearchParams(location.search).get("window");
if ([...picker.options].some((option) => option.value === given)) picker.value = given;
picker.addEventListener("change", () => {
  window.history.replaceState(null, "", here({ window: picker.value === "24h" ? "" : picker.value }));
  load();
});
$("fresh").addEventListener("click", () => {
  draw(waiting);
  $("stories").querySelector("a").focus();
});

start();
onIngest((data) => {
  $("rate").replaceChildren(h("div", { class: "gauges" }, ...gauges(data)));
  if (empty && data.posts) {
    empty = false;
    setTimeout(() => {
      empty = true;
      load();
    }, SETTLE);
  }
  if (ended && data.events_per_second > 0 && Date.now() - updated > SOON) {
    showEnd(Math.max(Date.parse(asOf), Date.parse(data.at) - data.lag_seconds * 1000));
    update();
  }
});
load();
setInterval(update, EVERY);
