// The character under the pointer, a finger or the cursor: its card comes, stays and goes.
import { summary } from "./alternatives.js";

const HOVER = 120; // milliseconds, so that a pointer that passes by opens nothing
const INSIDE = "#text, #card";

/** Watches a sheet and shows a card beside its characters; say(words) reads them aloud. */
export class Pointing {
  #waiting = 0;

  constructor(sheet, card, say) {
    Object.assign(this, { sheet, card, say });
    this.#watchPointer(sheet.element);
    this.#watchKeys(sheet.element);
    addEventListener("resize", () => card.hide());
    addEventListener("scroll", () => this.#keepUp(), { passive: true, capture: true }); // whatever scrolls
    for (const leaving of ["pointerdown", "focusin"]) {
      document.addEventListener(leaving, ({ target }) => target.closest(INSIDE) || this.drop());
    }
  }

  /** Put the cursor on a character, with its card. */
  put(index) {
    clearTimeout(this.#waiting);
    this.sheet.select(index);
    this.#look(index, { pinned: true });
    this.sheet.spanAt(index).scrollIntoView({ block: "nearest" });
    this.card.uncover(this.sheet.spanAt(index));
  }

  /** Take the cursor and the card away. */
  drop() {
    this.card.hide();
    this.sheet.select(null);
  }

  #look(index, options) {
    this.card.show(index, this.sheet.cells[index], this.sheet.spanAt(index), options);
  }

  #later(time, action) {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.card.pinned || action(), time);
  }

  #leave() {
    this.#later(2 * HOVER, () => this.card.hide());
  }

  // the card goes where its character is scrolled to
  #keepUp() {
    if (this.card.pinned) this.card.place(this.sheet.spanAt(this.card.index));
    else this.card.hide();
  }

  #watchPointer(text) {
    text.addEventListener("pointerover", ({ target, pointerType }) => {
      const index = this.sheet.indexOf(target);
      if (pointerType === "mouse" && index >= 0) this.#later(HOVER, () => this.#look(index));
    });
    text.addEventListener("pointerleave", () => this.#leave());
    text.addEventListener("click", ({ target }) => {
      const index = this.sheet.indexOf(target);
      if (index < 0 || !getSelection().isCollapsed) this.drop(); // or text is being selected
      else this.put(index);
    });
    this.card.element.addEventListener("pointerenter", () => clearTimeout(this.#waiting));
    this.card.element.addEventListener("pointerleave", () => this.#leave());
  }

  #watchKeys(text) {
    text.addEventListener("focus", () => {
      if (text.matches(":focus-visible") && this.sheet.spanAt(0)) this.put(this.sheet.cursor ?? 0);
    });
    text.addEventListener("keydown", (event) => this.#textKey(event));
    document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
      const number = /^[1-9]$/.test(key) && !ctrlKey && !metaKey && !altKey;
      if (number && target.closest(INSIDE) && this.card.pinned) this.card.pick(key - 1);
    });
  }

  #textKey(event) {
    const next = this.sheet.after(event);
    if (next !== null) {
      event.preventDefault();
      this.put(next);
      this.say(summary(this.sheet.cells[next]));
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && this.card.pinned) {
      event.preventDefault();
      this.card.focus();
    }
  }
}
