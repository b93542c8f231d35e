// The settings: linked sliders and number fields, stored in the browser and read for a request.
import { load, save } from "./storage.js";
import { t } from "./i18n.js";

const BASIC = ["temperature", "top_p", "max_tokens"];
const FURTHER = ["top_k", "min_p", "repetition_penalty"]; // sent only if not at their defaults
const $ = (id) => document.getElementById(id);

/** Connect the sliders and restore the stored values. */
export function initSettings() {
  const stored = JSON.parse(load("settings", "{}"));
  for (const id of [...BASIC, ...FURTHER]) {
    const [number, slider] = [$(id), $(`${id}-slider`)];
    if (id in stored) number.value = stored[id];
    slider.value = number.value;
    for (const [moved, other] of [[slider, number], [number, slider]]) {
      moved.addEventListener("input", () => {
        other.value = moved.value;
        store();
      });
    }
  }
  const wide = matchMedia("(min-width: 820px)");
  const fold = () => { $("settings").open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();
}

/** The settings as fields of a request. Throws a RangeError that names the first invalid one. */
export function readSettings() {
  const fields = Object.fromEntries(BASIC.map((id) => [id, valueOf($(id))]));
  for (const id of FURTHER) {
    const value = valueOf($(id));
    if (value !== Number($(id).defaultValue)) fields[id] = value;
  }
  return { ...fields, seed: seed() };
}

/** Mark a field as invalid, and no other; null for none. */
export function markInvalid(invalid) {
  for (const id of [...BASIC, ...FURTHER, "seed", "prompt"]) {
    $(id).toggleAttribute("aria-invalid", false);
    if (id === invalid) $(id).setAttribute("aria-invalid", "true");
  }
  if ([...FURTHER, "seed"].includes(invalid)) $("further").open = true;
  if ([...BASIC, ...FURTHER, "seed"].includes(invalid)) $("settings").open = true;
}

/** Use this seed from now on. */
export function useSeed(value) {
  $("settings").open = $("further").open = true;
  $("seed").value = value;
}

function valueOf(input) {
  if (input.value !== "" && input.checkValidity()) return Number(input.value);
  markInvalid(input.id);
  const [name, { min, max }] = [input.labels[0].textContent, input];
  throw new RangeError(t("{name} must be a number from {min} to {max}.", { name, min, max }));
}

function seed() {
  const digits = $("seed").value.trim();
  if (digits === "") return crypto.getRandomValues(new Uint32Array(1))[0];
  const value = Number(digits);
  if (/^\d+$/.test(digits) && Number.isSafeInteger(value)) return value;
  markInvalid("seed");
  throw new RangeError(t("Seed must be digits or empty."));
}

function store() {
  const values = [...BASIC, ...FURTHER].map((id) => [id, $(id).value]);
  save("settings", JSON.stringify(Object.fromEntries(values)));
}
