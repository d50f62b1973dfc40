/** Earlier questions, stored in this browser only: questions and times, never answers or posts. */

import { $, h } from "./dom.js";
import { date, t } from "./i18n.js";

const NAME = "trinch.history";
const MOST = 60;

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function write(past) {
  try {
    localStorage.setItem(NAME, JSON.stringify(past.slice(0, MOST)));
  } catch {
    // Storage is full or forbidden: there is no history then.
  }
}

/** The address of a question. */
export function address(question, earlier, asOf) {
  const query = new URLSearchParams({ q: question });
  for (const one of earlier) query.append("earlier", one);
  if (asOf) query.set("as_of", asOf);
  return `/?${query}`;
}

/** Stores a question: newest first, without duplicates. */
export function remember(question, earlier, asOf) {
  const same = (one) => address(one.question, one.earlier, one.asOf) === address(question, earlier, asOf);
  write([{ question, earlier, asOf }, ...read().filter((one) => !same(one))]);
}

/** The button and the dialog. */
export function history() {
  const list = () => {
    const past = read();
    $("past").replaceChildren(...(past.length ? past : [null]).map((one) => one === null
      ? h("li", { class: "note" }, t("history_empty"))
      : h("li", {}, h("a", { href: address(one.question, one.earlier, one.asOf) }, one.question), " ",
        one.asOf && h("time", { datetime: one.asOf }, t("as_of_time", { time: date(one.asOf) })))));
    $("forget").hidden = !past.length;
  };
  $("history-open").hidden = false;
  $("history-open").addEventListener("click", () => {
    list();
    $("history").showModal();
  });
  $("forget").addEventListener("click", () => {
    write([]);
    list();
  });
}
