// A term of the glossary shows its meaning under the pointer and on focus; Escape hides it. The link leads to the glossary.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const terms = document.querySelectorAll("a.term-of-glossary[data-meaning]");
  if (!terms.length) return;
  const box = document.createElement("div");
  box.className = "term-meaning";
  box.id = "term-meaning";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  document.body.append(box);
  let leaving = 0;

  /** @param {HTMLElement} term */
  function show(term) {
    clearTimeout(leaving);
    box.textContent = term.dataset.meaning;
    box.hidden = false;
    term.setAttribute("aria-describedby", box.id);
    const at = term.getClientRects()[0];
    const left = Math.min(at.left, document.documentElement.clientWidth - box.offsetWidth - 8);
    const below = at.bottom + box.offsetHeight + 8 < window.innerHeight;
    box.style.left = `${Math.max(8, left) + window.scrollX}px`;
    box.style.top = `${(below ? at.bottom + 4 : at.top - box.offsetHeight - 4) + window.scrollY}px`;
  }
  function hide() {
    clearTimeout(leaving);
    box.hidden = true;
    for (const term of terms) term.removeAttribute("aria-describedby");
  }
  const hideSoon = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hide, 200); // time to move the pointer onto the meaning
  };
  for (const term of terms) {
    term.addEventListener("mouseenter", () => show(term));
    term.addEventListener("focus", () => show(term));
    term.addEventListener("mouseleave", hideSoon);
    term.addEventListener("blur", hide);
  }
  box.addEventListener("mouseenter", () => clearTimeout(leaving));
  box.addEventListener("mouseleave", hideSoon);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !box.hidden) hide();
  });
});
