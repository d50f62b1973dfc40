/** The posts that were read for an answer in numbers: authors, first and last post, and how many over time. */

import { chart } from "./bars.js";
import { h } from "./dom.js";
import { clock, day, number, t } from "./i18n.js";
import { searchPath } from "./storyparts.js";

const figure = (value, name) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

const moment = (when) => h("time", { datetime: when }, h("b", {}, clock(when)), ` ${day(when)} ${new Date(when).getUTCFullYear()}`);

/** The elements of the panel, from the shape of `/v1/evidence`; `pick` gets the end of a picked bar. */
export function facts(found, pick) {
  return [
    h("dl", {}, figure(number(found.authors), t("independent")), figure(number(found.posts), t("posts_read")),
      ...(found.first_seen ? [figure(moment(found.first_seen), t("first_seen")), figure(moment(found.last_seen), t("last_seen"))] : [])),
    h("p", { class: "note" }, t("posts_read_help"), found.undated > 0 && ` ${t("undated_count", { n: found.undated })}.`,
      ...(found.topic ? [" ", h("a", { href: searchPath(found.topic) }, t("all_matches"))] : [])),
    found.volume.length > 0 && chart(found.volume, found.bucket_seconds * 1000, pick && ((start, end) => pick(end))),
  ].filter(Boolean);
}
