// The playground: a prompt, the generated text, and the alternatives of each character.
import { ApiError, complete, models, useKey } from "./api.js";
import { AlternativesCard } from "./alternatives.js";
import { load, save } from "./storage.js";
import { Pointer } from "./pointer.js";
import { initSettings, markInvalid, readSettings, useSeed } from "./settings.js";
import { TextView } from "./text_view.js";
import { Aligner, textOf } from "./tokens.js";
import { language, number, setLanguage, t } from "./i18n.js";

const ALTERNATIVES = 5; // the most that the API returns by default
const HISTORY = 50; // texts that Undo can restore
const $ = (id) => document.getElementById(id);

const view = new TextView($("text"));
const card = new AlternativesCard($("card"), { onPick: rewrite, onContinue: continueFrom });
const announce = (text) => { $("announcement").textContent = text; };
const pointer = new Pointer(view, card, announce);
const history = [];
let served = []; // the models of the server
let running = null; // the AbortController of the current request
let alternatives = ALTERNATIVES;
let stats = null; // of the last request: {count, seed, since, until, reason}

// ── generation ───────────────────────────────────────────────────────────────────────────────

function write() {
  begin($("prompt").value, []);
}

function continueText() {
  begin(view.prompt, view.cells);
}

function continueFrom(index) {
  begin(view.prompt, view.cells.slice(0, index + 1));
}

/** Replace a character and continue from it. */
function rewrite(index, { token, logprob }) {
  const { others } = view.cells[index];
  const cell = { char: textOf(token), logprob, token, parts: 1, others, picked: true };
  begin(view.prompt, [...view.cells.slice(0, index), cell]);
}

/** Generate after a prompt and the kept part of a text, unless a setting is invalid. */
async function begin(prompt, cells) {
  let settings;
  try {
    markInvalid(null);
    settings = readSettings();
  } catch (error) {
    return showError(error);
  }
  stop();
  if (view.cells.length) history.push({ prompt: view.prompt, cells: view.cells });
  history.splice(0, history.length - HISTORY);
  const byKey = $("text").contains(document.activeElement) || card.element.contains(document.activeElement);
  if (byKey) $("text").focus();
  card.hide();
  view.show(prompt, cells);
  view.element.scrollIntoView({ block: "nearest" }); // on a phone it can be below the settings
  if (byKey && cells.length) view.select(cells.length - 1); // arrow keys start where the text was changed
  showError(null);
  await run(settings);
}

async function run(settings) {
  const own = (running = new AbortController());
  const ownStats = (stats = { count: 0, seed: settings.seed, since: performance.now(), until: null, reason: null });
  update();
  announce(t("Writing."));
  try {
    await receive(settings, own.signal, ownStats);
  } catch (error) {
    if (own.signal.aborted) ownStats.reason = "stopped";
    else showError(error);
  }
  if (running !== own) return; // another request has started
  running = null;
  ownStats.until = performance.now();
  view.draw();
  update();
  const message = ownStats.reason === "stopped" ? "Stopped after {n} characters." : "Done: {n} characters.";
  announce($("error").hidden ? t(message, { n: ownStats.count }) : "");
}

async function receive(settings, signal, requestStats) {
  const body = { model: $("model").value, prompt: view.text, logprobs: alternatives, ...settings };
  const aligner = new Aligner();
  try {
    for await (const { text, logprobs, finish_reason } of complete(body, signal)) {
      signal.throwIfAborted();
      const cells = aligner.add(text, logprobs);
      requestStats.count += cells.length;
      requestStats.reason = finish_reason ?? requestStats.reason;
      view.add(cells);
    }
  } catch (error) {
    if (error.param !== "logprobs" || !alternatives) throw error;
    alternatives -= 1; // the server allows fewer
    await receive(settings, signal, requestStats);
  }
}

function stop() {
  running?.abort(); // closes the connection, which stops the server
}

function undo() {
  stop();
  const { prompt, cells } = history.pop();
  card.hide();
  stats = null;
  view.show(prompt, cells);
  $("prompt").value = prompt;
  update();
}

// ── state around the text ────────────────────────────────────────────────────────────────────

function update() {
  const [writing, focused] = [running !== null, document.activeElement];
  $("write").hidden = writing;
  $("stop").hidden = !writing;
  if (focused === $("write") || focused === $("stop")) $(writing ? "stop" : "write").focus();
  $("more").disabled = writing || !view.text;
  $("undo").disabled = !history.length;
  $("copy").disabled = !view.text;
  view.element.classList.toggle("writing", writing);
  view.element.setAttribute("aria-busy", writing);
  showStats();
}

/** Show the number of characters and their speed. */
function showStats() {
  const parts = view.cells.length ? [t("{n} characters", { n: number(view.cells.length) })] : [];
  if (stats?.count) {
    const seconds = ((stats.until ?? performance.now()) - stats.since) / 1000;
    parts.push(t("{n} per second", { n: number(Math.round(stats.count / seconds)) }));
    if (stats.reason === "stop") parts.push(t("ended by the model"));
    if (stats.reason === "stopped") parts.push(t("stopped"));
  }
  $("count").textContent = parts.join(" · ");
  $("reuse").hidden = !stats;
  if (!stats) return;
  $("reuse").textContent = t("seed {seed}", stats);
  $("reuse").title = t("Use seed {seed} again", stats);
  $("reuse").setAttribute("aria-label", $("reuse").title);
}

/** Show the message of an error; null for none. */
function showError(error) {
  $("error").hidden = !error;
  $("error").textContent = error?.message ?? "";
  if (!(error instanceof ApiError)) return;
  markInvalid(error.param);
  if (error.status === 401) {
    $("key-form").hidden = false;
    $("key").focus();
  }
}

async function loadModels() {
  try {
    served = await models();
  } catch (error) {
    return showError(error);
  }
  $("key-form").hidden = true;
  showError(null);
  $("model").replaceChildren(...served.map(({ id }) => new Option(id)));
  $("model-field").hidden = served.length < 2;
  describe();
}

/** Describe the model: shakespeare · LSTM 2 × 256 · 65 symbols. */
function describe() {
  const { id, meta = {} } = served.find((each) => each.id === $("model").value) ?? {};
  const parts = served.length === 1 ? [id] : [];
  if (meta.cell) parts.push(`${meta.cell.toUpperCase()} ${meta.num_layers} × ${meta.hidden_size}`);
  if (meta.n_vocab) parts.push(t("{n} symbols", { n: number(meta.n_vocab) }));
  if (meta.n_params) parts.push(t("{n} parameters", { n: number(meta.n_params) }));
  $("about").textContent = parts.join(" · ");
}

async function copy() {
  try {
    await navigator.clipboard.writeText(view.text);
  } catch {
    if (!copyBySelection(view.text)) return showError(new Error(t("The text could not be copied; select it and copy it by hand.")));
  }
  $("copy").textContent = t("Copied");
  announce(t("Copied"));
  setTimeout(() => { $("copy").textContent = t("Copy"); }, 1500);
}

// navigator.clipboard does not exist over plain HTTP from another machine
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  $("copy").focus();
  return done;
}

// ── initialisation ───────────────────────────────────────────────────────────────────────────

function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    write();
  } else if (event.key === "Escape") {
    if (running) return stop();
    if (card.element.contains(document.activeElement)) view.element.focus();
    pointer.clear();
  }
}

function changeLanguage(code) {
  setLanguage(code);
  $("text").dataset.empty = t("The generated text appears here. Point at a character to see its alternatives.");
  describe();
  showStats();
}

function watchControls() {
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    write();
  });
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey($("key").value);
    loadModels();
  });
  $("stop").addEventListener("click", stop);
  $("more").addEventListener("click", continueText);
  $("undo").addEventListener("click", undo);
  $("copy").addEventListener("click", copy);
  $("reuse").addEventListener("click", () => useSeed(stats.seed));
  $("model").addEventListener("change", describe);
  $("shading").checked = load("shading", "true") === "true";
  const shade = () => $("text").classList.toggle("plain", !$("shading").checked);
  $("shading").addEventListener("change", () => {
    save("shading", $("shading").checked);
    shade();
  });
  shade();
  $("language").value = language();
  $("language").addEventListener("change", () => {
    save("language", $("language").value);
    changeLanguage($("language").value);
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => document.hidden || view.draw());
}

view.onDrawn = showStats;
initSettings();
watchControls();
changeLanguage(language());
loadModels();
