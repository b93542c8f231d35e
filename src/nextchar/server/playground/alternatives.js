// The card beside a character: its probability, and what else could have been written there.
import { boxOf } from "./text_view.js";
import { isText, nameOf, visible } from "./tokens.js";
import { percent, t } from "./i18n.js";

const GAP = 8; // pixels to the window's edges

export class Card {
  index = null; // of the character it is about
  pinned = false; // it stays when the pointer leaves

  /** onPick(index, alternative) rewrites from a character; onGoOn(index) writes on after it. */
  constructor(element, { onPick, onGoOn }) {
    this.element = element;
    Object.assign(this, { onPick, onGoOn });
    element.addEventListener("click", (event) => this.#click(event));
    element.addEventListener("keydown", (event) => this.#move(event));
  }

  show(index, cell, span, { pinned = false } = {}) {
    [this.index, this.pinned, this.cell] = [index, pinned, cell];
    this.element.setAttribute("aria-label", summary(cell));
    this.element.replaceChildren(head(cell), list(cell), foot());
    if (!this.element.matches(":popover-open")) this.element.showPopover();
    this.place(span);
  }

  hide() {
    if (this.index !== null) this.element.hidePopover();
    [this.index, this.pinned] = [null, false];
  }

  /** Below its character, touching it so that the pointer can move over; above where there is no room. */
  place(span) {
    const { width, height } = this.element.getBoundingClientRect();
    const box = boxOf(span);
    const below = box.bottom + height + GAP <= innerHeight || box.top < height + GAP;
    const left = Math.min(Math.max(box.left - 20, GAP), innerWidth - width - GAP);
    this.element.style.left = `${left}px`;
    this.element.style.top = `${below ? box.bottom : box.top - height}px`;
  }

  /** Scroll the page so that a card at the foot of a phone does not lie over its character. */
  uncover(span) {
    const [over, at] = [boxOf(span).bottom + GAP, this.element.getBoundingClientRect()];
    if (at.width >= innerWidth && over > at.top) scrollBy(0, over - at.top);
  }

  /** Take the nth alternative, as with its button. */
  pick(n) {
    const button = this.element.querySelectorAll("[data-nth]")[n];
    if (button && !button.disabled) button.click();
  }

  focus() {
    this.element.querySelector("button:enabled")?.focus();
  }

  #click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { index, cell } = this;
    if (button.dataset.nth) this.onPick(index, cell.others[button.dataset.nth]);
    else this.onGoOn(index);
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = [...this.element.querySelectorAll("button:enabled")];
    const next = buttons.indexOf(document.activeElement) + step;
    buttons[(next + buttons.length) % buttons.length].focus();
  }
}

/** A character, its probability and the best alternatives in one sentence, to be read aloud. */
export function summary(cell) {
  const all = [{ token: cell.char, logprob: cell.logprob }, ...others(cell)];
  return all
    .map(({ token, logprob }) => ({ char: spoken(token), percent: logprob === null ? "" : percent(logprob) }))
    .map((values) => t("{char}: {percent}", values))
    .join(", ");
}

const others = (cell) => cell.others.filter(({ token }) => token !== cell.token);
const spoken = (token) => t(nameOf(token)) || visible(token);

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function head(cell) {
  const line = make("p", "head");
  line.append(make("b", "glyph", visible(cell.char)), make("span", "name", t(nameOf(cell.char))));
  if (cell.logprob === null) line.append(make("span", "", t("Its probability is not known.")));
  else line.append(make("span", "share", percent(cell.logprob)));
  return line;
}

function list(cell) {
  const rows = make("div", "others");
  rows.append(...cell.others.map((other, nth) => row(other, nth, other.token === cell.token)));
  if (cell.parts > 1) rows.append(make("p", "note", t("the one of {n} bytes that comes first", { n: cell.parts })));
  return rows;
}

function row({ token, logprob }, nth, written) {
  const button = make("button", written ? "other written" : "other");
  const share = percent(logprob);
  button.type = "button";
  button.dataset.nth = nth;
  button.disabled = !isText(token);
  button.setAttribute("aria-label", label(token, share, written));
  const bar = make("span", "bar-of");
  const fill = make("i", "");
  fill.style.width = `${100 * Math.exp(logprob)}%`;
  bar.append(fill);
  const mark = written ? "✓" : "";
  button.append(make("kbd", "", nth + 1), make("b", "glyph", visible(token)), bar, make("span", "share", share), make("span", "mark", mark));
  return button;
}

function label(token, share, written) {
  if (!isText(token)) return `${spoken(token)}: ${share}, ${t("half a character")}`;
  const words = t("Write {char} here instead and go on from it ({percent})", { char: spoken(token), percent: share });
  return written ? `${words}, ${t("written")}` : words;
}

function foot() {
  const button = make("button", "link", t("Go on from here"));
  button.type = "button";
  return button;
}
