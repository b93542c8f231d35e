// The completion API: the models there are, and a text as it is written.
import { recall, remember } from "./storage.js";
import { t } from "./i18n.js";

let key = recall("key", "", "sessionStorage");

/** What the server, or the way to it, refused. status 0: there was no answer. */
export class ApiError extends Error {
  constructor(status, message, param = null) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

/** Send this API key from now on; it is forgotten with the tab. */
export function useKey(value) {
  key = value.trim();
  remember("key", key, "sessionStorage");
}

/** The models of the server: [{id, meta}]. */
export async function models() {
  const answer = await ask("v1/models");
  return (await answer.json()).data;
}

/** The choice of each piece of a completion as it comes: {text, logprobs, finish_reason, seed}. */
export async function* complete(body, signal) {
  const answer = await ask("v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, stream: true }),
    signal,
  });
  for await (const data of events(answer.body.getReader())) {
    if (data === "[DONE]") return;
    const piece = JSON.parse(data);
    if (piece.error) throw new ApiError(answer.status, piece.error.message, piece.error.param);
    if (piece.choices.length) yield piece.choices[0];
  }
  throw new ApiError(0, t("The connection ended before the text did."));
}

async function ask(path, { headers, ...options } = {}) {
  const authorization = key ? { authorization: `Bearer ${key}` } : {};
  const all = new Headers({ ...headers, ...authorization });
  let answer;
  try {
    // relative to the page, so that it works behind a proxy's prefix too
    answer = await fetch(new URL(path, document.baseURI), { ...options, headers: all });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, t("The server cannot be reached. Is nextchar serve still running?"));
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer) {
  const { message, param } = await answer.json().then((body) => body?.error ?? {}, () => ({}));
  const wait = answer.headers.get("retry-after");
  const words = message ?? t("The server answered {status}.", { status: answer.status });
  const hint = wait ? ` ${t("Try again in {wait} s.", { wait })}` : "";
  return new ApiError(answer.status, words + hint, param);
}

/** Server-sent events → the data of each. Lines that are comments (pings) are passed over. */
async function* events(reader) {
  const utf8 = new TextDecoder();
  let held = "";
  for (;;) {
    const { done, value } = await read(reader);
    if (done) return;
    const lines = (held + utf8.decode(value, { stream: true })).split(/\r?\n/);
    held = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) yield line.slice(5).trim(); // ours are one line each
    }
  }
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { done: true }; // the connection broke
  }
}
