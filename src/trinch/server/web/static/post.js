/** A post as it is in a feed. Its text becomes text nodes and links to searches; nothing of it is markup. */

import { h, out } from "./dom.js";
import { ago, by, language, number, t } from "./i18n.js";

const ATTACHED = ["poll", "image", "card", "note"];
const PIECES = /(https?:\/\/[^\s<>"'\\]*[^\s<>"'\\.,;:!?…)\]}]|(?<![\p{L}\p{N}_&/])#[\p{L}\p{N}_]+|(?<![\p{L}\p{N}_@/])@[A-Za-z0-9_.-]*[A-Za-z0-9_])/u;

/** The text with its links, tags and handles as links. */
function linked(text) {
  return text.split(PIECES).map((piece, i) => {
    if (i % 2 === 0) return piece;
    if (piece.startsWith("http")) return out(piece, () => piece) ?? piece;
    return h("a", { href: `/search?${new URLSearchParams({ q: piece.startsWith("@") ? `from:${piece.slice(1)}` : piece })}` }, piece);
  });
}

/** An attached text: a poll option, the description of an image, the title of a linked page, a community note. */
export const attachedText = (one) => t(ATTACHED.includes(one.kind) ? `attached_${one.kind}` : "attached_other", { text: one.text });

/** The counts of a post that are not zero. */
export const counts = (post) => ["likes", "reposts", "replies"].filter((what) => post[what]).map((what) => h("span", {}, t(what, { n: post[what] })));

/** One post of a feed. */
export function postEntry(post) {
  const when = post.at ?? post.created_at;
  return h("article", { class: "entry", "data-entry": "", "data-key": post.key },
    h("p", { class: "by" }, post.author_name && h("b", {}, h("bdi", {}, post.author_name)),
      post.author ? h("a", { href: `/search?${new URLSearchParams({ q: `from:${post.author}` })}` }, h("bdi", {}, by(post.author))) : h("b", {}, t("unknown")),
      post.undated ? h("span", { class: "badge" }, t("undated")) : h("time", { datetime: when }, ago(when)),
      h("span", {}, post.network), post.place && h("a", { href: `/search?${new URLSearchParams({ q: `place:"${post.place.replaceAll('"', "")}"` })}` }, h("bdi", {}, post.place)), post.lang !== "und" && h("span", {}, language(post.lang))),
    h("p", { class: "text cut", dir: "auto", lang: post.lang === "und" ? null : post.lang }, ...linked(post.text)),
    ...post.attached.map((one) => h("p", { class: "attached", dir: "auto" }, attachedText(one))),
    h("p", { class: "meta" }, ...counts(post), out(post.url, (host) => t("open", { host }))));
}

/** A count as text: "at least 1,203 posts" where it is not exact. */
export const totalText = ({ posts, exact }) => exact ? t("n_posts", { n: posts }) : t("at_least", { posts: number(posts) });
