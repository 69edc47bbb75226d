// What a page remembers stays in this browser and is sent nowhere. Some browsers refuse to remember anything, in private
// windows or for pages opened from a folder: then pages work without, and the theme's scripts must not fail either.
"use strict";

(() => {
  try {
    localStorage.setItem("course.test", "1");
    localStorage.removeItem("course.test");
  } catch {
    const items = new Map();
    const forgetful = {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, String(value)),
      removeItem: (key) => void items.delete(key),
      clear: () => items.clear(),
      key: (k) => [...items.keys()][k] ?? null,
      get length() {
        return items.size;
      },
    };
    try {
      Object.defineProperty(window, "localStorage", { value: forgetful, configurable: true });
    } catch {
      // The theme does without its memory, and courseMemory below too.
    }
  }
})();

/** Everything that the course remembers, under one key. */
const courseMemory = {
  key: "course.progress",

  /** @returns {{read: Object<string, boolean>, quiz: Object<string, Object>, predicted: Object<string, Object>, open: boolean}} */
  all() {
    let stored = {};
    try {
      stored = JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      // Nothing is remembered, or what is there is damaged: begin again.
    }
    return { read: stored.read ?? {}, quiz: stored.quiz ?? {}, predicted: stored.predicted ?? {}, open: Boolean(stored.open) };
  },

  /**
   * Change what is remembered, and tell the page.
   * @param {(all: ReturnType<typeof courseMemory.all>) => void} change
   */
  update(change) {
    const all = this.all();
    change(all);
    try {
      localStorage.setItem(this.key, JSON.stringify(all));
    } catch {
      // Refused or full: this page goes on without.
    }
    document.dispatchEvent(new CustomEvent("course:memory"));
  },

  clear() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // Nothing was remembered.
    }
    document.dispatchEvent(new CustomEvent("course:memory"));
  },
};

/** Name of a page within the site, the same from a server and from a folder. @param {string} path */
function courseNameOf(path) {
  const found = decodeURIComponent(path).match(/(?:notebooks\/solutions|notebooks|book)\/[^/]+(?=\.html$)/);
  return found ? found[0] : "index";
}
const courseNameOfPage = () => courseNameOf(location.pathname);
