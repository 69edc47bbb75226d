// What the page knows and says, for the scripts of its steps.
"use strict";

(() => {
  const { element } = apart;

  /** @returns {any} what is known of no table */
  const nothing = () => ({ text: null, table: null, columns: [], chosen: null, cells: null, warnings: [], mark: null });

  /** @type {PageState} */
  const state = { name: "", file: "", encoding: "", notes: [], preset: null, ...nothing() };
  /** What stands where there is nothing yet. @returns {HTMLElement[]} */
  const waits = () => Array.from(document.querySelectorAll(".apart-waits"));

  const page = {
    state,
    /** The fit that runs. @type {AbortController | null} */
    fitting: null,

    /** @param {string} text @param {string} id of where it stands */
    say(text, id = "apart-status") {
      element(id).textContent = text;
    },

    /** Let the browser show what was said before a long step. */
    shown: () => new Promise((resolve) => setTimeout(resolve, 30)),

    /** End the fit that runs, and forget about it. */
    endFit() {
      page.fitting?.abort();
      page.fitting = null;
    },

    hideFound() {
      element("apart-found").hidden = true;
      element("apart-go").hidden = true;
      element("apart-waits-found").hidden = false;
    },

    /** Show the parts that need a table. */
    showTable() {
      for (const line of waits()) line.hidden = line.id !== "apart-waits-found";
      element("apart-table").hidden = false;
      element("apart-fit").hidden = false;
    },

    /** Take back everything that a former table has shown. */
    forget() {
      page.endFit();
      Object.assign(state, nothing());
      for (const id of ["apart-table", "apart-fit", "apart-ready"]) element(id).hidden = true;
      for (const line of waits()) line.hidden = false;
      page.hideFound();
    },
  };

  Object.assign(apart, { page });
})();
