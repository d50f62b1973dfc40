/**
 * Citations: hovering or focusing one shows its post with the quoted span marked, a click or tap keeps it open.
 * The card follows its citation in the document, so that the Tab key moves into it. Escape closes it.
 */

import { h, marked, out } from "./dom.js";
import { by, date, t } from "./i18n.js";
import { json } from "./http.js";

const ATTACHED = ["poll", "image", "card", "note"];

let open = null; // {cite, card, kept}
let leaving = 0;

/** Handles the citations inside `root`; `gone` gets the key of a post that turns out to be deleted. */
export function citations(root, gone) {
  const of = (event) => event.target.closest?.("a.cite[data-key]");
  root.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "mouse") return;
    const cite = of(event);
    if (cite) show(cite, gone);
    if (open && (cite === open.cite || open.card.contains(event.target))) clearTimeout(leaving);
    else if (open && !open.kept) leave();
  });
  root.addEventListener("pointerleave", () => open && !open.kept && leave());
  root.addEventListener("focusin", (event) => {
    const cite = of(event);
    if (cite) show(cite, gone);
    else if (open && !open.kept && !open.card.contains(event.target)) close();
  });
  root.addEventListener("focusout", (event) => {
    if (open && !open.kept && event.relatedTarget && !root.contains(event.relatedTarget)) close();
  });
  root.addEventListener("click", (event) => {
    const cite = of(event);
    if (!cite) return;
    event.preventDefault();
    if (open?.cite === cite && open.kept) return close();
    show(cite, gone);
    open.kept = true;
    open.card.classList.add("kept");
  });
  document.addEventListener("click", (event) => {
    if (open?.kept && !open.card.contains(event.target) && !of(event)) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !open) return;
    const { cite, card } = open;
    if (card.contains(document.activeElement)) cite.focus();
    close();
  });
}

/** Closes the open card. */
export function close() {
  clearTimeout(leaving);
  if (!open) return;
  open.cite.setAttribute("aria-expanded", "false");
  open.cite.removeAttribute("aria-describedby");
  open.card.remove();
  open = null;
}

function leave() {
  clearTimeout(leaving);
  leaving = setTimeout(close, 180);
}

function show(cite, gone) {
  clearTimeout(leaving);
  if (open?.cite === cite && open.card.isConnected) return;
  close();
  const view = cite.closest(".answer").view;
  const { key, start, end } = cite.dataset;
  const source = view.sources.get(key);
  if (!source) return;
  const name = h("b", {}, h("bdi", {}, by(source.author)));
  const more = h("p", { class: "meta" }, source.copies > 0 && h("span", {}, t("n_copies", { n: source.copies })),
    out(source.url, (host) => t("open", { host })));
  const shut = h("button", { type: "button", class: "shut", "aria-label": t("close") }, "×");
  const card = h("div", { class: "card", role: "group", "aria-label": t("cite", { n: String(source.n), author: by(source.author) }), "data-of": key },
    h("p", { class: "by" }, h("span", { class: "n", "aria-hidden": "true" }, String(source.n)), " ", name, " ",
      h("time", { datetime: source.created_at }, date(source.created_at)), shut),
    h("p", { class: "post", id: "card-post", dir: "auto", lang: source.lang === "und" ? null : source.lang }, ...marked(source.text, [[+start, +end]])),
    more);
  shut.addEventListener("click", () => {
    cite.focus();
    close();
  });
  open = { cite, card, kept: false };
  cite.setAttribute("aria-expanded", "true");
  cite.setAttribute("aria-describedby", "card-post");
  cite.after(card);
  details(view, key, name, more, gone);
}

/** The author's name and the counts as of the answer's time; the request also detects a deleted post. */
async function details(view, key, name, more, gone) {
  try {
    const asOf = view.answer ? `?as_of=${encodeURIComponent(view.answer.as_of)}` : "";
    const post = await json(`/v1/posts/${encodeURIComponent(key)}${asOf}`);
    if (post.author_name) name.before(h("bdi", { class: "name" }, post.author_name), " ");
    const counts = ["likes", "reposts"].filter((what) => post[what]).map((what) => h("span", {}, t(what, { n: post[what] })));
    more.prepend(...counts);
    more.before(...post.attached.map((one) => h("p", { class: "meta", dir: "auto" }, t(ATTACHED.includes(one.kind) ? `attached_${one.kind}` : "attached_other", { text: one.text }))));
  } catch (error) {
    if (error.code === "not_found") gone([key]);
  }
}
