/** One answer on the page: built as it streams in; claims are removed when their posts are deleted. */

import { evidence } from "./evidence.js";
import { h, marked, out } from "./dom.js";
import { by, date, t } from "./i18n.js";

let made = 0;

export class View {
  constructor(question, earlier, asOf) {
    this.question = question;
    this.earlier = earlier;
    this.asOf = asOf;
    this.answer = null;
    this.sources = new Map();
    this.claims = [];
    this.id = ++made;
    this.outcome = h("p", { class: "outcome" }, h("span", { class: "waiting" }, t("searching")));
    this.asked = h("p", { class: "asked", hidden: true });
    this.headline = h("p", { class: "headline", dir: "auto", hidden: true });
    this.list = h("ol", { class: "claims" });
    this.nearest = h("section", { class: "nearest", hidden: true });
    this.numbers = h("section", { class: "evidence", "aria-label": t("evidence"), hidden: true });
    this.posts = h("ol", { class: "sources" });
    this.panel = h("aside", { class: "panel", "aria-label": t("evidence_of", { question }), hidden: true },
      this.numbers, h("h3", {}, t("sources")), this.posts);
    this.element = h("article", { class: "answer busy", "aria-busy": "true" },
      h("header", {}, h("h2", { dir: "auto" }, question), this.asked, this.outcome), this.headline, this.list, this.nearest, this.panel);
    this.element.view = this;
  }

  addSource(source) {
    if (!this.sources.has(source.key)) this.sources.set(source.key, source);
  }

  addClaim(claim) {
    this.claims.push(claim);
    this.list.append(this.sentence(claim));
    this.showSources();
  }

  sentence(claim) {
    const cites = claim.citations.map((citation) => h("a", {
      class: "cite", href: `#a${this.id}-source-${citation.n}`, "aria-label": t("cite", { n: String(citation.n), author: by(citation.author) }),
      "aria-expanded": "false", "data-key": citation.key, "data-start": citation.start, "data-end": citation.end,
    }, String(citation.n)));
    return h("li", { class: "claim", "data-key": claim.citations[0].key },
      h("p", { class: "said", dir: "auto" }, claim.label && h("b", { class: "label" }, claim.label), claim.label && " ", claim.text),
      h("div", { class: "meta" }, h("div", { class: "cites" }, ...cites), h("time", { datetime: claim.as_of }, date(claim.as_of)),
        h("span", {}, t("n_authors", { n: claim.authors })), h("span", {}, t("n_posts", { n: claim.posts })),
        claim.written && h("span", { class: "written" }, t("written"))));
  }

  showSources() {
    const quoted = this.claims.flatMap((claim) => claim.citations);
    const shown = [...this.sources.values()].filter((source) => quoted.some((one) => one.key === source.key));
    this.panel.hidden = shown.length === 0;
    this.posts.replaceChildren(...shown.map((source) => {
      const spans = quoted.filter((one) => one.key === source.key).map((one) => [one.start, one.end]);
      return h("li", { class: "source", id: `a${this.id}-source-${source.n}`, "data-key": source.key, tabindex: "-1" },
        h("span", { class: "n", "aria-hidden": "true" }, String(source.n)),
        h("p", { class: "by" }, h("b", {}, h("bdi", {}, by(source.author))), " ", h("time", { datetime: source.created_at }, date(source.created_at))),
        h("p", { class: "post", dir: "auto", lang: source.lang === "und" ? null : source.lang }, ...marked(source.text, spans)),
        h("p", { class: "meta" }, source.copies > 0 && h("span", {}, t("n_copies", { n: source.copies })),
          out(source.url, (host) => t("open", { host }))));
    }));
  }

  /** The answer is complete. */
  finish(answer) {
    this.answer = answer;
    this.claims = [];
    this.sources = new Map(answer.sources.map((source) => [source.key, source]));
    this.list.replaceChildren(...answer.claims.map((claim) => this.sentence(claim)));
    this.claims = answer.claims;
    this.showSources();
    this.head();
    this.headline.textContent = answer.outcome === "chat" ? answer.answer : answer.headline;
    this.headline.hidden = !this.headline.textContent;
    if (!answer.claims.length && answer.outcome !== "chat") this.list.after(h("p", { class: "nothing" }, t("nothing")));
    if (answer.partial) this.list.after(h("p", { class: "partial" }, t("partial")));
    this.showNearest(answer.nearest);
    this.asked.hidden = answer.asked === answer.question;
    this.asked.textContent = t("asked_as", { question: answer.asked });
    this.rest(answer.outcome);
  }

  /** Posts beside a refusal: they are watched like sources, so a deleted one leaves the page. */
  showNearest(posts) {
    this.nearest.hidden = posts.length === 0;
    this.nearest.replaceChildren(h("h3", {}, t("nearest")), h("ul", {}, ...posts.map((post) =>
      h("li", { "data-key": post.key, dir: "auto", lang: post.lang === "und" ? null : post.lang }, post.text))));
    for (const post of posts) this.sources.set(post.key, post);
  }

  head() {
    const { outcome, as_of, took_ms } = this.answer;
    const count = new Set(this.claims.flatMap((claim) => claim.citations.map((one) => one.key))).size;
    this.outcome.replaceChildren(h("strong", {}, t(`outcome_${outcome}`)),
      h("time", { datetime: as_of }, t("as_of_time", { time: date(as_of) })),
      ...(count ? [h("span", {}, t("n_sources", { n: count }))] : []), h("span", {}, t("took", { n: Math.round(took_ms) })));
  }

  /** Shows the counts of `/v1/evidence`. */
  showEvidence(found) {
    if (!found.posts || !this.claims.length) return;
    this.numbers.replaceChildren(...evidence(found));
    this.numbers.hidden = false;
  }

  fail(reason) {
    this.outcome.replaceChildren(h("span", { class: "problem" }, t("failed", { reason })));
    this.rest("failed");
  }

  rest(outcome) {
    this.element.className = `answer ${outcome}`;
    this.element.removeAttribute("aria-busy");
  }

  /** Removes posts that are no longer visible, and all that quotes them. True if anything was removed. */
  drop(keys) {
    const gone = new Set(keys.filter((key) => this.sources.delete(key)));
    if (!gone.size) return false;
    this.claims = this.claims.filter((claim) => !gone.has(claim.citations[0].key))
      .map((claim) => ({ ...claim, citations: claim.citations.filter((one) => !gone.has(one.key)) }));
    for (const element of this.list.querySelectorAll("[data-key]")) if (gone.has(element.dataset.key)) element.remove();
    for (const element of this.nearest.querySelectorAll("[data-key]")) if (gone.has(element.dataset.key)) element.remove();
    this.headline.hidden = true;  // it may count what is gone
    for (const element of this.list.querySelectorAll(".card")) if (gone.has(element.dataset.of)) element.remove();
    this.element.removeAttribute("data-answer");
    this.showSources();
    this.element.querySelector(".gone")?.remove();
    this.list.after(h("p", { class: "gone" }, t(this.claims.length ? "withdrawn" : "withdrawn_all"), " ",
      h("button", { type: "button", class: "quiet again" }, t("again"))));
    if (!this.claims.length) {
      this.numbers.hidden = true;
      if (this.answer) this.answer = { ...this.answer, outcome: "withdrawn" };
    }
    if (this.answer) this.head();
    return true;
  }
}
