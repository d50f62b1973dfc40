/** One story: headline, counts over time, key points, timeline, where it is posted, what is disputed. */

import { chosenTime } from "./asof.js";
import { chart } from "./bars.js";
import { $, h, out } from "./dom.js";
import { json } from "./http.js";
import { by, clock, date, day, language, number, t } from "./i18n.js";
import { shares } from "./ingest.js";
import { announce, start } from "./shell.js";
import { discounts, keysOf, points, searchPath, sources, status, storyPath } from "./storyparts.js";
import { watch } from "./watch.js";

const TRIES = 12;
const root = $("story");
const asOf = chosenTime();
const asOfPart = asOf ? { as_of: asOf } : {};

/** What the story is called in a search or a question. */
const topic = (story) => story.names[0] ?? story.tags[0] ?? story.terms[0];

const section = (title, ...content) => h("section", { class: "block" }, h("h2", {}, title), ...content);

function header(story) {
  const about = topic(story);
  return h("header", { class: "story-head" },
    h("h1", { dir: "auto", "data-key": story.citations[0]?.key }, story.headline),
    h("p", { class: "when" }, status(story), ...discounts(story),
      h("span", {}, `${t("quoted_from")} `, ...sources({ ...story, summary: [] })), h("time", { datetime: story.as_of }, t("as_of_time", { time: date(story.as_of) }))),
    h("p", { class: "actions" }, h("a", { class: "second", href: `/?${new URLSearchParams({ q: t("what_happened", { topic: about }), ...asOfPart })}` }, t("ask_about")),
      h("a", { class: "second", href: searchPath(about, asOf) }, t("see_posts")),
      h("a", { class: "second", href: `/alerts?${new URLSearchParams({ topic: about, trigger: "number" })}` }, t("save_alert"))));
}

const fact = (value, name) => h("span", {}, h("b", {}, value), name);

function overTime(story) {
  const from = Date.parse(story.since);
  const step = (Date.parse(story.as_of) - from) / story.volume.length;
  const counts = story.volume.map((posts, i) => ({ start: new Date(from + i * step).toISOString(), posts }));
  return chart(counts, step, (start, end) => location.assign(searchPath(`${topic(story)} since:${new Date(start).toISOString().slice(0, 19)}Z until:${new Date(end).toISOString().slice(0, 19)}Z`, asOf)));
}

/** The lines of the timeline, with a heading for each day. */
function timeline(story) {
  let last = "";
  return h("ol", { class: "timeline" }, ...story.timeline.flatMap((line) => {
    const when = `${day(line.at)} ${new Date(line.at).getUTCFullYear()}`;
    const heading = when === last ? [] : [h("li", { class: "day" }, when)];
    last = when;
    const one = line.citations[0];
    return [...heading, h("li", { "data-entry": "", "data-key": one?.key },
      h("time", { datetime: line.at }, `${clock(line.at)} UTC`), h("p", { dir: "auto" }, line.text),
      h("p", { class: "note" }, h("bdi", {}, (one && out(one.url, () => by(one.author))) ?? by(one?.author)), ` · ${t("n_authors", { n: line.authors })} · ${t("until_next", { n: line.posts })}`))];
  }));
}

function spread(story) {
  const block = (name, counts, label) => h("div", {}, h("h3", {}, name), shares(Object.entries(counts).slice(0, 8), label, story.posts));
  return h("div", { class: "columns-two" }, block(t("story_languages"), story.languages, language), block(t("networks"), story.networks, (one) => one));
}

const marks = (story) => h("p", { class: "tags" }, ...[...story.tags, ...story.names].map((text) => h("a", { href: searchPath(text, asOf), dir: "auto" }, text)));

/** Asks whether the headline holds; contradicting quotes are shown side by side. */
async function disputed(story, box) {
  try {
    const answer = await json("/v1/ask", { body: { question: t("is_disputed", { topic: story.headline.replace(/[.!?…\s]+$/, "") }), ...asOfPart } });
    if (answer.outcome !== "conflicting") return box.replaceChildren(h("p", { class: "note" }, t("not_disputed")));
    box.replaceChildren(h("p", {}, answer.headline), h("div", { class: "disputed" }, ...answer.claims.slice(0, 4).map((claim) =>
      h("blockquote", { "data-key": claim.citations[0].key, dir: "auto" }, claim.text,
        h("footer", { class: "note" }, h("bdi", {}, out(claim.citations[0].url, () => by(claim.citations[0].author)) ?? by(claim.citations[0].author)), ` · ${date(claim.as_of)}`)))));
    watch([...keysOf(story), ...answer.claims.map((claim) => claim.citations[0].key)], drop);
  } catch (error) {
    box.replaceChildren(h("p", { class: "note" }, t("failed", { reason: error.message })));
  }
}

function drop(keys) {
  for (const element of root.querySelectorAll("[data-key]")) {
    if (!keys.includes(element.dataset.key)) continue;
    if (element.tagName === "H1") element.textContent = t("deleted_note");
    else element.remove();
  }
  announce(t("withdrawn"));
}

function draw(story) {
  document.title = `${story.headline} · ${t("title")}`;
  const box = h("div", {}, h("p", { class: "note" }, h("span", { class: "waiting" }, t("checking"))));
  root.replaceChildren(header(story),
    h("div", { class: "facts" }, fact(number(story.posts), t("posts")), fact(number(story.authors), t("authors")), fact(number(story.rate), t("rate_hour")),
      fact(date(story.first_seen), t("first_seen")), fact(date(story.last_seen), t("last_seen"))),
    overTime(story),
    h("div", { class: "columns" },
      h("div", {}, section(t("story_timeline"), timeline(story)), section(t("story_disputed"), box)),
      h("aside", {}, story.summary.length > 0 && section(t("story_points"), points(story)), section(t("story_spread"), spread(story)),
        section(t("sources"), h("p", { class: "sources-of" }, ...sources({ ...story, summary: [...story.summary, ...story.timeline] }, 24))),
        (story.tags.length + story.names.length) > 0 && section(t("tags"), marks(story)),
        story.links.length > 0 && section(t("links_shared"), h("ul", {}, ...story.links.slice(0, 8).map((link) => h("li", {}, out(`https://${link}`, () => link))))),
        story.related.length > 0 && section(t("related"), h("ul", {}, ...story.related.map((id) => h("li", {}, h("a", { href: storyPath(id, asOf) }, id))))))));
  root.removeAttribute("aria-busy");
  watch(keysOf(story), drop);
  disputed(story, box);
}

async function load() {
  root.replaceChildren(h("div", { class: "skeleton" }), h("div", { class: "skeleton" }));
  const path = `/v1/stories/${encodeURIComponent(root.dataset.id)}?${new URLSearchParams(asOfPart)}`;
  for (let tried = 1; ; tried++) {
    try {
      return draw(await json(path));
    } catch (error) {
      if (["over_budget", "overloaded"].includes(error.code) && tried < TRIES) continue;
      const reason = error.code === "not_found" ? t("story_missing", { time: asOf ? date(asOf) : t("latest") }) : t("failed", { reason: error.message });
      root.replaceChildren(h("div", { class: "notice" }, h("p", {}, reason), h("p", {}, h("a", { href: "/" }, t("view_now")))));
      return root.removeAttribute("aria-busy");
    }
  }
}

start();
load();
