// Tokens and log-probabilities of the API → the characters of a text, each with what is known of it.

/**
 * A written character.
 * char: the character. logprob: natural logarithm of its probability, or null where nobody told.
 * token: its (first) token. parts: of how many tokens it is made; several are bytes.
 * others: [{token, logprob}], the most probable (first) tokens at its place, the best first.
 */
const cell = (char, logprob = null, token = char, parts = 1, others = []) => ({
  char, logprob, token, parts, others,
});

const NOTHING = "\ufffd"; // what bytes become that are no character

/** Puts pieces of text together with their tokens, which may come a little before the text does. */
export class Aligner {
  #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  #parts = []; // tokens of a character that is not whole yet
  #known = []; // characters whose text did not come yet

  /** The written characters of one piece. logprobs: as the API has it, or null. */
  add(text, logprobs) {
    logprobs?.tokens.forEach((token, i) => this.#take(token, i, logprobs));
    return Array.from(text, (char) => {
      if (this.#known[0]?.char === char) return this.#known.shift();
      if (char === NOTHING && !this.#known.length) return joined(char, this.#parts.splice(0)); // the end
      this.#known = []; // the text is not what its tokens say: it is right, and they are dropped
      return cell(char);
    });
  }

  #take(token, i, { token_logprobs, top_logprobs }) {
    const others = Object.entries(top_logprobs?.[i] ?? {})
      .map(([other, logprob]) => ({ token: other, logprob }))
      .sort((a, b) => b.logprob - a.logprob);
    this.#parts.push({ token, logprob: token_logprobs[i], others });
    const whole = Array.from(this.#decoded(token));
    whole.forEach((char, n) => {
      // bytes that came to nothing are a character too, known only by the token after them
      const after = n < whole.length - 1 || isLead(token) ? 1 : 0;
      this.#known.push(joined(char, this.#parts.splice(0, this.#parts.length - after)));
    });
  }

  #decoded(token) {
    const bytes = bytesOf(token);
    if (bytes) return this.#utf8.decode(Uint8Array.from(bytes), { stream: true });
    return this.#utf8.decode() + token; // what bytes were left before it are no character
  }
}

function joined(char, parts) {
  if (!parts.length) return cell(char);
  const [{ token, others }] = parts;
  const logprob = parts.reduce((sum, part) => sum + part.logprob, 0);
  return cell(char, logprob, token, parts.length, others);
}

/** The bytes that a token like `bytes:\xe2` stands for, or null if it is text. */
function bytesOf(token) {
  if (!/^(bytes:)?(\\x[0-9a-f]{2})+$/i.test(token)) return null;
  return Array.from(token.matchAll(/\\x(..)/g), ([, hex]) => parseInt(hex, 16));
}

/** Whether more bytes have to come before this one is a character. */
const isLead = (token) => (bytesOf(token)?.[0] ?? 0) >= 0xc2;

/** Whether a prompt can end in this token: half a character cannot be sent as text. */
export function isText(token) {
  const bytes = bytesOf(token);
  return bytes === null || bytes.every((byte) => byte < 128);
}

/** The text that a token stands for. */
export function textOf(token) {
  const bytes = bytesOf(token);
  return bytes === null ? token : new TextDecoder().decode(Uint8Array.from(bytes));
}

const NAMES = { " ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", "\u00a0": "⍽", "\u3000": "␣␣" };

/** A token as it can be seen: `↵` for a line break, `◌́` for an accent, `\xe2` for a byte. */
export function visible(token) {
  if (bytesOf(token)) return token.replace(/^bytes:/, "");
  if (NAMES[token]) return NAMES[token];
  if (/^\p{M}/u.test(token)) return `◌${token}`;
  if (/^[\p{C}\p{Z}]$/u.test(token)) return `U+${token.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return token;
}

/** What a token is called where its sign alone says too little, for t(). */
export function nameOf(token) {
  return { " ": "space", "\n": "line break", "\t": "tab" }[token] ?? "";
}

const LIMITS = [0.9, 0.5, 0.2, 0.05, 0.01];

/** How surprising: 0 for more than 90 %, 5 for less than 1 %; null where it is not known. */
export function level(logprob) {
  if (logprob === null) return null;
  const p = Math.exp(logprob);
  const found = LIMITS.findIndex((limit) => p >= limit);
  return found < 0 ? LIMITS.length : found;
}
