/** Ask: questions, follow-ups, the as-of time, and what becomes of answers when posts are deleted. */

import { View } from "./answer.js";
import { chosenTime, pickTime } from "./asof.js";
import { citations, close } from "./cite.js";
import { $ } from "./dom.js";
import { address, remember } from "./history.js";
import { events, json } from "./http.js";
import { t } from "./i18n.js";
import { announce, start } from "./shell.js";
import { watch } from "./watch.js";

const LOOK_BACK = 10; // questions of a conversation that the server reads
const SHOWN = 20; // answers of a conversation that stay on the page

let views = [];
let running = new AbortController();
let at = location.search;

function gone(keys) {
  const touched = views.map((view) => view.drop(keys)).some(Boolean);
  if (touched) {
    close();
    announce(t("withdrawn"));
    watchAll();
  }
}

/** The last answer with a claim: follow-ups refer to it. */
const answered = () => views.findLast((view) => view.claims.length);

const watchAll = () => watch(views.flatMap((view) => [...view.sources.keys()]), gone);

/** Asks a question; its answer replaces those from index `place` on. */
async function ask(question, earlier, asOf, place = 0, push = true) {
  running.abort();
  const control = (running = new AbortController());
  const view = new View(question, earlier, asOf, { follow: place > 0 });
  close();
  views = [...views.slice(0, place), view].slice(-SHOWN);
  $("answers").replaceChildren(...views.map((one) => one.element));
  document.title = `${question} · ${t("title")}`;
  $("followup").hidden = true;
  if (push) window.history.pushState(null, "", address(question, earlier, asOf));
  at = location.search;
  $("language").href = `${address(question, earlier, asOf)}&lang=${$("language").lang}`;
  announce(t("searching"));
  if (views.length > 1) view.element.scrollIntoView({ block: "start", behavior: "smooth" });
  try {
    const body = { question, earlier, stream: true, ...(asOf && { as_of: asOf }) };
    for await (const { name, data } of events("/v1/ask", { body, signal: control.signal })) {
      if (name === "source") view.addSource(data);
      else if (name === "claim") view.addClaim(data);
      else if (name === "done") settle(view, data);
      else if (name === "error") view.fail(data.error.message);
      if (name === "source") watchAll();
    }
    if (view.element.ariaBusy) view.fail(t("unreachable"));
  } catch (error) {
    if (!control.signal.aborted) view.fail(error.message);
  }
}

/** The answer is complete: show it, store the question, load the evidence. */
async function settle(view, answer) {
  view.finish(answer);
  remember(view.question, view.earlier, view.asOf);
  watchAll();
  $("followup").hidden = !answered();
  announce(`${t(`outcome_${answer.outcome}`)}. ${t("n_claims", { n: answer.claims.length })}, ${t("n_sources", { n: answer.sources.length })}.`);
  if (!answer.claims.length) return;
  const query = new URLSearchParams({ question: view.question, as_of: answer.as_of });
  for (const one of view.earlier) query.append("earlier", one);
  try {
    view.showEvidence(await json(`/v1/evidence?${query}`), pickTime);
  } catch {
    // The answer is shown without its counts.
  }
}

/** Asks the last question again, as of the chosen time. */
function again() {
  const view = views.at(-1);
  if (view) ask(view.question, view.earlier, chosenTime(), views.length - 1);
}

/** Shows what the server has rendered, or asks the question of the address. */
function begin() {
  const given = new URLSearchParams(location.search);
  const question = given.get("q")?.trim();
  const shown = document.querySelector("article[data-answer]");
  if (!shown) {
    if (!document.querySelector("#answers .problem")) ask(question, given.getAll("earlier"), chosenTime(), 0, false);
    return;
  }
  const view = new View(question, JSON.parse(shown.dataset.earlier), chosenTime());
  views = [view];
  settle(view, JSON.parse(shown.dataset.answer));
  shown.replaceWith(view.element);
}

const typed = (input) => input.value.trim();

$("box").addEventListener("submit", (event) => {
  if (event.submitter?.formAction.endsWith("/search")) return;
  event.preventDefault();
  if (typed($("q"))) ask(typed($("q")), [], chosenTime());
});
$("followup").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = typed($("f"));
  $("f").value = "";
  const before = answered() ?? views.at(-1);
  if (question) ask(question, [...before.earlier, before.question].slice(-LOOK_BACK), chosenTime(), views.length);
});
$("answers").addEventListener("click", (event) => event.target.closest(".again") && again());
window.addEventListener("popstate", () => location.search !== at && location.reload());

citations($("answers"), gone);
start({ moved: again });
begin();
