// Four chains, in web workers where there are some, until they agree.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function fit(apart) {
    "use strict";

    const CHAINS = 4;
    const WARM_UP = 300;
    const FEWEST = 500; // draws per chain before the first check
    const MAX_RHAT = 1.01;
    const SLICE = 50; // milliseconds of sampling between two messages, at most
    const STEP = 256; // sweeps between two messages, at most, or a quarter of those before
    const PLENTY = 2000; // effective draws that make digits steady: wanted where they cost little
    const CHEAP = 1e8; // of `costOf` for a chain: about a second
    const PATIENCE = 4000; // milliseconds that chains which were stopped have to hand over what they drew
    const STOPPED = "Stopped before there was anything to show.";

    // Why there is nothing to fit; null where there is something.
    apart.problem = function problem(cells) {
      const { exact, dof } = apart.residual(cells);
      // With as many means as rows nothing is left in any case, and the prior keeps the residual from 0.
      if (!exact || dof <= 0) return null;
      return (
        "The layers explain every total exactly, so nothing is left for a residual: there is nothing to estimate. " +
        "Perhaps the total was computed from them, or a layer has a label for every row."
      );
    };

    // A chain that reports what it drew. It runs in a worker, or beside the page where there is none.
    apart.serveChain = function serveChain({ cells, priors, seed }, send) {
      const chain = apart.chain(cells, priors, seed);
      let left = WARM_UP;
      let drawn = 0;
      let batch = 1;
      return {
        // No draw beyond `limit`: where chains are checked must not depend on how fast they are.
        step(limit = Infinity) {
          const start = Date.now();
          let room = Math.min(left + limit - drawn, Math.max(STEP, drawn / 4));
          while (room > 0 && Date.now() - start < SLICE) {
            const before = Date.now();
            const sweeps = Math.min(batch, left || room);
            chain.run(sweeps, left === 0);
            left -= Math.min(sweeps, left);
            room -= sweeps;
            if (Date.now() - before < SLICE / 10) batch = Math.min(2 * batch, STEP);
          }
          const scales = chain.scales(drawn);
          drawn += scales.sigma.length;
          send({ scales });
        },
        finish() {
          send({ means: chain.means() });
        },
      };
    };

    // The worker's own program: pages opened as files cannot load one, so it is the text of the modules in this page.
    function workerUrl() {
      const parts = apart.modules.map((module) => `(${module})(apart);`);
      const program = `
        globalThis.apart = { modules: [] };
        ${parts.join("\n")}
        let chain;
        onmessage = ({ data }) => {
          if (data.start) chain = apart.serveChain(data.start, (message) => postMessage(message));
          else chain[data.call](data.limit);
        };`;
      return URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    }

    /**
     * @param {object[]} tasks what each chain starts with
     * @param {(chain: number, message: any) => void} receive
     * @param {(error: Error) => void} fail
     */
    function inWorkers(tasks, receive, fail) {
      const url = workerUrl();
      const workers = tasks.map((start, i) => {
        const worker = new Worker(url);
        worker.onmessage = ({ data }) => receive(i, data);
        worker.onerror = (event) => fail(new Error(`A worker failed: ${event.message}`));
        worker.postMessage({ start });
        return worker;
      });
      return {
        step: (/** @type {number} */ i, /** @type {number} */ limit) => workers[i].postMessage({ call: "step", limit }),
        finish: () => workers.forEach((worker) => worker.postMessage({ call: "finish" })),
        end() {
          workers.forEach((worker) => worker.terminate());
          URL.revokeObjectURL(url);
        },
      };
    }

    /** @type {typeof inWorkers} */
    function inTurns(tasks, receive, fail) {
      const chains = tasks.map((start, i) => apart.serveChain(/** @type {any} */ (start), (x) => receive(i, x)));
      let going = true;
      return {
        step(i, limit) {
          setTimeout(() => {
            try {
              if (going) chains[i].step(limit);
            } catch (error) {
              fail(/** @type {Error} */ (error));
            }
          }, 0);
        },
        finish() {
          going = false;
          chains.forEach((chain) => chain.finish());
        },
        end() {
          going = false;
        },
      };
    }

    // What a draw of a chain costs, in units of one layer in one cell: a sweep, and its part of the checks. It is
    // counted, not measured, so that the same table and seed give the same draws on any machine.
    function costOf(/** @type {Cells} */ { n, layers }) {
      return n.length * layers.length + 200 + 600 * (layers.length + 2);
    }

    apart.fit = function fit(cells, options = {}) {
      const { onProgress, signal, kill, target = 400, maxSeconds = Infinity } = options;
      const priors = options.priors ?? apart.priors(cells);
      const seed = options.seed ?? Math.floor(Math.random() * 4294967296);
      const parallel = options.workers ?? (typeof Worker === "function" && typeof document === "object");
      const start = Date.now();
      /** @type {{baseline: Float64Array[], sigma: Float64Array[], tau: Float64Array[][]}[]} */
      const parts = Array.from({ length: CHAINS }, () => ({
        baseline: [],
        sigma: [],
        tau: cells.layers.map(() => []),
      }));
      /** @type {Means[]} */
      const means = [];
      const names = ["baseline", ...cells.layers.map(({ name }) => name), "residual"];
      let ready = FEWEST;
      let reported = 0;
      let enough = false;
      let state = { converged: false, rhat: NaN, ess: NaN, worst: "", wanted: target, draws: 0, seconds: 0 };
      /** @type {Scales[]} */
      let scales = [];
      let finishing = false;

      // Chains of the same length, the shortest one's.
      function together() {
        const joined = parts.map(({ baseline, sigma, tau }) => ({
          baseline: join(baseline),
          sigma: join(sigma),
          tau: tau.map(join),
        }));
        const draws = Math.min(...joined.map(({ sigma }) => sigma.length));
        return joined.map(({ baseline, sigma, tau }) => ({
          baseline: baseline.subarray(0, draws),
          sigma: sigma.subarray(0, draws),
          tau: tau.map((x) => x.subarray(0, draws)),
        }));
      }

      function check() {
        scales = together();
        const draws = scales[0].sigma.length;
        const columns = [
          scales.map((x) => x.baseline),
          ...cells.layers.map((_, j) => scales.map((x) => x.tau[j])),
          scales.map((x) => x.sigma),
        ];
        const rhats = columns.map(apart.rhat);
        const sizes = columns.map((chains) => Math.min(apart.ess(chains), apart.essTail(chains)));
        const rhat = Math.max(...rhats);
        const ess = Math.min(...sizes);
        const worst = names[rhat >= MAX_RHAT ? rhats.indexOf(rhat) : sizes.indexOf(ess)];
        const converged = rhat < MAX_RHAT && ess > target;
        // Checks cost time as well: the next one when there is a quarter more, or as many as seem to be missing.
        const more = (/** @type {number} */ size) => draws * Math.max(1.25, (1.1 * size) / ess);
        const cheap = costOf(cells) * more(PLENTY) < CHEAP;
        const wanted = cheap ? Math.max(target, PLENTY) : target;
        enough = converged && ess > wanted;
        state = { converged, rhat, ess, worst, wanted, draws: CHAINS * draws, seconds: 0 };
        ready = Math.ceil(Math.min(2 * draws, more(wanted)));
      }

      const counts = parts.map(() => 0);
      const drawn = () => Math.min(...counts);
      const seconds = () => (Date.now() - start) / 1000;

      return new Promise((resolve, reject) => {
        /** @type {ReturnType<typeof inWorkers>} */
        let run;
        /** @type {ReturnType<typeof setTimeout> | undefined} */
        let timer;
        const release = () => {
          clearTimeout(timer);
          run?.end();
          signal?.removeEventListener("abort", stop);
          kill?.removeEventListener("abort", end);
        };
        // Each chain draws as far as the next check, and waits there for the others.
        const waiting = new Set(parts.keys());
        const go = () => {
          for (const chain of waiting) {
            if (counts[chain] >= ready) continue;
            waiting.delete(chain);
            run.step(chain, ready);
          }
        };
        const fail = (/** @type {Error} */ error) => {
          release();
          reject(error);
        };
        const end = () => fail(new Error("Stopped at once: what was drawn is lost."));
        const stop = () => {
          if (timer !== undefined) return;
          if (!finishing) {
            if (drawn() < 8) return fail(new Error(STOPPED));
            check();
          }
          timer = setTimeout(end, PATIENCE);
          if (!finishing) run.finish();
          finishing = true;
        };
        const receive = (/** @type {number} */ chain, /** @type {any} */ message) => {
          if (message.means) {
            means[chain] = message.means;
            if (means.filter(Boolean).length === CHAINS) {
              release();
              resolve({ ...state, seconds: seconds(), target, seed, priors, scales, means: upTo(means, scales) });
            }
            return;
          }
          if (finishing) return;
          parts[chain].baseline.push(message.scales.baseline);
          parts[chain].sigma.push(message.scales.sigma);
          parts[chain].tau.forEach((column, j) => column.push(message.scales.tau[j]));
          counts[chain] += message.scales.sigma.length;
          waiting.add(chain);
          const due = drawn() >= ready;
          if (due) check();
          if (due || Date.now() - reported > 200) {
            reported = Date.now();
            const { rhat, ess, worst, wanted } = state;
            onProgress?.({ draws: CHAINS * drawn(), rhat, ess, worst, wanted, seconds: seconds() });
          }
          if (due && enough) {
            finishing = true;
            run.finish();
          } else if (seconds() > maxSeconds) stop();
          else go();
        };
        const tasks = parts.map((_, i) => ({ cells, priors, seed: seed + i * 4294967296 }));
        if (signal?.aborted || kill?.aborted) return reject(new Error(STOPPED));
        const problem = apart.problem(cells);
        if (problem) return reject(new Error(problem));
        try {
          run = (parallel ? inWorkers : inTurns)(tasks, receive, fail);
        } catch {
          run = inTurns(tasks, receive, fail); // a browser that allows no such worker
        }
        signal?.addEventListener("abort", stop);
        kill?.addEventListener("abort", end);
        go();
      });
    };

    function join(/** @type {Float64Array[]} */ arrays) {
      const joined = new Float64Array(arrays.reduce((sum, x) => sum + x.length, 0));
      let start = 0;
      for (const x of arrays) {
        joined.set(x, start);
        start += x.length;
      }
      arrays.splice(0, arrays.length, joined);
      return joined;
    }

    // The draws that all chains have: those of the chain that kept every thin-th with the largest thin, a power of two,
    // as far as the shortest chain goes.
    function upTo(/** @type {Means[]} */ means, /** @type {Scales[]} */ scales) {
      const draws = scales[0].sigma.length;
      const thin = Math.max(...means.map(({ at }) => at[1] ?? 1));
      const at = Int32Array.from({ length: Math.ceil(draws / thin) }, (_, i) => i * thin);
      return means.map(({ at: own, values }) => {
        const width = values.length / own.length;
        const stride = thin / (own[1] ?? 1);
        const kept = new Float32Array(at.length * width);
        at.forEach((_, i) => kept.set(values.subarray(i * stride * width, (i * stride + 1) * width), i * width));
        return { at, values: kept };
      });
    }
  },
);
