/** Live: posts as they arrive for a search, with pause, a limit of posts a second, and the pace of the last minute. */

import { $, h, svg } from "./dom.js";
import { keepOpen } from "./http.js";
import { number, t } from "./i18n.js";
import { postEntry } from "./post.js";
import { announce, start } from "./shell.js";
import { watch } from "./watch.js";

const MOST = 200; // posts on the page
const MINUTE = 60;
const feed = $("feed");
const q = new URLSearchParams(location.search).get("q")?.trim() ?? "";

let paused = false;
let held = []; // posts that wait for a click, newest last
let seen = { matched: 0, skipped: 0 }; // of this page, over reconnections
let before = { matched: 0, skipped: 0 };
let end = () => {};
const pace = Array(MINUTE).fill(0);

/** The reader looks at older posts: new ones must not move them. */
const reading = () => paused || window.scrollY > feed.offsetTop || feed.contains(document.activeElement);

function insert(posts) {
  feed.querySelector(".notice")?.remove();
  feed.prepend(...posts.toReversed().map((post) => {
    const entry = postEntry(post);
    entry.classList.add("arrived");
    return entry;
  }));
  while (feed.childElementCount > MOST) feed.lastElementChild.remove();
  watch([...feed.querySelectorAll(".entry")].map((entry) => entry.dataset.key), drop);
}

function arrive(post) {
  held.push(post);
  held = held.slice(-MOST);
  if (!reading()) release();
  else showHeld();
}

function release() {
  insert(held.splice(0));
  showHeld();
}

function showHeld() {
  $("fresh").hidden = held.length === 0;
  $("fresh").textContent = t("n_waiting", { n: held.length });
}

function drop(keys) {
  held = held.filter((post) => !keys.includes(post.key));
  for (const entry of feed.querySelectorAll(".entry")) if (keys.includes(entry.dataset.key)) entry.replaceWith(h("p", { class: "entry note" }, t("deleted_note")));
  showHeld();
}

function state(data) {
  pace[MINUTE - 1] += Math.max(0, data.matched - before.matched);
  for (const name of ["matched", "skipped"]) seen[name] += Math.max(0, data[name] - before[name]);
  before = data;
  $("live-state").textContent = t("live_state", { matched: t("n_posts", { n: seen.matched }) })
    + (seen.skipped ? ` · ${t("live_skipped", { posts: t("n_posts", { n: seen.skipped }) })}` : "");
  if (!feed.childElementCount) feed.append(h("p", { class: "notice" }, h("span", { class: "waiting" }, t("live_waiting")), ...data.hints.map((hint) => h("span", {}, hint))));
}

function drawPace() {
  const top = Math.max(1, ...pace);
  $("pace").replaceChildren(svg("svg", { class: "spark", viewBox: "0 0 240 40", preserveAspectRatio: "none", role: "img", "aria-label": t("pace_text", { n: number(Math.max(...pace)) }) },
    svg("polyline", { points: pace.map((n, i) => `${(i / (MINUTE - 1)) * 240},${38 - (n / top) * 36}`).join(" ") })));
  pace.push(0);
  pace.shift();
}

function connect() {
  end();
  end = keepOpen(`/v1/live/search?${new URLSearchParams({ q, limit: $("speed").value })}`, undefined, ({ name, data }) => {
    if (name === "post") arrive(data);
    else if (name === "status") state(data);
  }, {
    opened: () => (before = { matched: 0, skipped: 0 }),
    broken: (error) => ($("live-state").textContent = error?.code === "bad_query" ? t("failed", { reason: error.message }) : t("reconnecting")),
  });
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
  $("pause").textContent = t(paused ? "resume" : "pause");
  announce(t(paused ? "pause" : "resume"));
  if (!paused) release();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "p" && !event.target.closest("input, select") && !event.ctrlKey && !event.metaKey) $("pause").click();
});
$("fresh").addEventListener("click", () => {
  release();
  window.scrollTo({ top: 0 });
});
$("speed").addEventListener("change", connect);
$("to-search").href = `/search?${new URLSearchParams({ q, sort: "latest" })}`;
$("q").required = false;

start();
connect();
setInterval(drawPace, 1000);
