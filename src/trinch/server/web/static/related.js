/** Questions that may be asked next about the topic of an answer. */

import { h } from "./dom.js";
import { address } from "./history.js";
import { t } from "./i18n.js";

const QUESTIONS = { latest: "rq_latest", timeline: "rq_timeline", opinions: "rq_opinions", summary: "rq_summary" };

const NAMES = /\p{Lu}[\p{L}\p{N}'’-]*(?: \p{Lu}[\p{L}\p{N}'’-]*)*/gu;
const SHORT = 3; // words

/** A topic in few words: of a long one, the longest name in it. */
export function shortened(topic) {
  if (topic.split(" ").length <= SHORT) return topic;
  const names = topic.match(NAMES) ?? [];
  return names.reduce((best, name) => (name.length > best.length ? name : best), "") || topic;
}

/** Links to questions for other tasks than the one that was answered. */
export const relatedQuestions = (topic, task, asOf) => !topic ? [] : Object.entries(QUESTIONS).filter(([name]) => name !== task)
  .map(([, key]) => t(key, { topic: shortened(topic) })).map((question) => h("li", {}, h("a", { href: address(question, [], asOf), dir: "auto" }, question)));
