// Figures with several panels are small on a phone: a tap, or Enter, shows one in a window of its own, as large as it is.
"use strict";

/** @type {HTMLDialogElement | undefined} */
let figureWindow;
/** @type {ResizeObserver} */
let sizes;

/** Say in words where a figure is larger than its window: bars that scroll show on few phones. */
function sayThatItScrolls() {
  const box = figureWindow.querySelector(".figure-box");
  const ways = [
    box.scrollWidth > box.clientWidth + 1 && "sideways",
    box.scrollHeight > box.clientHeight + 1 && "down",
  ].filter(Boolean);
  figureWindow.querySelector(".scroll-hint").textContent =
    ways.length ? `Larger than the screen: scroll ${ways.join(" and ")}, by finger or arrow keys` : "";
}

/** @param {HTMLImageElement} image */
function enlarge(image) {
  if (!figureWindow) {
    figureWindow = document.createElement("dialog");
    figureWindow.className = "figure-window";
    figureWindow.setAttribute("aria-label", "Figure, enlarged");
    figureWindow.innerHTML =
      '<form method="dialog"><p class="scroll-hint" id="figure-hint"></p><button class="course-button">Close</button></form>' +
      '<div class="figure-box" role="group" tabindex="0" autofocus aria-label="Figure" aria-describedby="figure-hint"></div>';
    figureWindow.addEventListener("click", (event) => {
      if (event.target === figureWindow) figureWindow.close();
    });
    // The page's search takes Escape for itself unless a button has the focus; here it closes the window.
    figureWindow.addEventListener("keydown", (event) => event.key === "Escape" && event.stopPropagation());
    document.body.append(figureWindow);
    sizes = new ResizeObserver(sayThatItScrolls);
    sizes.observe(figureWindow.querySelector(".figure-box"));
  }
  const large = document.createElement("img");
  large.src = image.currentSrc || image.src;
  large.alt = image.alt;
  large.style.width = `${Math.max(image.naturalWidth / 1.3, 900)}px`;
  const box = figureWindow.querySelector(".figure-box");
  box.replaceChildren(large);
  sizes.observe(large); // its height is known once it is loaded
  figureWindow.showModal(); // the box takes the focus, so that arrow keys scroll it at once
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
