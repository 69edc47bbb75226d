// A term of the glossary shows its meaning under the pointer and on focus; Escape hides it. The link leads to the glossary.
// A finger has no pointer to rest: its first tap shows the meaning, and a link under it; its second tap follows the term.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const terms = document.querySelectorAll("a.term-of-glossary[data-meaning]");
  if (!terms.length) return;
  const box = document.createElement("div");
  box.className = "term-meaning";
  box.id = "term-meaning";
  box.tabIndex = -1; // a tap on the meaning keeps it open
  box.hidden = true;
  document.body.append(box);
  let leaving = 0;
  let byTouch = false; // of the last press anywhere
  /** @type {HTMLElement | null} */
  let tapped = null;

  /** @param {HTMLElement} term */
  function show(term) {
    clearTimeout(leaving);
    box.textContent = term.dataset.meaning;
    if (term === tapped) {
      const more = document.createElement("a");
      more.href = term.href;
      more.textContent = "More in the glossary";
      box.append(" ", more);
    }
    box.setAttribute("role", term === tapped ? "note" : "tooltip"); // a tooltip holds no link
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
    tapped = null;
    for (const term of terms) term.removeAttribute("aria-describedby");
  }
  const hideSoon = () => {
    clearTimeout(leaving);
    if (!tapped) leaving = setTimeout(hide, 200); // time to move the pointer onto the meaning
  };
  for (const term of terms) {
    term.addEventListener("mouseenter", () => show(term));
    term.addEventListener("focus", () => show(term));
    term.addEventListener("mouseleave", hideSoon);
    term.addEventListener("blur", (event) => {
      if (!box.contains(event.relatedTarget)) hide();
    });
    term.addEventListener("click", (event) => {
      if (!byTouch || term === tapped) return;
      event.preventDefault();
      tapped = term;
      show(term);
    });
  }
  box.addEventListener("mouseenter", () => clearTimeout(leaving));
  box.addEventListener("mouseleave", hideSoon);
  document.addEventListener("pointerdown", (event) => {
    byTouch = event.pointerType === "touch";
    if (tapped && !box.contains(event.target) && event.target.closest("a") !== tapped) hide();
  }, true);
  document.addEventListener("keydown", (event) => {
    byTouch = false;
    if (event.key === "Escape" && !box.hidden) hide();
  });
});
