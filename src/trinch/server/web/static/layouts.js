/** An answer laid out as what was asked for: a list with its lead first, a timeline, a table of sides, positions as bars. */

import { h } from "./dom.js";
import { clock, day, t } from "./i18n.js";

const STANCES = ["positive", "negative", "other"];

/** The element that holds the claims; `sentence(claim, tag, isLead, options)` builds one. */
export function layout({ task }, claims, sentence) {
  const labels = [...new Set(claims.map((claim) => claim.label).filter(Boolean))];
  if (task === "timeline" || task === "changes") return dated(claims, sentence);
  if (task === "comparison" && labels.length) return sides(labels, claims.filter((claim) => claim.label), sentence);
  if (labels.length > 1 && claims.every((claim) => claim.label)) {
    return STANCES.some((stance) => labels.includes(stance)) ? positions(labels, claims, sentence) : sides(labels, claims, sentence);
  }
  return h("ol", { class: "claims" }, ...claims.map((claim, i) => sentence(claim, "li", i === 0)));
}

const when = (at) => (at ? `${day(at)} ${new Date(at).getUTCFullYear()}, ${clock(at)} UTC` : t("undated"));

function dated(claims, sentence) {
  return h("ol", { class: "claims dated" }, ...claims.map((claim) => {
    const line = sentence(claim, "li");
    line.prepend(h("p", { class: "at" }, when(claim.as_of)));
    return line;
  }));
}

/** A column for each side, its claims below each other. */
function sides(labels, claims, sentence) {
  const columns = labels.map((label) => claims.filter((claim) => claim.label === label));
  const rows = Array.from({ length: Math.max(...columns.map((column) => column.length)) }, (_, i) => columns.map((column) => column[i]));
  return h("table", { class: "claims sides" },
    h("thead", {}, h("tr", {}, ...labels.map((label) => h("th", { scope: "col", dir: "auto" }, label)))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((claim, i) => h("td", { "data-side": labels[i] }, claim && sentence(claim, "div", false, { labelled: false })))))));
}

const stance = (label) => (STANCES.includes(label) ? t(`label_${label}`) : label);

/** Independent authors of each position as bars, then its quotes. */
function positions(labels, claims, sentence) {
  const ordered = [...STANCES.filter((one) => labels.includes(one)), ...labels.filter((one) => !STANCES.includes(one))];
  const of = (label) => claims.filter((claim) => claim.label === label);
  const authors = ordered.map((label) => of(label).reduce((sum, claim) => sum + claim.authors, 0));
  const most = Math.max(...authors, 1);
  return h("div", { class: "claims" },
    h("ul", { class: "positions", "aria-label": t("positions") }, ...ordered.map((label, i) => {
      const bar = h("i");
      bar.style.width = `${(authors[i] / most) * 100}%`;
      return h("li", { class: STANCES.includes(label) ? label : null }, h("span", { dir: "auto" }, stance(label)), bar, h("b", {}, t("n_authors", { n: authors[i] })));
    })),
    ...ordered.map((label) => h("section", { class: "side" }, h("h2", { dir: "auto" }, stance(label)),
      ...of(label).map((claim) => sentence(claim, "div", false, { labelled: false })))));
}
