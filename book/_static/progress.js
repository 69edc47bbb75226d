// What a reader has done: chapters read to their end, questions answered, predictions made. It stays in this browser.
"use strict";

const CHAPTER = /notebooks\/\d\d_/;

/** @param {string} words */
function accessibleTick(words) {
  const tick = document.createElement("span");
  tick.className = "course-tick";
  tick.title = words;
  tick.textContent = "✓";
  tick.setAttribute("aria-hidden", "true");
  const spoken = document.createElement("span");
  spoken.className = "course-spoken";
  spoken.textContent = ` (${words})`;
  return [tick, spoken];
}

/** Marks in the sidebar. */
function markSidebar() {
  const { read, quiz } = courseMemory.all();
  for (const link of document.querySelectorAll("nav.bd-links a.reference.internal")) {
    for (const old of link.querySelectorAll(".course-tick, .course-spoken")) old.remove();
    const name = courseNameOf(new URL(link.href, location.href).pathname);
    const answered = Object.keys(quiz[name] ?? {}).length;
    const words = answered ? `, ${answered} quiz ${answered === 1 ? "question" : "questions"} answered` : "";
    if (read[name]) link.append(...accessibleTick(`read to the end${words}`));
  }
}

/** Sentences about this page and about the course. */
function sentences() {
  const { read, quiz, predicted } = courseMemory.all();
  const name = courseNameOfPage();
  const chapters = [...document.querySelectorAll("nav.bd-links a.reference.internal")]
    .map((link) => courseNameOf(new URL(link.href, location.href).pathname))
    .filter((page) => CHAPTER.test(page));
  const found = [];
  if (CHAPTER.test(name)) {
    const questions = document.querySelectorAll("article .Feedback").length;
    const answers = Object.values(quiz[name] ?? {});
    const guesses = Object.values(predicted[name] ?? {}).filter((guess) => guess.said);
    const asked = document.querySelectorAll("article .predict").length;
    found.push(read[name] ? "You have read this chapter to its end." : "You have not read this chapter to its end yet.");
    if (questions) {
      const right = answers.filter((answer) => answer === "right").length;
      found.push(`Quiz: ${answers.length} of ${questions} questions answered${right ? `, ${right} of them right` : ""}.`);
    }
    if (asked) {
      const right = guesses.filter((guess) => guess.right).length;
      found.push(`Predictions: ${guesses.length} of ${asked} made${right ? `, ${right} of them right` : ""}.`);
    }
  }
  found.push(`The course: ${chapters.filter((page) => read[page]).length} of ${chapters.length} chapters read.`);
  return found;
}

function makePanel() {
  const panel = document.createElement("section");
  panel.className = "course-progress";
  panel.setAttribute("aria-label", "Your progress");
  panel.innerHTML =
    '<p class="course-progress-title">Your progress</p><ul></ul>' +
    '<label><input type="checkbox"> always show the answers of predictions</label>' +
    '<p class="course-small">Kept in this browser only; nothing is sent.</p>';
  const list = panel.querySelector("ul");
  const always = panel.querySelector("input");
  const clear = courseButton("Clear my progress", "course-clear");
  let before = null;
  clear.addEventListener("click", () => {
    const cleared = before;
    before = cleared ? null : courseMemory.all();
    if (cleared) courseMemory.update((all) => Object.assign(all, cleared));
    else courseMemory.clear();
    clear.textContent = before ? "Cleared. Undo" : "Clear my progress";
  });
  always.addEventListener("change", () => courseMemory.update((all) => void (all.open = always.checked)));
  panel.append(clear);
  const draw = () => {
    always.checked = Boolean(courseMemory.all().open);
    list.replaceChildren(
      ...sentences().map((sentence) => {
        const item = document.createElement("li");
        item.textContent = sentence;
        return item;
      }),
    );
    markSidebar();
  };
  document.addEventListener("course:memory", draw);
  draw();
  return panel;
}

/**
 * A quiz begins blank on every visit: say at each question how it was answered before, until it is answered again.
 * @param {string} name of the page
 */
function noteEarlierAnswers(name) {
  const notes = [...document.querySelectorAll("article .Feedback")].map((feedback, number) => {
    const verdict = courseMemory.all().quiz[name]?.[number];
    if (!verdict) return null;
    const note = document.createElement("p");
    note.className = "quiz-before";
    note.textContent = `Answered before: ${verdict === "right" ? "right" : "not right yet"}.`;
    feedback.after(note);
    new MutationObserver(() => note.remove()).observe(feedback, { attributes: true, attributeFilter: ["class"] });
    return note;
  });
  document.addEventListener("course:memory", () => {
    const { quiz } = courseMemory.all();
    notes.forEach((note, number) => note?.toggleAttribute("hidden", !quiz[name]?.[number])); // cleared, or back again
  });
}

window.addEventListener("load", () => {
  const article = document.querySelector("article.bd-article");
  if (!article || document.querySelector("#search-results") || !document.querySelector("nav.bd-links")) return;
  const name = courseNameOfPage();
  const panel = makePanel();
  article.append(panel);
  if (!/notebooks\//.test(name)) return;

  noteEarlierAnswers(name);
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    if (!courseMemory.all().read[name]) courseMemory.update((all) => void (all.read[name] = true));
  }).observe(panel);

  // The quiz marks its feedback as correct or incorrect.
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (!target.matches(".Feedback.correct, .Feedback.incorrect")) continue;
      const all = Number(target.dataset.numcorrect) > 1;
      const complete = !all || target.dataset.answeredcorrect === target.dataset.numcorrect;
      const verdict = target.matches(".correct") && complete ? "right" : "wrong";
      const number = [...document.querySelectorAll("article .Feedback")].indexOf(target);
      if (courseMemory.all().quiz[name]?.[number] === verdict) continue;
      courseMemory.update((memory) => {
        memory.quiz[name] ??= {};
        memory.quiz[name][number] = verdict;
      });
    }
  }).observe(article, { subtree: true, attributes: true, attributeFilter: ["class"] });
});
