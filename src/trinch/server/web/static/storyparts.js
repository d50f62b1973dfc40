/** What the list of stories and one story have in common: sparkline, status, sources, key points. */

import { h, out, svg } from "./dom.js";
import { by, date, number, t } from "./i18n.js";

const STATUSES = ["new", "rising", "steady", "fading"];

/** The address of a story as of a time. */
export const storyPath = (id, asOf) => `/story/${encodeURIComponent(id)}${asOf ? `?as_of=${encodeURIComponent(asOf)}` : ""}`;

/** The address of a search for posts. */
export const searchPath = (q, asOf) => `/search?${new URLSearchParams({ q, ...(asOf && { as_of: asOf }) })}`;

/** Posts over the window of a story as a line. */
export function sparkline(story) {
  const top = Math.max(1, ...story.volume);
  const step = 240 / (story.volume.length - 1);
  const points = story.volume.map((n, i) => `${(i * step).toFixed(1)},${(38 - (n / top) * 36).toFixed(1)}`).join(" ");
  const label = t("spark_text", { posts: t("n_posts", { n: story.posts }), since: date(story.since), most: number(top) });
  return svg("svg", { class: "spark", viewBox: "0 0 240 40", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("polygon", { points: `0,40 ${points} 240,40` }), svg("polyline", { points }));
}

/** How a story moves, as a badge. */
export const status = (story) => STATUSES.includes(story.status) && h("span", { class: `badge ${story.status}` }, t(`status_${story.status}`));

/** Why a story ranks lower than its numbers say. */
export const discounts = (story) => story.discounts.map((name) => h("span", { class: "badge" }, t(`discount_${name}`)));

/** The authors that a story quotes, each a link to the quoted post. */
export function sources(story, most = 4) {
  const quoted = [story, ...story.summary].flatMap((point) => point.citations);
  const first = new Map(quoted.map((one) => [`${one.network}:${one.author}`, one]).reverse());
  return [...first.values()].reverse().slice(0, most).flatMap((one, i) => [
    i > 0 && ", ",
    h("bdi", {}, out(one.url, () => by(one.author)) ?? by(one.author)),
  ]);
}

/** The key points of a story; each goes when a post that it quotes is deleted. */
export const points = (story) => h("ul", { class: "points" }, ...story.summary.map((point) =>
  h("li", { "data-key": point.citations[0]?.key, dir: "auto" }, point.text, " ",
    h("span", { class: "note" }, h("bdi", {}, by(point.citations[0]?.author)), ` · ${date(point.as_of)}`))));

/** The keys of the posts that a story quotes. */
export const keysOf = (story) => [story, ...story.summary, ...(story.timeline ?? [])].flatMap((point) => point.citations.map((one) => one.key));
