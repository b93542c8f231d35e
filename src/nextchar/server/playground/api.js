// Client of the completion API: the list of models, and streamed completions.
import { load, save } from "./storage.js";
import { t } from "./i18n.js";

let key = load("key", "", "sessionStorage");

/** An error of the server or of the connection. status 0: no answer. */
export class ApiError extends Error {
  constructor(status, message, param = null) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

/** Set the API key of later requests; it is kept until the tab is closed. */
export function useKey(value) {
  key = value.trim();
  save("key", key, "sessionStorage");
}

/** The models of the server: [{id, meta}]. */
export async function models() {
  const answer = await request("v1/models");
  return (await answer.json()).data;
}

/** Stream a completion; yields the choice of each event: {text, logprobs, finish_reason, seed}. */
export async function* complete(body, signal) {
  const answer = await request("v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, stream: true }),
    signal,
  });
  for await (const data of events(answer.body.getReader())) {
    if (data === "[DONE]") return;
    const { error, choices } = JSON.parse(data);
    if (error) throw new ApiError(answer.status, error.message, error.param);
    if (choices.length) yield choices[0];
  }
  throw new ApiError(0, t("The connection closed before the text was complete."));
}

async function request(path, { headers, ...options } = {}) {
  const authorization = key ? { authorization: `Bearer ${key}` } : {};
  const all = new Headers({ ...headers, ...authorization });
  let answer;
  try {
    // relative to the page, to work behind a proxy with a prefix
    answer = await fetch(new URL(path, document.baseURI), { ...options, headers: all });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, t("The server cannot be reached. Is nextchar serve still running?"));
  }
  if (!answer.ok) throw await errorOf(answer);
  return answer;
}

async function errorOf(answer) {
  const { message, param } = await answer.json().then((body) => body?.error ?? {}, () => ({}));
  const wait = answer.headers.get("retry-after");
  const text = message ?? t("The server answered {status}.", { status: answer.status });
  const hint = wait ? ` ${t("Try again in {wait} s.", { wait })}` : "";
  return new ApiError(answer.status, text + hint, param);
}

/** The data of each server-sent event. Comment lines (pings) are skipped. */
async function* events(reader) {
  const utf8 = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await read(reader);
    if (done) return;
    const lines = (rest + utf8.decode(value, { stream: true })).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) yield line.slice(5).trim(); // the server sends one line for each event
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
