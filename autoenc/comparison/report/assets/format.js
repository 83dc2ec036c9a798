// Numbers and texts as they are shown.

const MINUS = "\u2212";

/** A number of the data; NaN and Infinity, which JSON lacks, are texts. */
function numberOf(value) {
  return value === null || value === undefined ? null : Number(value);
}

/** A setting of the data; `{number: text}` is a whole number that needs a BigInt. */
function settingOf(value) {
  if (value === null || typeof value !== "object") return value;
  return BigInt(value.number);
}

function isNumber(value) {
  return typeof value === "number" || typeof value === "bigint";
}

function isFiniteNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** A measured number in four digits. */
function measured(value) {
  if (value === null || value === undefined) return "";
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "\u221e" : `${MINUS}\u221e`;
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return value.toLocaleString("en-US").replace("-", MINUS);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2).replaceAll("-", MINUS).replace("+", "");
  if (size >= 1000) return Math.round(value).toLocaleString("en-US").replace("-", MINUS);
  return value.toPrecision(4).replace("-", MINUS);
}

/** Two digits of a very small or large number. */
function exponential(value) {
  return value.toExponential(1).replace("e+", "e").replaceAll("-", MINUS);
}

/** A number on an axis, as short as possible. */
function onAxis(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) {
    const [digits, power] = value.toExponential(6).split("e");
    return `${Number(digits)}e${Number(power)}`.replaceAll("-", MINUS);
  }
  return Number(value.toPrecision(6)).toLocaleString("en-US", { maximumFractionDigits: 8 }).replace("-", MINUS);
}

/** A setting's value. */
function asSet(value) {
  if (value === undefined) return "\u2013";
  return value === null ? "null" : String(value);
}

/** The first words of a unit: up to its first comma or colon. */
function briefUnit(unit) {
  return unit.split(/[,:;]/, 1)[0];
}

/** A dotted key that breaks into lines after its dots and underscores. */
function breakable(key) {
  return key.split(/(?<=[._])/).flatMap((part, at) => (at ? [element("wbr"), part] : [part]));
}

function plural(count, word) {
  return `${count.toLocaleString("en-US")} ${word}${count === 1 ? "" : "s"}`;
}
