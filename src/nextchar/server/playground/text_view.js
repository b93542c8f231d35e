// The text on the page, with a cursor. Each character is a span and each line a block, so that an
// addition at the end does not lay out the whole text again. Drawn once a frame.
import { level } from "./tokens.js";

const NEAR = 80; // pixels from the end within which the view scrolls with new text

export class TextView {
  prompt = "";
  cells = []; // of tokens.js; the spans of those drawn are in #spans
  cursor = null; // index of a cell

  #spans = [];
  #frame = 0;

  constructor(element) {
    this.element = element;
    this.onDrawn = () => {};
  }

  get text() {
    return this.prompt + this.cells.map(({ char }) => char).join("");
  }

  /** Show another text. */
  show(prompt, cells) {
    [this.prompt, this.cells, this.#spans, this.cursor] = [prompt, cells.slice(), [], null];
    this.element.replaceChildren(lineOf(prompt));
    this.draw();
  }

  /** Append characters; they are drawn in the next frame. */
  add(cells) {
    this.cells.push(...cells);
    if (document.hidden) return; // no frames; the text is drawn when the page is shown again or the text ends
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Draw the cells that are not drawn yet. */
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const following = isNearEnd(this.element);
    const added = this.cells.slice(this.#spans.length).map(spanOf);
    for (const span of added) this.#append(span);
    this.element.classList.toggle("empty", !this.prompt && !this.cells.length);
    if (following && added.length) follow(this.element);
    this.onDrawn();
  }

  #append(span) {
    this.#spans.push(span);
    this.element.lastChild.append(span);
    if (span.textContent === "\n") this.element.append(lineOf(""));
  }

  /** The index of the cell of an element; -1 for none. */
  indexOf(element) {
    return this.#spans.indexOf(element.closest?.(".c"));
  }

  spanAt(index) {
    return this.#spans[index];
  }

  /** Move the cursor to a character; null for none. */
  select(index) {
    this.#spans[this.cursor]?.classList.remove("at");
    this.cursor = index;
    this.#spans[index]?.classList.add("at");
  }

  /** The index that a key moves the cursor to, or null for another key. */
  after(event) {
    const [last, here] = [this.#spans.length - 1, this.cursor ?? 0];
    if (last < 0) return null;
    const bounded = (index) => Math.min(Math.max(index, 0), last);
    const whole = event.ctrlKey || event.metaKey;
    switch (event.key) {
      case "ArrowLeft": return bounded(here - 1);
      case "ArrowRight": return bounded(here + 1);
      case "ArrowUp": return this.#line(here, -1);
      case "ArrowDown": return this.#line(here, 1);
      case "Home": return whole ? 0 : this.#edge(here, -1);
      case "End": return whole ? last : this.#edge(here, 1);
      default: return null;
    }
  }

  // the character one line up (-1) or down (1) that is nearest horizontally
  #line(from, way) {
    const start = boxOf(this.#spans[from]);
    let [best, distance, row] = [from, Infinity, null];
    for (let i = from + way; i >= 0 && i < this.#spans.length; i += way) {
      const box = boxOf(this.#spans[i]);
      if (sameLine(box, start)) continue;
      row ??= box;
      if (!sameLine(box, row)) break;
      const away = Math.abs(box.left + box.right - start.left - start.right);
      if (away < distance) [best, distance] = [i, away];
    }
    return best;
  }

  // the first (-1) or last (1) character of the line
  #edge(from, way) {
    const start = boxOf(this.#spans[from]);
    let index = from;
    while (this.#spans[index + way] && sameLine(boxOf(this.#spans[index + way]), start)) index += way;
    return index;
  }
}

/** The box of a character; if a line break cuts it, of its first part. */
export const boxOf = (span) => span.getClientRects()[0] ?? span.getBoundingClientRect();

const sameLine = (one, other) => one.top < other.bottom - 2 && other.top < one.bottom - 2;

function lineOf(text) {
  const line = document.createElement("div");
  if (!text) return line;
  const prompt = document.createElement("span");
  prompt.className = "given";
  prompt.textContent = text;
  line.append(prompt);
  return line;
}

function spanOf({ char, logprob, picked }) {
  const span = document.createElement("span");
  span.className = `c s${level(logprob) ?? "x"}${picked ? " picked" : ""}${char === "\n" ? " br" : ""}`;
  span.textContent = char;
  return span;
}

// a wide window scrolls the text, a phone the page
function scrollerOf(element) {
  return getComputedStyle(element).overflowY === "auto" ? element : document.scrollingElement;
}

function isNearEnd(element) {
  const { scrollHeight, scrollTop, clientHeight } = scrollerOf(element);
  return scrollHeight - scrollTop - clientHeight < NEAR;
}

function follow(element) {
  const scroller = scrollerOf(element);
  scroller.scrollTop = scroller.scrollHeight;
}
