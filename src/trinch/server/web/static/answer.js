/** One answer on the page: built as it streams in; claims are removed when their posts are deleted. */

import { actions } from "./actions.js";
import { h, marked, out } from "./dom.js";
import { facts } from "./evidence.js";
import { by, date, t } from "./i18n.js";
import { layout } from "./layouts.js";
import { relatedQuestions } from "./related.js";

const TASKS_WITHOUT_NAME = ["question", "chat"];
let made = 0;

export class View {
  /** The first answer of the page is its main heading; `follow` for those after it. */
  constructor(question, earlier, asOf, { follow = false } = {}) {
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
    this.body = h("ol", { class: "claims" });
    this.notes = h("div", {});
    this.nearest = h("section", { class: "nearest", hidden: true });
    this.done = h("div", { class: "done", hidden: true });
    this.questions = h("section", { class: "questions", hidden: true });
    this.numbers = h("section", { class: "evidence", "aria-label": t("evidence"), hidden: true });
    this.posts = h("ol", { class: "sources" });
    this.panel = h("aside", { class: "panel", "aria-label": t("evidence_of", { question }), hidden: true },
      this.numbers, h("h2", {}, t("sources")), this.posts);
    this.element = h("article", { class: "answer busy", "aria-busy": "true" },
      h("header", {}, h(follow ? "h2" : "h1", { dir: "auto" }, question), this.asked, this.outcome),
      h("div", { class: "text" }, this.headline, this.body, this.notes, this.nearest, this.done, this.questions), this.panel);
    this.element.view = this;
  }

  addSource(source) {
    if (!this.sources.has(source.key)) this.sources.set(source.key, source);
  }

  addClaim(claim) {
    this.claims.push(claim);
    this.body.append(this.sentence(claim, "li", this.claims.length === 1));
    this.showSources();
  }

  /** A claim: its quote, its citations, when, and by how many. */
  sentence(claim, tag, lead = false, { labelled = true } = {}) {
    const cites = claim.citations.map((citation) => h("a", {
      class: "cite", href: `#a${this.id}-source-${citation.n}`, "aria-label": t("cite", { n: String(citation.n), author: by(citation.author) }),
      "data-key": citation.key, "data-start": citation.start, "data-end": citation.end,
    }, String(citation.n)));
    return h(tag, { class: lead ? "claim lead" : "claim", "data-key": claim.citations[0].key, "data-entry": "" },
      h("p", { class: "said", dir: "auto" }, 
        labelled && claim.label && h("b", { class: "label" }, claim.label), labelled && claim.label && " ",
        claim.attribution && h("b", { class: "label" }, `${claim.attribution}:`), claim.attribution && " ", claim.text),
      h("div", { class: "meta" }, h("div", { class: "cites" }, ...cites),
        claim.as_of ? h("time", { datetime: claim.as_of }, date(claim.as_of)) : h("span", { class: "badge" }, t("undated")),
        h("span", {}, t("n_authors", { n: claim.authors })), h("span", {}, t("n_posts", { n: claim.posts })),
        claim.written && h("span", { class: "written" }, t("written"))));
  }

  showClaims() {
    const body = layout(this.answer, this.claims, (...given) => this.sentence(...given));
    this.body.replaceWith(body);
    this.body = body;
  }

  showSources() {
    const quoted = this.claims.flatMap((claim) => claim.citations);
    const shown = [...this.sources.values()].filter((source) => quoted.some((one) => one.key === source.key));
    this.panel.hidden = shown.length === 0;
    this.posts.replaceChildren(...shown.map((source) => {
      const spans = quoted.filter((one) => one.key === source.key).map((one) => [one.start, one.end]);
      return h("li", { class: "source", id: `a${this.id}-source-${source.n}`, "data-key": source.key, tabindex: "-1" },
        h("span", { class: "n", "aria-hidden": "true" }, String(source.n)), ...this.post(source, spans));
    }));
  }

  /** A source: author, time, text with the quoted spans marked, copies, and a link to the post. */
  post(source, spans) {
    return [
      h("p", { class: "by" }, h("b", {}, h("bdi", {}, by(source.author))), " ", h("time", { datetime: source.created_at }, date(source.created_at))),
      h("p", { class: "post", dir: "auto", lang: source.lang === "und" ? null : source.lang }, ...marked(source.text, spans)),
      h("p", { class: "meta" }, source.copies > 0 && h("span", {}, t("n_copies", { n: source.copies })), out(source.url, (host) => t("open", { host }))),
    ];
  }

  /** The answer is complete. */
  finish(answer) {
    this.answer = answer;
    this.sources = new Map(answer.sources.map((source) => [source.key, source]));
    this.claims = answer.claims;
    this.showClaims();
    this.showSources();
    this.head();
    this.headline.textContent = answer.outcome === "chat" ? answer.answer : answer.headline;
    this.headline.hidden = !this.headline.textContent;
    this.notes.replaceChildren(
      ...(!answer.claims.length && answer.outcome !== "chat" ? [h("p", { class: "nothing" }, t("nothing"))] : []),
      ...(answer.partial ? [h("p", { class: "partial" }, t("partial"))] : []));
    this.showNearest(answer.nearest);
    this.asked.hidden = answer.asked === answer.question;
    this.asked.textContent = t("asked_as", { question: answer.asked });
    this.done.hidden = !answer.claims.length;
    this.done.replaceChildren(...actions(this));
    this.rest(answer.outcome);
  }

  /** Posts beside a refusal: they are watched like sources, so a deleted one leaves the page. */
  showNearest(posts) {
    this.nearest.hidden = posts.length === 0;
    this.nearest.replaceChildren(h("h2", {}, t("nearest")), h("ul", {}, ...posts.map((post) =>
      h("li", { "data-key": post.key, dir: "auto", lang: post.lang === "und" ? null : post.lang }, post.text))));
    for (const post of posts) this.sources.set(post.key, post);
  }

  head() {
    const { outcome, as_of, took_ms, task } = this.answer;
    const count = new Set(this.claims.flatMap((claim) => claim.citations.map((one) => one.key))).size;
    this.outcome.replaceChildren(h("strong", {}, t(`outcome_${outcome}`)),
      ...(TASKS_WITHOUT_NAME.includes(task) ? [] : [h("span", { class: "badge" }, t(`task_${task}`))]),
      h("time", { datetime: as_of }, t("as_of_time", { time: date(as_of) })),
      ...(count ? [h("span", {}, t("n_sources", { n: count }))] : []), h("span", {}, t("took", { n: Math.round(took_ms) })));
  }

  /** Shows the counts of `/v1/evidence` and questions about its topic; `pick` gets the end of a picked bar. */
  showEvidence(found, pick) {
    if (!this.claims.length) return;
    if (found.posts) {
      this.numbers.replaceChildren(...facts(found, pick));
      this.numbers.hidden = false;
    }
    const related = relatedQuestions(found.topic, this.answer.task, this.asOf);
    this.questions.hidden = related.length === 0;
    this.questions.replaceChildren(h("h2", {}, t("related_questions")), h("ul", {}, ...related));
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
    this.headline.hidden = true; // it may count what is gone
    for (const element of this.nearest.querySelectorAll("[data-key]")) if (gone.has(element.dataset.key)) element.remove();
    this.element.removeAttribute("data-answer");
    if (this.answer) {
      this.answer = { ...this.answer, headline: "", claims: this.claims, sources: [...this.sources.values()], ...(!this.claims.length && { outcome: "withdrawn" }) };
      this.showClaims();
      this.head();
    } else this.body.replaceChildren(...this.claims.map((claim, i) => this.sentence(claim, "li", i === 0)));
    this.showSources();
    this.done.hidden = !this.claims.length;
    if (!this.claims.length) this.numbers.hidden = true;
    this.notes.querySelector(".gone")?.remove();
    this.notes.append(h("p", { class: "gone" }, t(this.claims.length ? "withdrawn" : "withdrawn_all"), " ",
      h("button", { type: "button", class: "quiet again" }, t("again"))));
    return true;
  }
}
