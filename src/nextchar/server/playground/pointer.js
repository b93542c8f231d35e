// Opens and closes the card of the character under the pointer, a finger or the cursor.
import { summary } from "./alternatives.js";

const HOVER = 120; // milliseconds before a card opens
const INSIDE = "#text, #card";

/** Watches a text view and shows the card of its characters; announce(text) reads them aloud. */
export class Pointer {
  #timer = 0;

  constructor(view, card, announce) {
    Object.assign(this, { view, card, announce });
    this.#watchPointer(view.element);
    this.#watchKeys(view.element);
    addEventListener("resize", () => card.hide());
    addEventListener("scroll", () => this.#follow(), { passive: true, capture: true }); // of any element
    for (const type of ["pointerdown", "focusin"]) {
      document.addEventListener(type, ({ target }) => target.closest(INSIDE) || this.clear());
    }
  }

  /** Move the cursor to a character and show its card. */
  moveTo(index) {
    clearTimeout(this.#timer);
    this.view.select(index);
    this.#show(index, { pinned: true });
    this.view.spanAt(index).scrollIntoView({ block: "nearest" });
    this.card.uncover(this.view.spanAt(index));
  }

  /** Remove the cursor and the card. */
  clear() {
    this.card.hide();
    this.view.select(null);
  }

  #show(index, options) {
    this.card.show(index, this.view.cells[index], this.view.spanAt(index), options);
  }

  #schedule(time, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.card.pinned || action(), time);
  }

  #leave() {
    this.#schedule(2 * HOVER, () => this.card.hide());
  }

  // the card moves with its character
  #follow() {
    if (this.card.pinned) this.card.place(this.view.spanAt(this.card.index));
    else this.card.hide();
  }

  #watchPointer(text) {
    text.addEventListener("pointerover", ({ target, pointerType }) => {
      const index = this.view.indexOf(target);
      if (pointerType === "mouse" && index >= 0) this.#schedule(HOVER, () => this.#show(index));
    });
    text.addEventListener("pointerleave", () => this.#leave());
    text.addEventListener("click", ({ target }) => {
      const index = this.view.indexOf(target);
      if (index < 0 || !getSelection().isCollapsed) this.clear(); // no character, or a selection
      else this.moveTo(index);
    });
    this.card.element.addEventListener("pointerenter", () => clearTimeout(this.#timer));
    this.card.element.addEventListener("pointerleave", () => this.#leave());
  }

  #watchKeys(text) {
    text.addEventListener("focus", () => {
      if (text.matches(":focus-visible") && this.view.spanAt(0)) this.moveTo(this.view.cursor ?? 0);
    });
    text.addEventListener("keydown", (event) => this.#textKey(event));
    document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
      const number = /^[1-9]$/.test(key) && !ctrlKey && !metaKey && !altKey;
      if (number && target.closest(INSIDE) && this.card.pinned) this.card.pick(key - 1);
    });
  }

  #textKey(event) {
    const next = this.view.after(event);
    if (next !== null) {
      event.preventDefault();
      this.moveTo(next);
      this.announce(summary(this.view.cells[next]));
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && this.card.pinned) {
      event.preventDefault();
      this.card.focus();
    }
  }
}
