// Alignment of the tokens and log-probabilities of the API with the characters of the text.

/**
 * A generated character.
 * char: the character. logprob: natural logarithm of its probability, or null if unknown.
 * token: its (first) token. parts: number of its tokens; several are bytes.
 * others: [{token, logprob}], the most probable (first) tokens at its position, best first.
 */
const cell = (char, logprob = null, token = char, parts = 1, others = []) => ({
  char, logprob, token, parts, others,
});

const REPLACEMENT = "\ufffd"; // stands for bytes that are no character

/** Aligns streamed text with its tokens, which may arrive before the text. */
export class Aligner {
  #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  #parts = []; // tokens of an incomplete character
  #known = []; // characters whose text has not arrived

  /** The cells of the text in one event. logprobs: of the API, or null. */
  add(text, logprobs) {
    logprobs?.tokens.forEach((token, i) => this.#take(token, i, logprobs));
    return Array.from(text, (char) => {
      if (this.#known[0]?.char === char) return this.#known.shift();
      if (char === REPLACEMENT && !this.#known.length) return joined(char, this.#parts.splice(0)); // at the end
      this.#known = []; // text and tokens differ: the text is right
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
      // invalid bytes are a character too, recognised only at the token after them
      const after = n < whole.length - 1 || isLead(token) ? 1 : 0;
      this.#known.push(joined(char, this.#parts.splice(0, this.#parts.length - after)));
    });
  }

  #decoded(token) {
    const bytes = bytesOf(token);
    if (bytes) return this.#utf8.decode(Uint8Array.from(bytes), { stream: true });
    return this.#utf8.decode() + token; // bytes left over are no character
  }
}

function joined(char, parts) {
  if (!parts.length) return cell(char);
  const [{ token, others }] = parts;
  const logprob = parts.reduce((sum, part) => sum + part.logprob, 0);
  return cell(char, logprob, token, parts.length, others);
}

/** The bytes of a token like `bytes:\xe2`, or null for text. */
function bytesOf(token) {
  if (!/^(bytes:)?(\\x[0-9a-f]{2})+$/i.test(token)) return null;
  return Array.from(token.matchAll(/\\x(..)/g), ([, hex]) => parseInt(hex, 16));
}

/** True for the first byte of a character of several bytes. */
const isLead = (token) => (bytesOf(token)?.[0] ?? 0) >= 0xc2;

/** True if a prompt can end in this token: an incomplete character cannot be sent as text. */
export function isText(token) {
  const bytes = bytesOf(token);
  return bytes === null || bytes.every((byte) => byte < 128);
}

/** The text of a token. */
export function textOf(token) {
  const bytes = bytesOf(token);
  return bytes === null ? token : new TextDecoder().decode(Uint8Array.from(bytes));
}

const NAMES = { " ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", "\u00a0": "⍽", "\u3000": "␣␣" };

/** A visible form of a token: `↵` for a line break, `◌́` for an accent, `\xe2` for a byte. */
export function visible(token) {
  if (bytesOf(token)) return token.replace(/^bytes:/, "");
  if (NAMES[token]) return NAMES[token];
  if (/^\p{M}/u.test(token)) return `◌${token}`;
  if (/^[\p{C}\p{Z}]$/u.test(token)) return `U+${token.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return token;
}

/** The name of a token whose sign is not clear by itself, as a key of t(). */
export function nameOf(token) {
  return { " ": "space", "\n": "line break", "\t": "tab" }[token] ?? "";
}

const LIMITS = [0.9, 0.5, 0.2, 0.05, 0.01];

/** Level of surprise: 0 for at least 90 %, 5 for less than 1 %; null if unknown. */
export function level(logprob) {
  if (logprob === null) return null;
  const p = Math.exp(logprob);
  const index = LIMITS.findIndex((limit) => p >= limit);
  return index < 0 ? LIMITS.length : index;
}
