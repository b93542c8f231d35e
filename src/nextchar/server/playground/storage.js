// Values stored in the browser. Where storage is forbidden, nothing is stored, without an error.

const prefixed = (key) => `nextchar-${key}`;

/** The stored value of a key, or the default. */
export function load(key, otherwise, storage = "localStorage") {
  try {
    return window[storage].getItem(prefixed(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Store a text: permanently, or with `sessionStorage` until the tab is closed. */
export function save(key, text, storage = "localStorage") {
  try {
    window[storage].setItem(prefixed(key), text);
  } catch {
    // the value applies until the page is closed
  }
}
