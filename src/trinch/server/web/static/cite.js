/**
 * Citations. Where the sources stand beside the answer, hovering or focusing a citation lights up its source there, and
 * a click goes to it; on a narrow page a click opens the post below its sentence. Nothing is ever covered.
 */

import { h } from "./dom.js";
import { json } from "./http.js";
import { by, t } from "./i18n.js";
import { attachedText, counts } from "./post.js";

const beside = matchMedia("(min-width: 60rem)");

let open = null; // {cite, card} on a narrow page

/** Handles the citations inside `root`; `gone` gets the key of a post that turns out to be deleted. */
export function citations(root, gone) {
  const of = (event) => event.target.closest?.("a.cite[data-key]");
  const look = (event) => {
    const cite = of(event);
    if (cite && beside.matches) light(cite, gone);
  };
  root.addEventListener("pointerover", (event) => event.pointerType === "mouse" && look(event));
  root.addEventListener("focusin", look);
  root.addEventListener("click", (event) => {
    const cite = of(event);
    if (!cite) return;
    event.preventDefault();
    if (beside.matches) light(cite, gone)?.focus({ preventScroll: true });
    else if (open?.cite === cite) close();
    else show(cite, gone);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const source = document.activeElement.closest?.(".source");
    if (source) root.querySelector(`a.cite[href="#${CSS.escape(source.id)}"]`)?.focus();
    else if (open) {
      open.cite.focus();
      close();
    }
  });
}

/** Closes the open card of a narrow page. */
export function close() {
  open?.cite.setAttribute("aria-expanded", "false");
  open?.card.remove();
  open = null;
}

/** Lights up the source of a citation in the panel, which scrolls to it. Returns the source. */
function light(cite, gone) {
  const view = cite.closest(".answer").view;
  const source = document.getElementById(cite.getAttribute("href").slice(1));
  for (const lit of document.querySelectorAll(".source.lit")) lit.classList.remove("lit");
  if (!source) return null;
  source.classList.add("lit");
  const panel = source.closest(".panel");
  const [top, bottom] = [source.offsetTop, source.offsetTop + source.offsetHeight];
  if (top < panel.scrollTop || bottom > panel.scrollTop + panel.clientHeight) panel.scrollTop = top - 12;
  if (!source.dataset.full) details(view, cite.dataset.key, source, gone);
  source.dataset.full = "true";
  return source;
}

function show(cite, gone) {
  close();
  const view = cite.closest(".answer").view;
  const { key, start, end } = cite.dataset;
  const source = view.sources.get(key);
  if (!source) return;
  const shut = h("button", { type: "button", class: "shut", "aria-label": t("close") }, "×");
  const card = h("div", { class: "card", role: "group", "aria-label": t("cite", { n: String(source.n), author: by(source.author) }), "data-of": key },
    shut, ...view.post(source, [[+start, +end]]));
  shut.addEventListener("click", () => {
    cite.focus();
    close();
  });
  open = { cite, card };
  cite.setAttribute("aria-expanded", "true");
  cite.closest(".claim").append(card);
  details(view, key, card, gone);
}

/** Adds the author's name, attached texts and counts as of the answer's time; the request also detects a deleted post. */
async function details(view, key, element, gone) {
  try {
    const asOf = view.answer ? `?as_of=${encodeURIComponent(view.answer.as_of)}` : "";
    const post = await json(`/v1/posts/${encodeURIComponent(key)}${asOf}`, { quiet: true });
    if (post.author_name) element.querySelector(".by b").before(h("bdi", { class: "name" }, post.author_name), " ");
    element.querySelector(".meta").before(...post.attached.map((one) => h("p", { class: "attached", dir: "auto" }, attachedText(one))));
    element.querySelector(".meta").prepend(...counts(post));
  } catch (error) {
    if (error.code === "not_found") gone([key]);
  }
}
