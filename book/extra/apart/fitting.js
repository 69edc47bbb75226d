// The third step: a fit, how far it is, and whether it passed its check.
"use strict";

(() => {
  const { element, page } = apart;
  const TARGET = 400; // effective draws of every scale
  const STOPPED = "Stopped before the chains agreed, so no number is shown as found.";
  const whole = (/** @type {number} */ value) => Math.floor(value).toLocaleString("en");

  let killer = new AbortController(); // ends the chains at once

  async function fit() {
    const { cells } = page.state;
    if (!cells) return;
    const mine = new AbortController();
    page.fitting = mine;
    killer = new AbortController();
    page.hideFound();
    element("apart-start").disabled = true;
    element("apart-stop").disabled = false;
    element("apart-stop").focus();
    element("apart-progress").value = 0;
    page.say("Fitting: four chains draw.");
    try {
      const result = await apart.fit(cells, {
        seed: 1,
        target: TARGET,
        signal: mine.signal,
        kill: killer.signal,
        onProgress(now) {
          if (mine !== page.fitting) return;
          element("apart-progress").value = Math.min(1, now.ess / now.wanted) || 0;
          const drawn = `${whole(now.draws)} draws in ${now.seconds.toFixed(1)} s`;
          const checks = `largest R-hat ${now.rhat.toFixed(3)}, fewest effective draws of a scale ${whole(now.ess)}`;
          const checked = Number.isFinite(now.rhat)
            ? `${checks} (${now.worst}); wanted: below 1.01, and ${whole(now.wanted)}`
            : "no check yet";
          page.say(`${drawn}; ${checked}.`, "apart-numbers");
        },
      });
      if (mine !== page.fitting) return; // another table or choice came in between
      if (result.converged) {
        element("apart-progress").value = 1;
        page.say("The chains agree: summing up …");
        await page.shown();
        if (mine !== page.fitting) return;
        element("apart-found").hidden = false;
        element("apart-waits-found").hidden = true;
        element("apart-go").hidden = false;
        apart.showFound(apart.answers(result, cells), page.state);
        const passed = `R-hat ${result.rhat.toFixed(3)}, ${whole(result.ess)} effective draws at least`;
        page.say(`${mine.signal.aborted ? "Stopped, and the" : "Done. The"} chains agree: ${passed}.`);
      } else {
        page.say(STOPPED);
      }
    } catch (error) {
      if (mine === page.fitting) {
        page.say(mine.signal.aborted ? STOPPED : `The fit failed: ${error instanceof Error ? error.message : error}`);
      }
    } finally {
      if (mine === page.fitting) {
        page.fitting = null;
        element("apart-start").disabled = false;
        element("apart-stop").disabled = true;
        element("apart-start").focus({ preventScroll: true });
      }
    }
  }

  element("apart-start").addEventListener("click", fit);
  element("apart-now").addEventListener("click", () => {
    if (!page.fitting) element("apart-start").click(); // the fit takes the focus, and the page follows
    element("apart-fit").scrollIntoView({ block: "center" });
  });
  element("apart-stop").addEventListener("click", () => {
    const { fitting } = page;
    if (fitting?.signal.aborted) {
      // A second click does not wait for the chains: what they still say is no longer heard.
      page.fitting = null;
      killer.abort();
      page.say(STOPPED);
      element("apart-start").disabled = false;
      element("apart-stop").disabled = true;
      element("apart-start").focus({ preventScroll: true });
      return;
    }
    page.say("Stopping … A second click does not wait.");
    fitting?.abort();
  });
})();
