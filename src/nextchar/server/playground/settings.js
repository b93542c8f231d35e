// The settings: sliders and numbers that move together, remembered, and read for a request.
import { recall, remember } from "./storage.js";
import { t } from "./i18n.js";

const BASIC = ["temperature", "top_p", "max_tokens"];
const FURTHER = ["top_k", "min_p", "repetition_penalty"]; // sent only where they do something
const $ = (id) => document.getElementById(id);

/** Wire up the sliders. */
export function setUp() {
  const kept = JSON.parse(recall("settings", "{}"));
  for (const id of [...BASIC, ...FURTHER]) {
    const [number, slider] = [$(id), $(`${id}-slider`)];
    if (id in kept) number.value = kept[id];
    slider.value = number.value;
    for (const [moved, other] of [[slider, number], [number, slider]]) {
      moved.addEventListener("input", () => {
        other.value = moved.value;
        keep();
      });
    }
  }
  const wide = matchMedia("(min-width: 820px)");
  const fold = () => { $("settings").open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();
}

/** The settings as fields of a request. Raises RangeError that names the first wrong one. */
export function read() {
  const fields = Object.fromEntries(BASIC.map((id) => [id, valueOf($(id))]));
  for (const id of FURTHER) {
    const value = valueOf($(id));
    if (value !== Number($(id).defaultValue)) fields[id] = value;
  }
  return { ...fields, seed: seed() };
}

/** Say of a field that the server did not like it; of none, take it back. */
export function mark(wrong) {
  for (const id of [...BASIC, ...FURTHER, "seed", "prompt"]) {
    $(id).toggleAttribute("aria-invalid", false);
    if (id === wrong) $(id).setAttribute("aria-invalid", "true");
  }
  if ([...FURTHER, "seed"].includes(wrong)) $("further").open = true;
  if ([...BASIC, ...FURTHER, "seed"].includes(wrong)) $("settings").open = true;
}

/** Write with this seed from now on. */
export function useSeed(value) {
  $("settings").open = $("further").open = true;
  $("seed").value = value;
}

function valueOf(input) {
  if (input.value !== "" && input.checkValidity()) return Number(input.value);
  mark(input.id);
  const [name, { min, max }] = [input.labels[0].textContent, input];
  throw new RangeError(t("{name}: wants a number from {min} to {max}.", { name, min, max }));
}

function seed() {
  const digits = $("seed").value.trim();
  if (digits === "") return crypto.getRandomValues(new Uint32Array(1))[0];
  const value = Number(digits);
  if (/^\d+$/.test(digits) && Number.isSafeInteger(value)) return value;
  mark("seed");
  throw new RangeError(t("Seed: wants digits, or nothing."));
}

function keep() {
  const values = [...BASIC, ...FURTHER].map((id) => [id, $(id).value]);
  remember("settings", JSON.stringify(Object.fromEntries(values)));
}
