// Names that assistive technology reads must contain the text that others see (WCAG 2.5.3).
function nameControlsByTheirText() {
  for (const control of document.querySelectorAll("summary[aria-label], .search-button-field[aria-label]")) {
    control.removeAttribute("aria-label");
  }
  for (const input of document.querySelectorAll("input.Input-text")) {
    input.setAttribute("aria-label", "Your answer, a number");
  }
  // A list's children must be its items, and a bibliography holds anchors between them.
  for (const list of document.querySelectorAll(".citation-list[role]")) list.removeAttribute("role");
}
window.addEventListener("load", nameControlsByTheirText);

/**
 * Run something once formulas are typeset, whenever the article has another width, and when a part of it unfolds.
 * @param {() => void} fit
 */
function onWidthOfArticle(fit) {
  window.addEventListener("load", () => {
    const article = document.querySelector("article");
    if (!article) return;
    let width = 0;
    const watch = () =>
      new ResizeObserver(() => {
        if (article.clientWidth === width) return;
        width = article.clientWidth;
        fit();
      }).observe(article);
    (window.MathJax?.startup?.promise ?? Promise.resolve()).then(watch);
    document.addEventListener("toggle", fit, true); // what is folded has no width
  });
}
