// What the browser keeps for the page: nothing where that is forbidden, which is no error.

const name = (what) => `nextchar-${what}`;

/** What was remembered, or else the default. */
export function recall(what, otherwise, where = "localStorage") {
  try {
    return window[where].getItem(name(what)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keep a text: for good, or with `sessionStorage` until the tab is closed. */
export function remember(what, text, where = "localStorage") {
  try {
    window[where].setItem(name(what), text);
  } catch {
    // it holds until the page is closed
  }
}
