// Search: pages whose titles fit come first, excerpts show no TeX, and the page that a result leads to marks the words.
"use strict";

// The theme fetches each page that it found, which a browser refuses where pages are opened from a folder. One script that
// the build writes holds the texts of all pages (descriptions.py), for folders and servers alike.
if (typeof DOCUMENTATION_OPTIONS !== "undefined") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

/** Words by which a page is looked for and that its title does not contain. */
const ALSO_FOUND_BY = {
  "book/setup": "install installation setup run start download update windows mac linux",
  "book/apart": "csv upload drop file browser analyse own table",
  "book/explore": "play interactive slider",
  "book/instructors": "teach teaching teacher class grading schedule plan",
  "book/times": "duration seconds memory",
  "book/trust": "tests drift faults",
  "book/api": "api functions reference documentation",
  "book/glossary": "terms definitions meaning vocabulary",
  "book/references": "bibliography literature papers",
  "book/cite": "license licence citation copyright",
};

/** @param {string} text */
const wordsOf = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/**
 * How well a page fits a query by its title: 0 if some word is missing.
 * @param {string[]} query
 * @param {string} title
 * @param {string} also
 */
function fitOfTitle(query, title, also) {
  const named = [...wordsOf(title), title.toLowerCase().replace(/[^\p{L}]/gu, "")];
  const others = wordsOf(also);
  let fit = 0;
  for (const word of query) {
    const fits = (other) =>
      /^\d+$/.test(word) ? /^\d+$/.test(other) && Number(other) === Number(word) : other.startsWith(word);
    const stem = word.length > 4 ? word.replace(/(es|s)$/, "") : word;
    if (named.includes(word)) fit += 4;
    else if (others.includes(word)) fit += 3;
    else if (named.some(fits) || named.some((other) => other.startsWith(stem) && stem !== word)) fit += 2;
    else if (others.some(fits)) fit += 1;
    else return 0;
  }
  return fit / query.length + 1 / (2 + named.length);
}

function putTitlesFirst() {
  const original = Search._performSearch;
  Search._performSearch = (query, ...rest) => {
    const words = wordsOf(query).filter((word) => !["a", "an", "the", "of", "to", "and", "in"].includes(word));
    const found = original(query, ...rest);
    if (!words.length) return found;
    const { docnames, titles, filenames } = Search._index;
    const pages = docnames
      .map((name, k) => {
        const fit = fitOfTitle(words, titles[k], ALSO_FOUND_BY[name] ?? "");
        return [name, titles[k], "", null, fit, filenames[k], SearchResultKind.title];
      })
      .filter((page) => page[4] > 0)
      .sort((a, b) => a[4] - b[4] || b[1].localeCompare(a[1]));
    const first = new Set(pages.map((page) => page[0]));
    return [...found.filter((item) => !first.has(item[0]) || item[2]), ...pages]; // the last one is shown first
  };
}

/** The texts of all pages, by name. @returns {Promise<Object<string, string[][]>>} */
function loadTexts() {
  return new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = new URL("_static/page_texts.js", document.baseURI).href;
    script.onload = () => resolve(pageTexts);
    script.onerror = () => resolve({}); // titles alone, then
    document.head.append(script);
  });
}

/**
 * The text around the words of a query: of prose that has one of them, otherwise of code, otherwise the beginning.
 * @param {string[][]} sections each an anchor, prose and code
 * @param {string} anchor of the section that was found, or nothing for all of them
 * @param {string[]} words
 */
function excerptOf(sections, anchor, words) {
  const some = sections.filter((section) => !anchor || section[0] === anchor);
  const texts = [1, 2].map((part) => some.map((section) => section[part]).join(" ").trim());
  const place = (text) => Math.min(...words.map((word) => text.toLowerCase().indexOf(word)).filter((at) => at >= 0));
  const text = texts.find((one) => place(one) < Infinity) ?? texts[0];
  if (!text) return null;
  const from = place(text) < Infinity ? text.lastIndexOf(" ", Math.max(place(text) - 80, 0)) + 1 : 0;
  const summary = document.createElement("p");
  summary.className = "context";
  const cut = text.slice(from, from + 240);
  const whole = from + 240 >= text.length;
  summary.textContent = `${from ? "… " : ""}${whole ? cut : `${cut.slice(0, cut.lastIndexOf(" "))} …`}`;
  return summary;
}

/** Excerpts under the results. @param {string[]} words */
function addExcerpts(words) {
  const results = document.getElementById("search-results");
  const texts = loadTexts();
  const stems = words.map((word) => (word.length > 4 ? word.replace(/(es|s)$/, "") : word));
  new MutationObserver(() => {
    for (const item of results.querySelectorAll("ul.search > li:not([data-excerpt])")) {
      item.dataset.excerpt = "yes";
      const link = new URL(item.querySelector("a").href);
      const page = decodeURIComponent(link.pathname.slice(new URL(".", document.baseURI).pathname.length));
      if (item.querySelector("span")) continue; // a name of the package, with a word on what it is
      texts.then((all) => {
        const excerpt = excerptOf(all[page.replace(/\.html$/, "")] ?? [], decodeURIComponent(link.hash), stems);
        if (excerpt) item.append(excerpt);
      });
    }
  }).observe(results, { childList: true, subtree: true });
}

/** Links of results carry the words, so that pages mark them even where nothing is remembered. @param {string[]} query */
function passWordsOn(query) {
  const words = query.filter((word) => word.length > 2);
  const results = document.getElementById("search-results");
  if (!results || !words.length) return;
  new MutationObserver(() => {
    for (const link of results.querySelectorAll("ul.search > li > a:not([data-marked])")) {
      link.dataset.marked = "yes";
      const target = new URL(link.href);
      target.searchParams.set("highlight", words.join(" "));
      link.href = target.href;
    }
  }).observe(results, { childList: true, subtree: true });
}

/** @param {string[]} words */
function markWords(words) {
  const article = document.querySelector("article.bd-article");
  if (!article) return 0;
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${words.map((word) => RegExp.escape?.(word) ?? word).join("|")})[\\p{L}]*`, "giu");
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (!text.parentElement.closest("script, style, button, mjx-container, .math, .course-progress")) texts.push(text);
  }
  let count = 0;
  for (const text of texts) {
    const matches = [...text.data.matchAll(pattern)];
    for (const match of matches.reverse()) {
      const rest = text.splitText(match.index);
      rest.splitText(match[0].length);
      const mark = document.createElement("mark");
      mark.className = "highlighted";
      rest.replaceWith(mark);
      mark.append(rest);
      count += 1;
    }
  }
  return count;
}

function markOnArrival() {
  const here = new URL(location.href);
  const words = wordsOf(here.searchParams.get("highlight") ?? "");
  try {
    localStorage.removeItem("sphinx_highlight_terms");
  } catch {
    // Nothing was remembered.
  }
  if (!words.length) return;
  const count = markWords(words);
  if (!count) return;
  const note = document.createElement("p");
  note.className = "search-note";
  note.setAttribute("role", "status");
  const hide = document.createElement("button");
  hide.type = "button";
  hide.className = "course-button";
  hide.textContent = "Remove the marks";
  const remove = () => {
    for (const mark of document.querySelectorAll("mark.highlighted")) mark.replaceWith(...mark.childNodes);
    note.remove();
  };
  hide.addEventListener("click", remove);
  document.addEventListener("keydown", (event) => event.key === "Escape" && remove());
  note.append(`“${words.join(" ")}” is marked ${count === 1 ? "once" : `${count} times`} on this page. `, hide);
  document.querySelector("article.bd-article").prepend(note);
  if (!location.hash) {
    window.addEventListener("load", () => setTimeout(() => {
      const first = [...document.querySelectorAll("mark.highlighted")].find((mark) => mark.getClientRects().length);
      first?.scrollIntoView({ block: "center", behavior: "instant" });
    }, 200));
  }
}

document.addEventListener("DOMContentLoaded", () => {
  if (document.getElementById("search-results") && typeof Search !== "undefined") {
    putTitlesFirst();
    const query = new URLSearchParams(location.search).get("q") ?? "";
    addExcerpts((query.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).filter((word) => word.length > 2)); // names whole
    passWordsOn(wordsOf(query));
  } else {
    markOnArrival();
  }
});
