// The playground: a prompt, a text that is written after it, and other ways it could have gone.
import { ApiError, complete, models, useKey } from "./api.js";
import { Card } from "./alternatives.js";
import { recall, remember } from "./storage.js";
import { Pointing } from "./pointer.js";
import { mark, read, setUp, useSeed } from "./settings.js";
import { Sheet } from "./text_view.js";
import { Aligner, textOf } from "./tokens.js";
import { language, number, speak, t } from "./i18n.js";

const ALTERNATIVES = 5; // as many as the API gives unless its server was told otherwise
const HISTORY = 50; // texts that can be gone back to
const $ = (id) => document.getElementById(id);

const sheet = new Sheet($("text"));
const card = new Card($("card"), { onPick: rewrite, onGoOn: goOnFrom });
const pointing = new Pointing(sheet, card, (words) => { $("said").textContent = words; });
const history = [];
let known = []; // the server's models
let running = null; // the AbortController of the request under way
let alternatives = ALTERNATIVES;
let tally = null; // of the last request: {count, seed, since, until, reason}

// ── writing ──────────────────────────────────────────────────────────────────────────────────

function writeAnew() {
  begin($("prompt").value, []);
}

function goOn() {
  begin(sheet.prompt, sheet.cells);
}

function goOnFrom(index) {
  begin(sheet.prompt, sheet.cells.slice(0, index + 1));
}

/** Write another character at a place, and go on from it. */
function rewrite(index, { token, logprob }) {
  const { others } = sheet.cells[index];
  const cell = { char: textOf(token), logprob, token, parts: 1, others, picked: true };
  begin(sheet.prompt, [...sheet.cells.slice(0, index), cell]);
}

/** Write after a prompt and what is kept of a text, unless a setting is wrong. */
async function begin(prompt, cells) {
  let settings;
  try {
    mark(null);
    settings = read();
  } catch (error) {
    return complain(error);
  }
  stop();
  if (sheet.cells.length) history.push({ prompt: sheet.prompt, cells: sheet.cells });
  history.splice(0, history.length - HISTORY);
  const byKey = $("text").contains(document.activeElement) || card.element.contains(document.activeElement);
  if (byKey) $("text").focus();
  card.hide();
  sheet.show(prompt, cells);
  sheet.element.scrollIntoView({ block: "nearest" }); // on a phone it may be below the settings
  if (byKey && cells.length) sheet.select(cells.length - 1); // arrows go on from where it was changed
  complain(null);
  await run(settings);
}

async function run(settings) {
  const mine = (running = new AbortController());
  tally = { count: 0, seed: settings.seed, since: performance.now(), until: null, reason: null };
  const ours = tally;
  update();
  $("said").textContent = t("Writing.");
  try {
    await receive(settings, mine.signal, ours);
  } catch (error) {
    if (mine.signal.aborted) ours.reason = "stopped";
    else complain(error);
  }
  if (running !== mine) return; // another text is under way by now
  running = null;
  ours.until = performance.now();
  sheet.draw();
  update();
  const words = ours.reason === "stopped" ? "Stopped after {n} characters." : "Done: {n} characters.";
  $("said").textContent = $("error").hidden ? t(words, { n: ours.count }) : "";
}

async function receive(settings, signal, counted) {
  const body = { model: $("model").value, prompt: sheet.text, logprobs: alternatives, ...settings };
  const aligner = new Aligner();
  try {
    for await (const { text, logprobs, finish_reason } of complete(body, signal)) {
      signal.throwIfAborted();
      const cells = aligner.add(text, logprobs);
      counted.count += cells.length;
      counted.reason = finish_reason ?? counted.reason;
      sheet.add(cells);
    }
  } catch (error) {
    if (error.param !== "logprobs" || !alternatives) throw error;
    alternatives -= 1; // the server gives fewer
    await receive(settings, signal, counted);
  }
}

function stop() {
  running?.abort(); // it closes the connection, upon which the server stops writing
}

function undo() {
  stop();
  const { prompt, cells } = history.pop();
  card.hide();
  tally = null;
  sheet.show(prompt, cells);
  $("prompt").value = prompt;
  update();
}

// ── what is shown around the text ────────────────────────────────────────────────────────────

function update() {
  const [writing, focused] = [running !== null, document.activeElement];
  $("write").hidden = writing;
  $("stop").hidden = !writing;
  if (focused === $("write") || focused === $("stop")) $(writing ? "stop" : "write").focus();
  $("more").disabled = writing || !sheet.text;
  $("undo").disabled = !history.length;
  $("copy").disabled = !sheet.text;
  sheet.element.classList.toggle("writing", writing);
  sheet.element.setAttribute("aria-busy", writing);
  tell();
}

/** How many characters there are, and how fast they came. */
function tell() {
  const parts = sheet.cells.length ? [t("{n} characters", { n: number(sheet.cells.length) })] : [];
  if (tally?.count) {
    const seconds = ((tally.until ?? performance.now()) - tally.since) / 1000;
    parts.push(t("{n} per second", { n: number(Math.round(tally.count / seconds)) }));
    if (tally.reason === "stop") parts.push(t("ended by the model"));
    if (tally.reason === "stopped") parts.push(t("stopped"));
  }
  $("count").textContent = parts.join(" · ");
  $("reuse").hidden = !tally;
  if (!tally) return;
  $("reuse").textContent = t("seed {seed}", tally);
  $("reuse").title = t("Use seed {seed} again", tally);
  $("reuse").setAttribute("aria-label", $("reuse").title);
}

/** Show an error in words, or with null none. */
function complain(error) {
  $("error").hidden = !error;
  $("error").textContent = error?.message ?? "";
  if (!(error instanceof ApiError)) return;
  mark(error.param);
  if (error.status === 401) {
    $("key-form").hidden = false;
    $("key").focus();
  }
}

async function meet() {
  try {
    known = await models();
  } catch (error) {
    return complain(error);
  }
  $("key-form").hidden = true;
  complain(null);
  $("model").replaceChildren(...known.map(({ id }) => new Option(id)));
  $("model-field").hidden = known.length < 2;
  describe();
}

/** What the model is: shakespeare · LSTM 2 × 256 · 65 symbols. */
function describe() {
  const { id, meta = {} } = known.find((each) => each.id === $("model").value) ?? {};
  const parts = known.length === 1 ? [id] : [];
  if (meta.cell) parts.push(`${meta.cell.toUpperCase()} ${meta.num_layers} × ${meta.hidden_size}`);
  if (meta.n_vocab) parts.push(t("{n} symbols", { n: number(meta.n_vocab) }));
  if (meta.n_params) parts.push(t("{n} weights", { n: number(meta.n_params) }));
  $("about").textContent = parts.join(" · ");
}

async function copy() {
  try {
    await navigator.clipboard.writeText(sheet.text);
  } catch {
    if (!copyOldWay(sheet.text)) return complain(new Error(t("The text could not be copied; select it and copy it by hand.")));
  }
  $("copy").textContent = $("said").textContent = t("Copied");
  setTimeout(() => { $("copy").textContent = t("Copy"); }, 1500);
}

// over plain HTTP from another machine there is no clipboard object
function copyOldWay(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  $("copy").focus();
  return done;
}

// ── setting up ───────────────────────────────────────────────────────────────────────────────

function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    writeAnew();
  } else if (event.key === "Escape") {
    if (running) return stop();
    if (card.element.contains(document.activeElement)) sheet.element.focus();
    pointing.drop();
  }
}

function talk(which) {
  speak(which);
  $("text").dataset.empty = t("What the model writes appears here. Point at a character to see what else it could have been.");
  describe();
  tell();
}

function watchControls() {
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    writeAnew();
  });
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey($("key").value);
    meet();
  });
  $("stop").addEventListener("click", stop);
  $("more").addEventListener("click", goOn);
  $("undo").addEventListener("click", undo);
  $("copy").addEventListener("click", copy);
  $("reuse").addEventListener("click", () => useSeed(tally.seed));
  $("model").addEventListener("change", describe);
  $("shading").checked = recall("shading", "true") === "true";
  const shade = () => $("text").classList.toggle("plain", !$("shading").checked);
  $("shading").addEventListener("change", () => {
    remember("shading", $("shading").checked);
    shade();
  });
  shade();
  $("language").value = language();
  $("language").addEventListener("change", () => {
    remember("language", $("language").value);
    talk($("language").value);
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => document.hidden || sheet.draw());
}

sheet.onDrawn = tell;
setUp();
watchControls();
talk(language());
meet();
