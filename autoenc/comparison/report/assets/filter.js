// The table's filter: words, and the language of `compare.py --where`.
//
//   architecture=conv and test.mse<0.01        noise in (gaussian, masking)        not (state=failed or label ~ conv*)
//
// A single word is looked for in all texts of a row, and `and` may be left out. Everything else is as `where.py`
// has it, and `test_report_filter.py` compares the two. A key that a run does not have matches nothing except `= null`.
// A key is that of a field, a metric or a setting, or its last part if no other key ends in it.

const TOKEN = /\s*(?:(==|!=|<=|>=|!~|=|<|>|~)|([(),])|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(\[[^\]]*\])|([^\s()=!<>~,'"[\]]+))/y;
const KEYWORDS = ["and", "or", "not", "in"];
const DEEPEST = 50; // parentheses and nots inside one another

/** The condition on a run in a text. Throws an Error if it cannot be parsed. */
function parseFilter(text) {
  const tokens = tokensOf(text.trimEnd());
  let at = 0;
  let depth = 0;
  const next = () => tokens[at] ?? { kind: "end", text: "the end" };
  const isOneOf = (words) => next().kind === "word" && words.includes(next().text.toLowerCase());
  const isKeyword = (word) => isOneOf([word]);
  const take = (word) => {
    const found = isKeyword(word);
    at += found;
    return found;
  };
  const isSign = (sign) => next().kind === "sign" && next().text === sign;
  const takeSign = (sign) => {
    const found = isSign(sign);
    at += found;
    return found;
  };

  function either() {
    const tests = [both()];
    while (take("or")) tests.push(both());
    return (run) => tests.some((test) => test(run));
  }

  function both() {
    const tests = [one()];
    while (next().kind !== "end" && !isKeyword("or") && !isSign(")")) {
      take("and");
      tests.push(one());
    }
    return (run) => tests.every((test) => test(run));
  }

  function one() {
    depth += 1;
    if (depth > DEEPEST) throw new Error("there are too many parentheses inside one another");
    const test = take("not") ? negated(one()) : takeSign("(") ? closed(either()) : compared();
    depth -= 1;
    return test;
  }

  function closed(test) {
    if (!takeSign(")")) throw new Error("a parenthesis is not closed");
    return test;
  }

  function compared() {
    const token = next();
    if (!isText(token) || isOneOf(KEYWORDS)) throw new Error(`'${token.text}' was not expected here`);
    at += 1;
    if (token.kind !== "word") return (run) => textOf(run).includes(token.text.toLowerCase());
    if (next().kind === "operator") {
      const sign = next().text;
      at += 1;
      return comparison(readerOf(token.text), sign, literal());
    }
    const isNot = isKeyword("not") && tokens[at + 1]?.kind === "word" && tokens[at + 1].text.toLowerCase() === "in";
    at += isNot;
    if (!take("in")) return (run) => textOf(run).includes(token.text.toLowerCase());
    return membership(readerOf(token.text), isNot);
  }

  function membership(read, isNot) {
    if (!takeSign("(")) throw new Error("after 'in' a list in parentheses was expected");
    const literals = [literal()];
    while (takeSign(",")) literals.push(literal());
    const among = (run) => literals.some((wanted) => isEqual(read(run), wanted));
    return closed(isNot ? (run) => !isMissing(read(run)) && !among(run) : among);
  }

  function literal() {
    const token = next();
    if (!isText(token) || isOneOf(KEYWORDS)) throw new Error("a value is missing");
    at += 1;
    const isTyped = token.kind !== "quoted";
    return { text: token.text, number: isTyped ? numberIn(token.text) : null, isNull: isTyped && token.text === "null" };
  }

  if (!tokens.length) return () => true;
  const test = either();
  if (next().kind !== "end") throw new Error(`'${next().text}' was not expected here`);
  return test;
}

function tokensOf(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`'${text.slice(from).trim()}' cannot be read`);
    const [, operator, sign, quoted, list, word] = match;
    if (operator) tokens.push({ kind: "operator", text: operator });
    else if (sign) tokens.push({ kind: "sign", text: sign });
    else if (quoted) tokens.push({ kind: "quoted", text: quoted.slice(1, -1).replace(/\\(.)/g, "$1") });
    else if (list) tokens.push({ kind: "list", text: list });
    else tokens.push({ kind: "word", text: word });
  }
  return tokens;
}

function isText(token) {
  return ["word", "quoted", "list"].includes(token.kind);
}

const NUMBER = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i;

/** The number in a text, in Python's syntax; null if there is none. */
function numberIn(text) {
  if (NUMBER.test(text)) {
    const number = Number(text.replaceAll("_", ""));
    const isLarge = Number.isInteger(number) && !Number.isSafeInteger(number) && /^[+-]?[\d_]+$/.test(text);
    return isLarge ? BigInt(text.replaceAll("_", "").replace("+", "")) : number;
  }
  const [, sign, word] = /^([+-]?)(inf|infinity|nan)$/i.exec(text) ?? [];
  if (!word) return null;
  return word.toLowerCase() === "nan" ? NaN : Number(`${sign}Infinity`);
}

function negated(test) {
  return (run) => !test(run);
}

function isMissing(value) {
  return value === undefined || value === null;
}

function comparison(read, sign, wanted) {
  const order = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b }[sign];
  if (order) {
    if (wanted.number === null) throw new Error(`after ${sign} a number was expected, not '${wanted.text}'`);
    return (run) => isNumber(read(run)) && order(read(run), wanted.number);
  }
  if (sign === "~") return (run) => !isMissing(read(run)) && isLike(asTyped(read(run)), wanted.text);
  if (sign === "!~") return (run) => !isMissing(read(run)) && !isLike(asTyped(read(run)), wanted.text);
  if (sign === "!=") return (run) => !isMissing(read(run)) && !isEqual(read(run), wanted);
  return (run) => isEqual(read(run), wanted);
}

/** Compares numbers as numbers, texts letter by letter, and lists, which arrive as texts, as they would be typed. */
function isEqual(value, wanted) {
  if (isMissing(value) || wanted.isNull) return isMissing(value) && wanted.isNull;
  if (isNumber(value) && wanted.number !== null) {
    return value >= wanted.number && value <= wanted.number; // a number and a bigint are never ===
  }
  const [is, typed] = [asTyped(value), wanted.text];
  return is === typed || (/^[[{]/.test(is) && is.replace(/\s/g, "") === typed.replace(/\s/g, ""));
}

/** A value as it would be typed on the command line: a number in twelve digits. */
function asTyped(value) {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return asSet(value);
  const [digits, power] = value.toExponential(11).split("e");
  const isShort = power >= -4 && power < 12;
  const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (isShort) return trimmed(value.toFixed(11 - power));
  return `${trimmed(digits)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

/** Looks for a part of the text; with `*` or `?` in the pattern, matches the whole text. */
function isLike(text, pattern) {
  const [where, what] = [text.toLowerCase(), pattern.toLowerCase()];
  return /[*?]/.test(what) ? matchesPattern(where, what) : where.includes(what);
}

/** Matches step by step, going back to the last star only: no pattern takes long. */
function matchesPattern(whole, wanted) {
  const [text, pattern] = [[...whole], [...wanted]]; // characters, of which some have two units
  let [place, at, star, from] = [0, 0, -1, 0];
  while (place < text.length) {
    if (at < pattern.length && pattern[at] === "*") {
      [star, from] = [at, place];
      at += 1;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[place])) {
      at += 1;
      place += 1;
    } else if (star >= 0) {
      from += 1;
      [at, place] = [star + 1, from];
    } else {
      return false;
    }
  }
  return pattern.slice(at).every((character) => character === "*");
}

// Values of runs.

/** They take precedence over a metric or setting of the same name. */
const FIELDS = {
  name: (run) => run.name,
  label: (run) => run.ownLabel ?? run.label,
  state: (run) => run.state,
  error_kind: (run) => run.errorKind,
  error_message: (run) => run.errorMessage,
  machine: (run) => run.machine,
};

/** A function from a run to its value of a key, undefined if it has none. */
function readerOf(key) {
  const found = exactReader(key);
  if (found) return found;
  const all = [...new Set([...metrics.keys(), ...settings.keys(), ...sharedSettings.keys()])];
  const meant = all.filter((name) => name.includes(".") && name.split(".").at(-1) === key);
  if (meant.length === 1) return exactReader(meant[0]);
  if (!meant.length) throw new Error(`no run has a setting or metric '${key}'`);
  throw new Error(`'${key}' could be ${meant.slice(0, 6).join(" or ")}: write the whole key`);
}

function exactReader(key) {
  if (Object.hasOwn(FIELDS, key)) return FIELDS[key];
  const [metric, setting] = [metrics.get(key), settingReader(key)];
  if (metric) return (run) => metric.of(run) ?? setting?.(run);
  return setting;
}

function settingReader(key) {
  if (settings.has(key)) return settings.get(key).of;
  if (sharedSettings.has(key)) return (run) => (run.hasSettings ? sharedSettings.get(key) : undefined);
  return null;
}

const texts = new Map();

/** All texts of a row, in lower case. */
function textOf(run) {
  if (!texts.has(run.index)) {
    const values = [...settings.values()].map((setting) => asSet(setting.of(run)));
    texts.set(run.index, [run.label, run.name, run.state, ...(run.reasons ?? []), ...values].join("\n").toLowerCase());
  }
  return texts.get(run.index);
}
