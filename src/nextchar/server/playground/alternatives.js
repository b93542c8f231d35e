// The card of a character: its probability and the alternatives at its position.
import { boxOf } from "./text_view.js";
import { isText, nameOf, visible } from "./tokens.js";
import { percent, t } from "./i18n.js";

const GAP = 8; // pixels to the window's edges

export class AlternativesCard {
  index = null; // of its character
  pinned = false; // stays when the pointer leaves

  /** onPick(index, alternative) replaces a character; onContinue(index) continues after it. */
  constructor(element, { onPick, onContinue }) {
    this.element = element;
    Object.assign(this, { onPick, onContinue });
    element.addEventListener("click", (event) => this.#click(event));
    element.addEventListener("keydown", (event) => this.#move(event));
  }

  show(index, cell, span, { pinned = false } = {}) {
    [this.index, this.pinned, this.cell] = [index, pinned, cell];
    this.element.setAttribute("aria-label", summary(cell));
    this.element.replaceChildren(head(cell), rows(cell), foot());
    if (!this.element.matches(":popover-open")) this.element.showPopover();
    this.place(span);
  }

  hide() {
    if (this.index !== null) this.element.hidePopover();
    [this.index, this.pinned] = [null, false];
  }

  /** Place the card below its character, or above if there is no room. They touch, so that the
   *  pointer can move onto the card. */
  place(span) {
    const { width, height } = this.element.getBoundingClientRect();
    const box = boxOf(span);
    const below = box.bottom + height + GAP <= innerHeight || box.top < height + GAP;
    const left = Math.min(Math.max(box.left - 20, GAP), innerWidth - width - GAP);
    this.element.style.left = `${left}px`;
    this.element.style.top = `${below ? box.bottom : box.top - height}px`;
  }

  /** Scroll the page so that the card, at the bottom of a phone, does not cover its character. */
  uncover(span) {
    const [over, at] = [boxOf(span).bottom + GAP, this.element.getBoundingClientRect()];
    if (at.width >= innerWidth && over > at.top) scrollBy(0, over - at.top);
  }

  /** Choose the nth alternative, as its button does. */
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
    else this.onContinue(index);
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

/** A character, its probability and the best alternatives as one line for screen readers. */
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
  if (cell.logprob === null) line.append(make("span", "", t("Probability unknown.")));
  else line.append(make("span", "share", percent(cell.logprob)));
  return line;
}

function rows(cell) {
  const list = make("div", "others");
  list.append(...cell.others.map((other, nth) => row(other, nth, other.token === cell.token)));
  if (cell.parts > 1) list.append(make("p", "note", t("the first of {n} bytes", { n: cell.parts })));
  return list;
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
  if (!isText(token)) return `${spoken(token)}: ${share}, ${t("incomplete character")}`;
  const text = t("Write {char} here instead and continue from it ({percent})", { char: spoken(token), percent: share });
  return written ? `${text}, ${t("written")}` : text;
}

function foot() {
  const button = make("button", "link", t("Continue from here"));
  button.type = "button";
  return button;
}
