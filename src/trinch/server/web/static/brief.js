/** Briefs: what happened since a time, by topic, each line cited; to be copied as Markdown, HTML or an e-mail. */

import { chosenTime } from "./asof.js";
import { confirm, copy } from "./clipboard.js";
import { $, h, out } from "./dom.js";
import { json } from "./http.js";
import { by, date, t } from "./i18n.js";
import { announce, here, start } from "./shell.js";
import { status, storyPath } from "./storyparts.js";
import { endOf, summary } from "./summary.js";
import { watch } from "./watch.js";

const TRIES = 12; // while the server counts the words of earlier days
const form = $("ask");
const given = new URLSearchParams(location.search);
const topics = given.getAll("topic").filter((topic) => topic.trim());
let asOf = chosenTime();

const parameters = (more = {}) => new URLSearchParams([...topics.map((topic) => ["topic", topic]), ["since", form.elements.since.value],
  ...(asOf ? [["as_of", asOf]] : []), ...Object.entries(more)]);

/** A quoted line with its source. */
const line = (point) => h("li", { "data-key": point.citations[0]?.key, dir: "auto" }, point.text, " ",
  h("span", { class: "note" }, h("bdi", {}, out(point.citations[0]?.url, () => by(point.citations[0].author)) ?? by(point.citations[0]?.author)), ` · ${date(point.at ?? point.as_of)}`));

const article = (story) => h("article", { "data-entry": "", "data-key": story.citations[0]?.key },
  h("h3", { dir: "auto" }, h("a", { href: storyPath(story.id, asOf) }, story.headline)),
  h("p", { class: "when" }, h("span", { class: `badge ${story.change}` }, t(`change_${story.change}`)), story.status !== story.change && status(story), h("span", {}, t("n_posts", { n: story.posts })),
    h("span", {}, t("n_authors", { n: story.authors })), h("time", { datetime: story.first_seen }, t("since_time", { time: date(story.first_seen) }))),
  h("ul", { class: "points" }, ...[...story.summary, ...story.developments].map(line)));

const section = (found) => h("section", { class: "block" }, found.topic && h("h2", { dir: "auto" }, found.topic), ...found.stories.map(article),
  found.quotes.length > 0 && h("ul", { class: "points" }, ...found.quotes.map(line)),
  !found.stories.length && !found.quotes.length && h("p", { class: "note" }, t("brief_quiet")));

function drop(keys) {
  for (const element of $("brief").querySelectorAll("[data-key]")) if (keys.includes(element.dataset.key)) element.remove();
  announce(t("withdrawn"));
}

function draw(made) {
  $("span").textContent = t("brief_span", { since: date(made.since), until: date(made.as_of) });
  const n = made.topics.reduce((sum, one) => sum + one.stories.length, 0);
  $("brief").replaceChildren(...[...made.topics.map(section),
    made.ended.length > 0 && h("section", { class: "block" }, h("h2", {}, t("brief_ended")),
      h("ul", { class: "points" }, ...made.ended.map((story) => h("li", { "data-key": story.citations[0]?.key, dir: "auto" }, story.headline)))),
    made.partial && h("p", { class: "notice" }, t("partial"))].filter(Boolean));
  $("copies").hidden = false;
  announce(t("n_stories", { n }));
  watch([...$("brief").querySelectorAll("[data-key]")].map((element) => element.dataset.key), drop);
}

async function load() {
  $("brief").replaceChildren(...Array.from({ length: 3 }, () => h("div", { class: "skeleton", "aria-hidden": "true" })));
  for (let tried = 1; ; tried++) {
    try {
      const end = asOf ? null : endOf(await summary());
      if (end) asOf = new Date(end + 1000).toISOString();
      draw(await json(`/v1/briefs?${parameters()}`));
      break;
    } catch (error) {
      if (["over_budget", "overloaded"].includes(error.code) && tried < TRIES) continue;
      $("brief").replaceChildren(h("p", { class: "notice problem", role: "alert" }, t("failed", { reason: error.message })));
      break;
    }
  }
  $("brief").removeAttribute("aria-busy");
}

$("copies").addEventListener("click", async ({ target }) => {
  const { format } = target.dataset;
  if (!format) return;
  try {
    const { text } = await json(`/v1/briefs?${parameters({ format })}`);
    if (await copy(text, t("copied"))) confirm(target, t("copied"));
  } catch (error) {
    announce(t("failed", { reason: error.message }));
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = new URLSearchParams(form.elements.topics.value.split("\n").filter((topic) => topic.trim()).map((topic) => ["topic", topic.trim()]));
  asked.set("since", form.elements.since.value);
  if (chosenTime()) asked.set("as_of", chosenTime());
  location.assign(`/brief?${asked}`);
});

form.elements.topics.value = topics.join("\n");
const since = given.get("since")?.trim();
if (since) {
  if (![...form.elements.since.options].some((option) => option.value === since)) form.elements.since.append(h("option", { value: since }, since));
  form.elements.since.value = since;
}
start({ moved: () => location.assign(here({ as_of: chosenTime() })) });
load();
