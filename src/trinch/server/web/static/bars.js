/** A bar chart of posts over time, with the years on its axis; a bar can be picked by mouse or keyboard. */

import { h, svg } from "./dom.js";
import { clock, date, day, duration, t } from "./i18n.js";

const WIDE = 720;
const HIGH = 80;
const MOST = 120; // bars
const DAY = 86_400_000;

/** Counts `{start, posts}` as bars of equal width in milliseconds, at most MOST, without gaps. */
function filled(counts, width) {
  const from = Date.parse(counts[0].start);
  const needed = Math.floor((Date.parse(counts.at(-1).start) - from) / width) + 1;
  const merged = Math.ceil(needed / MOST);
  const bars = Array.from({ length: Math.ceil(needed / merged) }, (_, i) => ({ start: from + i * merged * width, posts: 0 }));
  for (const { start, posts } of counts) bars[Math.floor((Date.parse(start) - from) / (merged * width))].posts += posts;
  return { bars, width: merged * width };
}

/**
 * The chart of `counts` [{start, posts}] that are `step` milliseconds wide each. `pick` gets start and end of a picked
 * bar in milliseconds; without it the chart is only a picture.
 */
export function chart(counts, step, pick) {
  const { bars, width } = filled(counts, step);
  const most = bars.reduce((best, bar) => (bar.posts > best.posts ? bar : best));
  const each = WIDE / bars.length;
  const end = bars.at(-1).start + width;
  const label = (bar) => `${date(bar.start)} · ${t("n_posts", { n: bar.posts })}`;
  const groups = bars.map((bar, i) => {
    const high = bar.posts ? Math.max(2, (bar.posts / most.posts) * (HIGH - 2)) : 0;
    return svg("g", {}, svg("title", {}, label(bar)),
      svg("rect", { class: "hit", x: i * each, y: 0, width: each, height: HIGH }),
      svg("rect", { class: "bar-of", x: i * each + each * 0.08, y: HIGH - high, width: each * 0.84, height: high }));
  });
  const total = bars.reduce((sum, bar) => sum + bar.posts, 0);
  const said = t(pick ? "chart_text" : "volume_text", {
    posts: t("n_posts", { n: total }), first: date(bars[0].start), last: date(end), peak: t("n_posts", { n: most.posts }), at: date(most.start),
  });
  const caption = h("figcaption", {}, `${t("volume")}, ${t("per", { width: duration(width / 1000) })}`);
  const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": said, tabindex: pick ? 0 : null }, ...groups);
  const figure = h("figure", { class: pick ? "chart pick-a-bar" : "chart" }, drawing, axis(bars[0].start, end), caption);
  if (pick) picking(drawing, caption, bars, groups, label, (bar) => pick(bar.start, bar.start + width));
  return figure;
}

function picking(drawing, caption, bars, groups, label, picked) {
  let at = -1;
  const mark = (i) => {
    groups[at]?.lastChild.classList.remove("on");
    at = Math.min(Math.max(i, 0), bars.length - 1);
    groups[at].lastChild.classList.add("on");
    caption.textContent = label(bars[at]);
  };
  caption.setAttribute("aria-live", "polite");
  drawing.addEventListener("pointermove", (event) => {
    const i = groups.indexOf(event.target.closest("g"));
    if (i >= 0 && i !== at) mark(i);
  });
  drawing.addEventListener("click", (event) => {
    const i = groups.indexOf(event.target.closest("g"));
    if (i >= 0) picked(bars[i]);
  });
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step) mark(at < 0 ? (step > 0 ? 0 : bars.length - 1) : at + step);
    else if (event.key === "Enter" && at >= 0) picked(bars[at]);
    else return;
    event.preventDefault();
  });
}

/** Three times along the axis: days with their year, or hours with their day. */
function axis(from, end) {
  const span = end - from;
  const text = (at) => {
    const when = new Date(at);
    return span > 3 * DAY ? `${day(when)} ${when.getUTCFullYear()}` : `${day(when)} ${when.getUTCFullYear()}, ${clock(when)}`;
  };
  const marks = [0, 0.5, 1].map((part) => from + Math.round(span * part));
  return h("p", { class: "axis", "aria-hidden": "true" }, ...marks.map((at) => h("span", {}, text(at))));
}
