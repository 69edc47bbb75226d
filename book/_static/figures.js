// Figures with several panels are small on a phone: a tap, or Enter, shows one in a window of its own, as large as it is.
"use strict";

/** @type {HTMLDialogElement | undefined} */
let figureWindow;

/** @param {HTMLImageElement} image */
function enlarge(image) {
  if (!figureWindow) {
    figureWindow = document.createElement("dialog");
    figureWindow.className = "figure-window";
    figureWindow.setAttribute("aria-label", "Figure, enlarged");
    figureWindow.innerHTML =
      '<form method="dialog"><button class="course-button">Close</button></form><div class="figure-box" tabindex="0"></div>';
    figureWindow.addEventListener("click", (event) => {
      if (event.target === figureWindow) figureWindow.close();
    });
    document.body.append(figureWindow);
  }
  const large = document.createElement("img");
  large.src = image.currentSrc || image.src;
  large.alt = image.alt;
  large.style.width = `${Math.max(image.naturalWidth / 1.3, 900)}px`;
  const box = figureWindow.querySelector(".figure-box");
  box.replaceChildren(large);
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Scroll to see all of the figure");
  figureWindow.showModal();
}

window.addEventListener("load", () => {
  for (const image of document.querySelectorAll("article .cell_output img, article figure img, article p > img")) {
    if (image.closest("a, button, .explorer") || image.naturalWidth < 500) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.setAttribute("aria-label", `Enlarge the figure: ${image.alt}`);
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => enlarge(image));
  }
});
