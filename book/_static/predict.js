// "Predict first." A paragraph that begins so asks something. Its answer, the results of the next code and the first
// paragraph after them, stays folded until the reader wants it. The prediction is kept in this browser only.
// Without this script everything is visible.
"use strict";

/**
 * The choices that a question offers: "..., a, b or c?" after a colon, or yes and no. Empty for an open question.
 * @param {string} text
 * @returns {string[]}
 */
function choicesOf(text) {
  const asked = text.match(/[^.?!:]*(?::[^.?!:]*)?\?/g) ?? [];
  if (asked.length !== 1 || !text.trim().endsWith("?")) return [];
  const question = asked[0].trim().replace(/\?$/, "");
  const list = question.split(": ")[1];
  if (list) {
    const choices = list.split(/,? or |, /).map((choice) => choice.trim()).filter(Boolean);
    return choices.length > 1 && choices.length < 6 && choices.every((choice) => choice.length < 50) ? choices : [];
  }
  const yesOrNo = /^(Is|Are|Will|Does|Do|Can|Should|Would)\b/.test(question) && !/,| or /.test(question);
  return yesOrNo ? ["yes", "no"] : [];
}

/**
 * What answers a question: outputs of the cells that follow, and the first paragraph after them.
 * @param {Element} question
 * @returns {HTMLElement[]}
 */
function answerTo(question) {
  const found = [];
  let node = question.nextElementSibling;
  for (; node && !node.matches("section, h1, h2, h3, h4, .predict"); node = node.nextElementSibling) {
    if (node.matches("p") && node.firstElementChild?.textContent.startsWith("Predict first")) return found;
    if (node.matches("div.cell")) {
      const outputs = [...node.querySelectorAll(":scope > .cell_output, :scope > details .cell_output")];
      if (outputs.length) found.push(...(node.matches(".tag_hide-input") ? [node] : outputs));
    } else if (found.length) {
      return [...found, node];
    }
  }
  return found;
}

/** @param {HTMLElement} element @param {boolean} show */
function showOrFold(element, show) {
  if (show) element.removeAttribute("hidden");
  else element.setAttribute("hidden", "until-found"); // the browser's own search finds what is folded
}

/** @param {string} label @param {string} className */
function courseButton(label, className) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `course-button ${className}`;
  button.textContent = label;
  return button;
}

/** @param {HTMLParagraphElement} paragraph */
function makePrediction(paragraph) {
  const text = paragraph.textContent.replace(/\s+/g, " ").replace("Predict first.", "").trim();
  const page = courseNameOfPage();
  const key = text.slice(0, 80);
  const answer = answerTo(paragraph);
  const remembered = () => courseMemory.all().predicted[page]?.[key] ?? {};
  const remember = (what) =>
    courseMemory.update((all) => {
      all.predicted[page] ??= {};
      all.predicted[page][key] = { ...all.predicted[page][key], ...what };
    });

  const box = document.createElement("div");
  box.className = "predict";
  paragraph.replaceWith(box);
  box.append(paragraph);
  const controls = document.createElement("div");
  controls.className = "predict-controls";
  box.append(controls);

  const choices = choicesOf(text);
  const buttons = choices.map((choice) => courseButton(choice, "predict-choice"));
  let field;
  if (choices.length) {
    const group = document.createElement("div");
    group.className = "predict-choices";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Your prediction");
    group.append(...buttons);
    controls.append(group);
    buttons.forEach((button, k) => button.addEventListener("click", () => remember({ said: choices[k] })));
  } else {
    const label = document.createElement("label");
    label.textContent = "Your prediction ";
    field = document.createElement("input");
    field.type = "text";
    field.autocomplete = "off";
    field.maxLength = 200;
    label.append(field);
    controls.append(label);
    field.addEventListener("change", () => remember({ said: field.value.trim() }));
  }

  const show = courseButton("Show the answer", "predict-show");
  // Leaving the field shows a line, which may move the button away from under the pointer before it is released.
  show.addEventListener("mousedown", (event) => event.preventDefault());
  const verdict = document.createElement("p");
  verdict.className = "predict-verdict";
  verdict.setAttribute("role", "status");
  if (answer.length) controls.append(show);
  controls.append(verdict);

  const right = [courseButton("yes", "predict-right"), courseButton("no", "predict-right")];
  right.forEach((button, k) => button.addEventListener("click", () => remember({ right: k === 0 })));
  let shown = false;
  show.addEventListener("click", () => {
    shown = !shown;
    remember(field ? { said: field.value.trim(), shown } : { shown });
    document.dispatchEvent(new Event("toggle")); // tables and equations get their width now
  });
  for (const part of answer) part.addEventListener("beforematch", () => remember({ shown: true }));

  function draw() {
    const { said = "", shown: before = false, right: wasRight } = remembered();
    shown = before || shown && said !== "" || courseMemory.all().open;
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(choices[k] === said)));
    if (field && document.activeElement !== field) field.value = said;
    for (const part of answer) showOrFold(part, shown);
    show.textContent = shown ? "Fold the answer" : "Show the answer";
    show.setAttribute("aria-expanded", String(shown));
    if (shown && said) {
      if (!verdict.contains(right[0])) verdict.replaceChildren("Were you right? ", ...right);
      right.forEach((button, k) => button.setAttribute("aria-pressed", String(wasRight === (k === 0))));
    } else {
      verdict.replaceChildren(said && answer.length ? "Noted, in this browser only." : "");
    }
  }
  show.setAttribute("aria-expanded", "false");
  document.addEventListener("course:memory", draw);
  draw();
}

document.addEventListener("DOMContentLoaded", () => {
  if (!/notebooks\/\d\d_/.test(courseNameOfPage())) return;
  for (const strong of document.querySelectorAll("article p > strong:first-child")) {
    const paragraph = strong.parentElement;
    if (strong.textContent.startsWith("Predict first") && paragraph.firstChild === strong) makePrediction(paragraph);
  }
});

// Who comes from the search, or follows a link into an answer, sees what was looked for.
window.addEventListener("load", () => {
  setTimeout(() => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (const folded of document.querySelectorAll("article [hidden]")) {
      if (folded.querySelector(".highlighted") || (target && folded.contains(target))) folded.removeAttribute("hidden");
    }
  }, 100);
});
