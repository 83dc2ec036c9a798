// The table's filter: words, and the language of `compare.py --where`.
//
//   architecture=conv and test.mse<0.01        noise in (gaussian, masking)        not (state=failed or label ~ conv*)
//
// A word by itself is looked for in everything that a row says. What a run does not have matches no comparison, `!=`
// neither, but for `= null`. A key is that of a setting or a metric, or its last part where no other key ends so.

const TOKEN = /\s*(?:(==|!=|<=|>=|!~|=|<|>|~)|([(),])|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(\[[^\]]*\])|([^\s()=!<>~,'"[\]]+))/y;
const KEYWORDS = ["and", "or", "not", "in"];
const DEEPEST = 50; // parentheses and nots inside one another
const LONGEST = 2000; // characters

/** A test of a run, from what was typed. Throws an Error that says what cannot be understood. */
function parseFilter(text) {
  const tokens = tokensOf(text.slice(0, LONGEST).trimEnd());
  let at = 0;
  let depth = 0;
  const next = () => tokens[at] ?? { kind: "end", text: "the end" };
  const isKeyword = (word) => next().kind === "word" && next().text.toLowerCase() === word;
  const take = (word) => {
    const found = isKeyword(word);
    at += found;
    return found;
  };
  const takeSign = (sign) => {
    const found = next().kind === "sign" && next().text === sign;
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
    while (next().kind !== "end" && !isKeyword("or") && next().text !== ")") {
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
    if (!["word", "quoted", "list"].includes(token.kind) || (token.kind === "word" && KEYWORDS.includes(token.text.toLowerCase()))) {
      throw new Error(`'${token.text}' was not expected here`);
    }
    at += 1;
    if (next().kind === "operator") {
      const sign = next().text;
      at += 1;
      return comparison(readerOf(token.text), sign, literal());
    }
    const isNot = isKeyword("not") && tokens[at + 1]?.text.toLowerCase() === "in";
    at += isNot;
    if (!take("in")) return (run) => saidBy(run).includes(token.text.toLowerCase());
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
    if (!["word", "quoted", "list"].includes(token.kind)) throw new Error("a value is missing");
    at += 1;
    const number = token.kind === "word" && token.text !== "" ? Number(token.text) : NaN;
    return { text: token.text, number, isNull: token.kind === "word" && token.text === "null" };
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

function negated(test) {
  return (run) => !test(run);
}

function isMissing(value) {
  return value === undefined || value === null;
}

function comparison(read, sign, wanted) {
  const order = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b }[sign];
  if (order) {
    if (Number.isNaN(wanted.number)) throw new Error(`after ${sign} a number was expected, not '${wanted.text}'`);
    return (run) => typeof read(run) === "number" && order(read(run), wanted.number);
  }
  if (sign === "~") return (run) => !isMissing(read(run)) && isLike(asSet(read(run)), wanted.text);
  if (sign === "!~") return (run) => !isMissing(read(run)) && !isLike(asSet(read(run)), wanted.text);
  if (sign === "!=") return (run) => !isMissing(read(run)) && !isEqual(read(run), wanted);
  return (run) => isEqual(read(run), wanted);
}

function isEqual(value, wanted) {
  if (isMissing(value) || wanted.isNull) return isMissing(value) && wanted.isNull;
  if (typeof value === "number" && !Number.isNaN(wanted.number)) return value === wanted.number;
  return asSet(value).replaceAll(" ", "") === wanted.text.replaceAll(" ", "");
}

/** A part of the text; with `*` or `?` in the pattern, the whole of it. */
function isLike(text, pattern) {
  const [where, what] = [text.toLowerCase(), pattern.toLowerCase()];
  return /[*?]/.test(what) ? matchesPattern(where, what) : where.includes(what);
}

/** Step by step and without going back more than once: no pattern takes long. */
function matchesPattern(text, pattern) {
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
  return /^\**$/.test(pattern.slice(at));
}

// What runs say.

const FIELDS = { name: (run) => run.name, label: (run) => run.label, run: (run) => run.label, state: (run) => run.state };

/** What a key reads of a run: undefined where the run does not have it. */
function readerOf(key) {
  const found = exactReader(key);
  if (found) return found;
  const all = [...metrics.keys(), ...settings.keys(), ...sharedSettings.keys()];
  const ends = all.filter((name) => name.endsWith(`.${key}`));
  if (ends.length === 1) return exactReader(ends[0]);
  if (!ends.length) throw new Error(`no run has a setting or metric '${key}'`);
  throw new Error(`'${key}' could be ${ends.slice(0, 4).join(" or ")}`);
}

function exactReader(key) {
  if (Object.hasOwn(FIELDS, key)) return FIELDS[key];
  if (metrics.has(key)) return (run) => metrics.get(key).of(run) ?? undefined;
  if (settings.has(key)) return settings.get(key).of;
  if (sharedSettings.has(key)) return (run) => (run.state === "unreadable" ? undefined : sharedSettings.get(key));
  return null;
}

const said = new Map();

/** Everything that a row says, in small letters. */
function saidBy(run) {
  if (!said.has(run.index)) {
    const values = [...settings.values()].map((setting) => asSet(setting.of(run)));
    said.set(run.index, [run.label, run.name, run.state, ...(run.reasons ?? []), ...values].join("\n").toLowerCase());
  }
  return said.get(run.index);
}
