/** What can be done with an answer: copy it with its citations, share, embed, print, say whether it was useful. */

import { announce, confirm, copy, textDialog } from "./clipboard.js";
import { h } from "./dom.js";
import { address } from "./history.js";
import { json } from "./http.js";
import { by, date, t } from "./i18n.js";

const FEEDBACK = "trinch.feedback";
const MOST = 200;

/** The answer as plain text: sentences with their numbers, then the posts with their addresses. */
export function asText({ question, answer, claims, sources }) {
  const keys = new Set(claims.flatMap((claim) => claim.citations.map((one) => one.key)));
  return [
    question, "",
    ...(answer.headline ? [answer.headline] : []),
    ...claims.map((claim) => `${[claim.label, claim.attribution, claim.text].filter(Boolean).join(": ")} ${claim.citations.map((one) => `[${one.n}]`).join("")}`), "",
    ...[...sources.values()].filter((source) => keys.has(source.key)).map((source) => `[${source.n}] ${by(source.author)}, ${date(source.created_at)}${source.url ? ` ${source.url}` : ""}`),
    t("as_of_time", { time: date(answer.as_of) }),
  ].join("\n");
}

function button(label, act) {
  const made = h("button", { type: "button", class: "quiet" }, label);
  made.addEventListener("click", () => act(made));
  return made;
}

async function share(view, made) {
  const url = new URL(address(view.question, view.earlier, view.answer.as_of), location.origin).href;
  if (navigator.share) {
    try {
      return await navigator.share({ title: view.question, url });
    } catch (error) {
      if (error.name === "AbortError") return;
    }
  }
  if (await copy(url, t("link_copied"))) confirm(made, t("link_copied"));
}

async function embed(view) {
  try {
    const { path } = await json("/page/embed", { body: { question: view.question, earlier: view.earlier, as_of: view.answer.as_of } });
    const title = view.question.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
    textDialog(t("embed_title"), `<iframe src="${new URL(path, location.origin).href.replaceAll("&", "&amp;")}" title="${title}" width="600" height="500" loading="lazy"></iframe>`, t("embed_note"));
  } catch (error) {
    announce(t("failed", { reason: error.message }));
  }
}

/** Whether answers were useful: question, time and outcome, in this browser only. */
function feedback(view) {
  const read = () => {
    try {
      return JSON.parse(localStorage.getItem(FEEDBACK) ?? "[]");
    } catch {
      return [];
    }
  };
  const same = (one) => one.question === view.question && one.as_of === view.answer.as_of;
  const given = read().find(same)?.useful;
  const buttons = [["useful", true], ["not_useful", false]].map(([name, useful]) => {
    const made = button(t(name), () => {
      const kept = [{ question: view.question, as_of: view.answer.as_of, outcome: view.answer.outcome, useful }, ...read().filter((one) => !same(one))].slice(0, MOST);
      try {
        localStorage.setItem(FEEDBACK, JSON.stringify(kept));
      } catch {
        return; // storage is full or forbidden
      }
      for (const one of buttons) one.setAttribute("aria-pressed", one === made);
      announce(t("feedback_kept"));
    });
    made.title = t("feedback_kept");
    made.setAttribute("aria-pressed", given === useful);
    return made;
  });
  return buttons;
}

/** The buttons under an answer. */
export const actions = (view) => [
  button(t("copy"), async (made) => (await copy(asText(view), t("copied"))) && confirm(made, t("copied"))),
  button(t("share"), (made) => share(view, made)),
  button(t("embed"), () => embed(view)),
  button(t("print"), () => window.print()),
  ...feedback(view),
];
