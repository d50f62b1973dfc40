/** An answer in a frame of another site: its citations, and the removal of posts that are deleted. */

import { View } from "./answer.js";
import { citations } from "./cite.js";
import { $ } from "./dom.js";
import { watch } from "./watch.js";

const shown = document.querySelector("article[data-answer]");
const answer = JSON.parse(shown.dataset.answer);
const view = new View(answer.question, [], answer.as_of);
view.finish(answer);
view.done.hidden = true;
shown.replaceWith(view.element);

const gone = (keys) => {
  view.drop(keys);
  view.element.querySelector(".again")?.remove();
  view.done.hidden = true;
};
citations($("answers"), gone);
watch([...view.sources.keys()], gone, `/embed/watch${location.search}`);
