/** The posts about a question in numbers: authors, first and last post, and a chart of posts over time. */

import { h, svg } from "./dom.js";
import { clock, date, day, duration, number, t } from "./i18n.js";

const WIDE = 320;
const HIGH = 64;

const figure = (value, name) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

const moment = (when) => h("time", { datetime: when }, h("b", {}, clock(when)), ` ${day(when)}`);

/** The elements of the panel, from the shape of `/v1/evidence`. */
export function evidence(found) {
  return [
    h("dl", {}, figure(number(found.authors), t("independent")), figure(number(found.posts), t("posts_found")),
      figure(moment(found.first_seen), t("first_seen")), figure(moment(found.last_seen), t("last_seen"))),
    volume(found),
  ];
}

function volume({ volume: bars, bucket_seconds: width, posts, first_seen, last_seen }) {
  const most = bars.reduce((best, bar) => (bar.posts > best.posts ? bar : best));
  const step = WIDE / bars.length;
  const said = t("volume_text", {
    posts: t("n_posts", { n: posts }), first: date(first_seen), last: date(last_seen), peak: t("n_posts", { n: most.posts }), at: date(most.start),
  });
  const drawn = bars.map((bar, i) => {
    const high = bar.posts ? Math.max(1.5, (bar.posts / most.posts) * (HIGH - 2)) : 0;
    return svg("rect", { class: "bar", x: i * step + step * 0.1, y: HIGH - high, width: step * 0.8, height: high },
      svg("title", {}, `${date(bar.start)} · ${t("n_posts", { n: bar.posts })}`));
  });
  return h("figure", {},
    svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": said }, ...drawn),
    h("p", { class: "axis", "aria-hidden": "true" }, h("span", {}, `${day(bars[0].start)}, ${clock(bars[0].start)}`),
      h("span", {}, `${day(last_seen)}, ${clock(last_seen)}`)),
    h("figcaption", {}, `${t("volume")}, ${t("per", { width: duration(width) })}`));
}
