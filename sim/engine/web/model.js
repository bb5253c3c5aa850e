// @ts-check
/**
 * Attune's model in a web page: whole courses of therapy, to the byte those of `attune run` (docs/WEB.md).
 *
 * Two files are all that is needed: this one and `model.wasm`, which is written from the same tuples of steps that the other
 * engines walk, and holds its own description. Nothing is computed here: a scenario is read, checked and put into the module's
 * memory, and columns are read from there.
 */

/** @typedef {{[key: string]: any}} Mapping */
/** @typedef {(string | number)[]} Place  Where something stands in a scenario. */
/** @typedef {{name: string, unit: string, labels?: string[]}} Column  `labels`: what its numbers stand for, from 0 on. */
/** @typedef {{arm?: string, client?: number, replicate?: number, still?: boolean, exchanges?: boolean}} Options
 *  Which arm (the first, if not said), the first client's number, the replicate, whether nothing is drawn but people (the mean
 *  field), whether every exchange is kept (of a single course). */
/** @typedef {{kind: string, ends: number[][], early: number[] | null, selected: boolean, distress: number | null}} Person */
/** @typedef {{name: string, client: Person, therapist: Person | null, sessions: number, parameters: {[name: string]: number},
 *  lesions: {[name: string]: number}, cut: {[name: string]: number}, clamp: {[name: string]: number}, off: string[],
 *  force: Mapping[], policies: string[], own: string[], roles: string[]}} Arm
 *  `own`, `roles`: parameters and people that the arm says itself. */
/** @typedef {{arms: Arm[], exchanges: number, follow_up_months: number, clients_per_therapist: number, said: string[]}} Scenario
 *  `said`: parameters that are said for all arms. */
/** @typedef {{clients: {[name: string]: Float64Array}, sessions: {[name: string]: Float64Array},
 *  assessments: {[name: string]: Float64Array}, exchanges: {[name: string]: Float64Array}, n: number,
 *  rows: {sessions: number, assessments: number, exchanges: number}}} Tables
 *  Columns by table and name. `clients` has a number a client; the others have as many `rows` for each client, one client after
 *  the other, NaN where there are fewer. */

/** Something in a scenario that cannot be; `place` says where it stands. */
export class ScenarioError extends Error {
  /**
   * @param {Place} place
   * @param {string} message
   */
  constructor(place, message) {
    const path = place.reduce((/** @type {string} */ said, part) => typeof part === "number" ? `${said}[${part}]`
      : `${said}${said && "."}${part === "" ? "''" : part}`, "");
    super(path ? `${path}: ${message}` : message);
    this.name = "ScenarioError";
    this.place = place;
  }
}

/** The model left its range, or nobody fits what is wanted. */
export class StateError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "StateError";
  }
}

// ------------------------------------------------------------------------------------------------------------ in words

/**
 * A number as Python's `:g` writes it.
 * @param {number} x
 */
function g(x) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  const [digits, exponent] = x.toExponential(5).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 6) {
    const short = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
    return `${short}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  return String(Number(x.toPrecision(6)));
}

/**
 * A number in full, as Python writes it.
 * @param {number} x
 */
function number(x) {
  if (!Number.isFinite(x)) return g(x);
  const size = Math.abs(x);
  if (x === 0 || (size >= 1e-4 && size < 1e16)) return String(x);
  const [digits, exponent] = x.toExponential().split("e");
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/**
 * A value as Python writes it.
 * @param {unknown} value
 * @param {number} [deep]
 * @returns {string}
 */
function written(value, deep = 0) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return number(value);
  if (typeof value === "string") {
    const plain = value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\t", "\\t").replaceAll("\r", "\\r");
    return plain.includes("'") && !plain.includes('"') ? `"${plain}"` : `'${plain.replaceAll("'", "\\'")}'`;
  }
  if (deep > 20) return "...";
  if (Array.isArray(value)) return `[${Array.from(value, (one) => written(one, deep + 1)).join(", ")}]`;
  if (isMapping(value)) return `{${Object.entries(value).map(([key, one]) => `${written(key)}: ${written(one, deep + 1)}`).join(", ")}}`;
  return typeof value === "bigint" ? `${value}n` : `a thing that no file holds (${typeof value})`;
}

/**
 * A value as somebody wrote it, on one line and cut if long.
 * @param {unknown} value
 * @returns {string}
 */
function shown(value) {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "boolean") return value ? "true" : "false";
  const text = [...(isMapping(value) ? "a mapping" : written(value))];
  return text.length <= 50 ? text.join("") : `${text.slice(0, 46).join("")} ...`;
}

/**
 * Whether something is an object as a file could hold it.
 * @param {unknown} value
 * @returns {value is Mapping}
 */
function isMapping(value) {
  if (typeof value !== "object" || value === null) return false;
  const made = Object.getPrototypeOf(value);
  return made === null || made === Object.prototype || Object.getPrototypeOf(made) === null; // the last of another window
}

// ------------------------------------------------------------------------------------------------------ what is said

const ONE_KIND = "a style, population or a mapping with anxiety and avoidance (a list of people needs 'design: crossed')";
const AXIS = "a number from 1 to 7, a range [low, high] or {mean: , sd: }";

/** Reads scenarios: the same rules, and the same words, as `attune check`. */
class Reader {
  /** @param {Mapping} about  what the module says of itself */
  constructor(about) {
    this.about = about;
  }

  /**
   * @param {Place} at
   * @param {unknown} value
   * @param {number} low
   * @param {number} high
   * @param {boolean} [whole]
   */
  number(at, value, low, high, whole = false) {
    const fits = typeof value === "number" && value >= low && value <= high && (!whole || Number.isInteger(value));
    if (!fits) {
      const kind = whole ? "a whole number" : "a number";
      throw new ScenarioError(at, `must be ${kind} between ${whole ? low : g(low)} and ${whole ? high : g(high)}, not ${shown(value)}`);
    }
    return /** @type {number} */ (value);
  }

  /**
   * @param {Place} at
   * @param {unknown} value
   * @param {string[]} known
   * @param {string} kind
   * @param {string} [more]
   */
  oneOf(at, value, known, kind, more = "") {
    if (typeof value !== "string" || !known.includes(value)) {
      throw new ScenarioError(at, `unknown ${kind} ${shown(value)}; valid: ${known.join(", ")}${more}`);
    }
    return value;
  }

  /**
   * The entries of a mapping, none where nothing is said.
   * @param {Place} at
   * @param {unknown} value
   * @param {string} example
   * @returns {[string, unknown][]}
   */
  entries(at, value, example) {
    if (value === null || value === undefined) return [];
    if (!isMapping(value)) throw new ScenarioError(at, `must be a mapping of ${example}, not ${shown(value)}`);
    return Object.entries(value);
  }

  /**
   * The entries of a list, nothing in it twice.
   * @param {Place} at
   * @param {unknown} value
   * @param {string} example
   * @returns {unknown[]}
   */
  list(at, value, example) {
    if (value === null || value === undefined) return [];
    if (!Array.isArray(value)) throw new ScenarioError(at, `must be a list, such as ${example}, not ${shown(value)}`);
    return Array.from(value);
  }

  /**
   * @param {Place} at
   * @param {unknown[]} values
   */
  distinct(at, values) {
    values.forEach((one, k) => {
      if (values.indexOf(one) < k) throw new ScenarioError([...at, k], `${shown(one)} stands twice in the list`);
    });
  }

  /**
   * @param {Place} at
   * @param {unknown} score
   */
  score(at, score) {
    return this.number(at, score, this.about.scores[0], this.about.scores[1]);
  }

  /**
   * One dimension: its two numbers, and whether they are a mean and an SD.
   * @param {Place} at
   * @param {unknown} said
   * @returns {{ends: number[], spread: boolean}}
   */
  axis(at, said) {
    if (typeof said === "number") {
      const score = this.score(at, said);
      return {ends: [score, score], spread: false};
    }
    if (Array.isArray(said)) {
      if (said.length !== 2) throw new ScenarioError(at, `a range has two numbers, [low, high], not ${said.length}`);
      const [low, high] = said.map((one, k) => this.score([...at, k], one));
      if (low > high) throw new ScenarioError(at, `the range is the wrong way round; write [${g(high)}, ${g(low)}]`);
      return {ends: [low, high], spread: false};
    }
    if (isMapping(said)) {
      this.keys(at, said, ["mean", "sd"]);
      this.needed(at, said, ["mean", "sd"]);
      return {ends: [this.score([...at, "mean"], said.mean), this.number([...at, "sd"], said.sd, this.about.spread[0], this.about.spread[1])], spread: true};
    }
    throw new ScenarioError(at, `must be ${AXIS}, not ${shown(said)}`);
  }

  /**
   * @param {Place} at
   * @param {Mapping} said
   * @param {string[]} known
   */
  keys(at, said, known) {
    const odd = Object.keys(said).find((key) => !known.includes(key));
    if (odd === undefined) return;
    if (["selected", "distress"].includes(odd) && known.includes("anxiety")) {
      throw new ScenarioError([...at, odd], "can be said of clients only");
    }
    throw new ScenarioError([...at, odd], `is not a key that can stand here; valid: ${known.join(", ")}`);
  }

  /**
   * @param {Place} at
   * @param {Mapping} said
   * @param {string[]} needed
   */
  needed(at, said, needed) {
    const missing = needed.find((key) => said[key] === undefined);
    if (missing !== undefined) throw new ScenarioError([...at, missing], "is missing; it must be given");
  }

  /**
   * Who takes part; null for nobody.
   * @param {Place} at
   * @param {unknown} said
   * @param {"client" | "therapist"} role
   * @returns {Person | null}
   */
  person(at, said, role) {
    const styles = [...Object.keys(this.about.styles), "population"], any = role === "therapist" ? [...styles, "none"] : styles;
    if (typeof said === "string") {
      this.oneOf(at, said, any, "style");
      return said === "none" ? null : this.ofStyle(said, role);
    }
    if (said === null && role === "therapist") return null;
    if (!isMapping(said)) throw new ScenarioError(at, `must be ${ONE_KIND}, not ${shown(said)}`);
    this.keys(at, said, ["style", "anxiety", "avoidance", "early", ...(role === "client" ? ["selected", "distress"] : [])]);
    const instead = role === "therapist" ? "; for no therapy write 'therapist: none' in place of the description" : "";
    const style = said.style === undefined ? "population" : this.oneOf([...at, "style"], said.style, styles, "style", instead);
    const axes = ["anxiety", "avoidance"].filter((name) => said[name] !== undefined && said[name] !== null);
    const read = axes.map((name) => this.axis([...at, name], said[name]));
    const person = this.ofStyle(style, role);
    if (said.early !== undefined && said.early !== null) person.early = this.early([...at, "early"], said.early);
    if (said.selected !== undefined) {
      if (typeof said.selected !== "boolean") throw new ScenarioError([...at, "selected"], `must be true or false, not ${shown(said.selected)}`);
      person.selected = said.selected;
    }
    if (said.distress !== undefined && said.distress !== null) {
      person.distress = this.number([...at, "distress"], said.distress, this.about.distress[0], this.about.distress[1]);
    }
    if (!Object.keys(said).length) throw new ScenarioError(at, "describes nobody; say a style, or anxiety and avoidance");
    if (axes.length && said.style !== undefined) {
      throw new ScenarioError([...at, axes[0]], "cannot be given together with 'style'; say one or the other");
    }
    if (axes.length === 1) {
      const missing = axes[0] === "anxiety" ? "avoidance" : "anxiety";
      throw new ScenarioError(at, `'${axes[0]}' is given but '${missing}' is not; add it (a number, [low, high] or {mean: , sd: })`);
    }
    if (axes.length) {
      if (read[0].spread !== read[1].spread) {
        throw new ScenarioError([...at, read[0].spread ? "avoidance" : "anxiety"],
          "must be {mean: , sd: } as the other dimension is; a spread goes with a spread");
      }
      const one = read.every(({ends}) => ends[0] === ends[1]);
      Object.assign(person, {kind: read[0].spread ? "normal" : one ? "point" : "box", ends: read.map(({ends}) => ends)});
    }
    return person;
  }

  /**
   * @param {Place} at
   * @param {unknown} said
   * @returns {number[]}
   */
  early(at, said) {
    if (typeof said === "string") return this.about.styles[this.oneOf(at, said, Object.keys(this.about.styles), "style")][2];
    if (!isMapping(said)) throw new ScenarioError(at, `must be a style or {anxiety: 1-7, avoidance: 1-7}, not ${shown(said)}`);
    this.keys(at, said, ["anxiety", "avoidance"]);
    this.needed(at, said, ["anxiety", "avoidance"]);
    return ["anxiety", "avoidance"].map((name) => this.score([...at, name], said[name]));
  }

  /**
   * @param {string} style
   * @param {"client" | "therapist"} role
   * @returns {Person}
   */
  ofStyle(style, role) {
    const selected = role === "client", common = {early: null, selected, distress: null};
    if (style === "population") return {kind: "population", ends: [this.about.scores, this.about.scores], ...common};
    const [anxiety, avoidance] = this.about.styles[style];
    return {kind: "box", ends: [anxiety, avoidance], ...common};
  }

  /**
   * @param {Place} at
   * @param {unknown} said
   * @param {boolean} ofArm
   * @returns {{[name: string]: number}}
   */
  parameters(at, said, ofArm) {
    const example = `parameter names to numbers, such as trust_rate: 0.2${ofArm && typeof said !== "string" ? "" : ", or 'ensemble'"}`;
    if (said === "ensemble" && !ofArm) throw new ScenarioError(at, "many parameter sets are run by attune, not here");
    if (said === "ensemble") return this.parameters(at, {ensemble: 1}, ofArm);
    /** @type {{[name: string]: number}} */
    const found = {};
    for (const [name, value] of this.entries(at, said, example)) {
      const one = Object.hasOwn(this.about.parameters, name) ? this.about.parameters[name] : null, here = [...at, name];
      if (name === "ensemble") {
        throw new ScenarioError(here, ofArm ? "the ensemble belongs to the whole scenario, not to one arm; say 'parameters: "
          + "ensemble' there, and here the parameters that differ in this arm" : "many parameter sets are run by attune, not here");
      }
      if (one === null) throw new ScenarioError(here, `unknown parameter '${name}'`);
      if (typeof value !== "number") throw new ScenarioError(here, `parameter '${name}' must be a number, not ${written(value)}`);
      const [, low, high, unit] = one;
      if (!(value >= low && value <= high)) {
        throw new ScenarioError(here, `parameter '${name}' is ${number(value)}; it must lie between ${g(low)} and ${g(high)} (${unit})`);
      }
      found[name] = value;
    }
    return found;
  }

  /**
   * A value that somebody sets.
   * @param {Place} at
   * @param {unknown} value
   * @param {number} low
   * @param {number} high
   * @param {boolean} whole
   */
  settable(at, value, low, high, whole) {
    if (typeof value !== "number" || !(value >= low && value <= high) || (whole && !Number.isInteger(value))) {
      throw new ScenarioError(at, `must be a ${whole ? "whole " : ""}number from ${g(low)} to ${g(high)}, not ${[...written(value)].slice(0, 50).join("")}`);
    }
    return value;
  }

  /**
   * What is done to the model, in a whole scenario or in one arm.
   * @param {Place} at
   * @param {Mapping} said
   */
  doing(at, said) {
    const {about} = this;
    /** @type {{[name: string]: number}} */
    const lesions = {}, /** @type {{[name: string]: number}} */ cut = {}, /** @type {{[name: string]: number}} */ clamp = {};
    for (const [name, value] of this.entries([...at, "lesions"], said.lesions, "regions to strengths, such as client.vlpfc: 0")) {
      const here = [...at, "lesions", name];
      if (!Object.hasOwn(about.regions, name)) throw new ScenarioError(here, "unknown region");
      lesions[name] = this.number(here, value, 0, 1);
    }
    const off = this.list([...at, "switch_off"], said.switch_off, "[client.anxiety_learned]");
    off.forEach((name, k) => {
      const here = [...at, "switch_off", k];
      if (typeof name !== "string") throw new ScenarioError(here, `must be the name of a step or verb, not ${shown(name)}`);
      if (name === "leave") throw new ScenarioError(here, `the verb 'leave' cannot be switched off; of the verbs ${about.verbs.join(", ")} can`);
      if (!about.switches.includes(name)) throw new ScenarioError(here, `there is no step or verb '${name}'`);
    });
    this.distinct([...at, "switch_off"], off);
    const seen = "links to what is seen in their place, such as therapist.response.warmth: typical";
    for (const [link, value] of this.entries([...at, "cut"], said.cut, seen)) {
      const here = [...at, "cut", link];
      if (!Object.hasOwn(about.links, link)) throw new ScenarioError(here, `there is no link '${link}'`);
      const [low, high, whole, typical, quantity] = about.links[link];
      if (value === "typical" && typical === null) {
        throw new ScenarioError(here, `no parameter of the model says what is typical of ${quantity}; give the value that is to be `
          + `seen in its place, from ${g(low)} to ${g(high)}`);
      }
      cut[link] = value === "typical" ? typical : this.settable(here, value, low, high, whole);
    }
    const held = "what is clamped to what is added to its baseline course, such as attachment: 0";
    for (const [name, value] of this.entries([...at, "clamp"], said.clamp, held)) {
      const here = [...at, "clamp", name];
      if (!Object.hasOwn(about.held, name)) {
        throw new ScenarioError(here, `there is no corner or quantity '${name}'`);
      }
      const [most, whole] = about.held[name];
      if (typeof value !== "number" || !(value >= -most && value <= most) || (whole && !Number.isInteger(value))) {
        throw new ScenarioError(here, `must be a ${whole ? "whole " : ""}number between ${g(-most)} and ${g(most)}, not ${shown(value)}`);
      }
      clamp[name] = value;
    }
    const twice = this.overlap(Object.keys(clamp));
    if (twice) throw new ScenarioError([...at, "clamp", twice[1]], `clamps a quantity that '${twice[0]}' clamps already; clamp one of them`);
    const force = this.list([...at, "force"], said.force, "[{exchange: 5, session: 3, value: 0.2}]")
      .map((one, k) => this.forced([...at, "force", k], one));
    force.forEach((one, k) => {
      const before = force.findIndex((other) => ["quantity", "session", "exchange"].every((key) => other[key] === one[key]));
      if (before < k) {
        throw new ScenarioError([...at, "force", k],
          `forces ${one.quantity} a second time at the same session and exchange; keep one of the two`);
      }
    });
    const policies = this.list([...at, "policies"], said.policies, `[${Object.keys(about.policies)[0]}]`);
    policies.forEach((name, k) => this.oneOf([...at, "policies", k], name, Object.keys(about.policies), "policy"));
    this.distinct([...at, "policies"], policies);
    return {lesions, cut, clamp, force, off: /** @type {string[]} */ (off), policies: /** @type {string[]} */ (policies)};
  }

  /**
   * The first two of these that clamp the same quantity.
   * @param {string[]} names
   * @returns {string[] | null}
   */
  overlap(names) {
    /** @type {{[quantity: string]: string}} */
    const owner = {};
    for (const name of names) {
      for (const quantity of Object.keys(this.about.held[name][2] ?? {[name]: 1})) {
        if (Object.hasOwn(owner, quantity)) return [owner[quantity], name];
        owner[quantity] = name;
      }
    }
    return null;
  }

  /**
   * @param {Place} at
   * @param {unknown} said
   * @returns {Mapping}
   */
  forced(at, said) {
    if (!isMapping(said)) {
      throw new ScenarioError(at, `must be a mapping with value, and session, exchange or quantity, not ${shown(said)}`);
    }
    this.keys(at, said, ["value", "quantity", "session", "exchange"]);
    this.needed(at, said, ["value"]);
    if (typeof said.value !== "number") throw new ScenarioError([...at, "value"], `must be a number, not ${shown(said.value)}`);
    const quantity = said.quantity === undefined ? "therapist_response" : said.quantity;
    if (typeof quantity !== "string") throw new ScenarioError([...at, "quantity"], `must be the name of a quantity, not ${shown(quantity)}`);
    if (!Object.hasOwn(this.about.forced, quantity)) throw new ScenarioError([...at, "quantity"], `there is no quantity '${quantity}'`);
    const when = ["session", "exchange"].map((key) => said[key] === undefined || said[key] === null ? 0
      : this.number([...at, key], said[key], 1, this.about.keys[`${key}s`][1], true));
    const [low, high, whole] = this.about.forced[quantity];
    return {quantity, session: when[0], exchange: when[1], value: this.settable([...at, "value"], said.value, low, high, whole)};
  }

  /**
   * Nothing is forced where there is no session or exchange.
   * @param {Place} at
   * @param {Mapping[]} force
   * @param {number} sessions
   * @param {number} exchanges
   */
  within(at, force, sessions, exchanges) {
    force.forEach((one, k) => {
      for (const [key, last] of /** @type {[string, number][]} */ ([["session", sessions], ["exchange", exchanges]])) {
        if (one[key] > last) throw new ScenarioError([...at, "force", k, key], `there is no ${key} ${one[key]}; the last is ${last}`);
      }
    });
  }

  /**
   * Nothing is said of a clinic.
   * @param {Place} at
   * @param {unknown} said
   */
  noClinic(at, said) {
    if (said === undefined) return;
    if (said !== null && !isMapping(said)) throw new ScenarioError(at, `must be a mapping ('name: value' lines), not ${shown(said)}`);
    throw new ScenarioError(at, "belongs to 'design: clinic'; this one is 'arms'");
  }

  /**
   * A whole scenario.
   * @param {unknown} said
   * @returns {Scenario}
   */
  scenario(said) {
    const {about} = this;
    if (!isMapping(said)) throw new ScenarioError([], `must be a mapping with the keys of a scenario file, not ${shown(said)}`);
    const odd = Object.keys(said).find((key) => !about.of_scenario.includes(key) && key !== "extends");
    if (odd !== undefined) {
      const group = about.of_clinic.includes(odd) ? "clinic" : Object.hasOwn(about.parameters, odd) ? "parameters" : "";
      throw new ScenarioError([odd], group ? `${group === "clinic" ? "is" : "is a parameter and is"} said under '${group}:', as in `
        + `${group}: {${odd}: ...}` : "is not a key of a scenario");
    }
    if (said.design !== undefined && said.design !== "arms") {
      const known = said.design === "crossed" || said.design === "clinic";
      throw new ScenarioError(["design"], known ? "is run by attune, not here" : `must be 'arms', 'crossed' or 'clinic', not ${shown(said.design)}`);
    }
    this.noClinic(["clinic"], said.clinic);
    for (const key of ["batch", "extends"]) {
      if (said[key] !== undefined) throw new ScenarioError([key], "is run by attune, not here");
    }
    for (const key of ["question", "title"]) {
      if (said[key] !== undefined && (typeof said[key] !== "string" || (key === "question" && !said[key].trim()))) {
        const quotes = ["number", "boolean"].includes(typeof said[key]) ? "; put it in quotes" : "";
        throw new ScenarioError([key], typeof said[key] === "string" ? "must not be empty" : `must be text, not ${shown(said[key])}${quotes}`);
      }
    }
    const [caseload, sessions, exchanges, months] = ["clients_per_therapist", "sessions", "exchanges", "follow_up_months", "replicates",
      "clients_per_arm"].map((key) => said[key] === undefined ? about.keys[key][2] : this.number([key], said[key], about.keys[key][0], about.keys[key][1], true));
    const usual = this.doing([], said), parameters = this.parameters(["parameters"], said.parameters, false);
    const client = said.client === undefined ? this.ofStyle("population", "client") : this.person(["client"], said.client, "client");
    const therapist = said.therapist === undefined ? this.ofStyle("population", "therapist")
      : this.person(["therapist"], said.therapist, "therapist");
    if (said.arms !== undefined && said.arms !== null && !isMapping(said.arms)) {
      throw new ScenarioError(["arms"], `must be a mapping ('name: value' lines), not ${shown(said.arms)}`);
    }
    const named = Object.entries(said.arms ?? {});
    const arms = /** @type {[string, any][]} */ (named.length ? named : [["all", {}]]);
    const meant = arms.filter(([, arm]) => !isMapping(arm) || arm.force === undefined)
      .map(([, arm]) => isMapping(arm) && Number.isInteger(arm.sessions) ? arm.sessions : sessions);
    if (meant.length) this.within([], usual.force, Math.max(...meant), exchanges);
    const found = arms.map(([name, arm]) => this.arm(name, arm ?? {}, {usual, parameters, client, therapist, sessions, exchanges}));
    return {arms: found, exchanges, follow_up_months: months, clients_per_therapist: caseload, said: Object.keys(parameters)};
  }

  /**
   * One arm, which takes from the scenario what it does not say itself.
   * @param {string} name
   * @param {unknown} arm
   * @param {Mapping} all
   * @returns {Arm}
   */
  arm(name, arm, all) {
    const {about} = this, at = ["arms", name], {usual} = all;
    if (!name || [...name].length > 60 || name.includes("/") || /[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
      throw new ScenarioError(at, "an arm's name must have 1 to 60 characters, all of them printable, and no '/'");
    }
    if (!isMapping(arm)) throw new ScenarioError(at, `must be a mapping ('name: value' lines), not ${shown(arm)}`);
    const odd = Object.keys(arm).find((key) => !about.of_arm.includes(key));
    if (odd !== undefined && about.of_scenario.includes(odd)) {
      throw new ScenarioError([...at, odd], `belongs to the whole scenario, not to one arm; an arm may say ${about.of_arm.join(", ")}`);
    }
    if (odd !== undefined) throw new ScenarioError([...at, odd], "is not a key that can stand here");
    this.noClinic([...at, "clinic"], arm.clinic);
    const own = this.doing(at, arm), parameters = this.parameters([...at, "parameters"], arm.parameters, true);
    const says = (/** @type {string} */ key) => arm[key] !== undefined;
    const [low, high] = about.keys.sessions;
    const sessions = arm.sessions === undefined || arm.sessions === null ? all.sessions
      : this.number([...at, "sessions"], arm.sessions, low, high, true);
    const clamp = {...usual.clamp, ...own.clamp}, twice = this.overlap(Object.keys(clamp));
    if (twice) {
      const [mine, other] = Object.hasOwn(own.clamp, twice[0]) ? twice : [twice[1], twice[0]];
      throw new ScenarioError([...at, "clamp", mine], `clamps a quantity that '${other}' of the whole scenario clamps already; clamp one of them`);
    }
    const force = says("force") ? own.force : usual.force, policies = says("policies") ? own.policies : usual.policies;
    if (says("force")) this.within(at, force, sessions, all.exchanges);
    const set = (/** @type {string[]} */ names) => Object.assign({}, ...names.map((one) => about.policies[one][0]));
    const of = says("policies") ? all.parameters : {...set(usual.policies), ...all.parameters};
    return {
      name, sessions, clamp, force, policies, own: Object.keys(parameters), roles: ROLES.filter(says),
      client: /** @type {Person} */ (says("client") ? this.person([...at, "client"], arm.client, "client") : all.client),
      therapist: says("therapist") ? this.person([...at, "therapist"], arm.therapist, "therapist") : all.therapist,
      parameters: {...of, ...set(own.policies), ...parameters},
      lesions: {...usual.lesions, ...own.lesions}, cut: {...usual.cut, ...own.cut}, off: says("switch_off") ? own.off : usual.off,
    };
  }
}

// ----------------------------------------------------------------------------------------------------------- the module

const TABLES = /** @type {const} */ (["clients", "sessions", "assessments", "exchanges"]);
const ROLES = /** @type {const} */ (["client", "therapist"]);

/**
 * Options, if they are some that there are.
 * @param {unknown} options
 * @param {string[]} known
 * @returns {Options}
 */
function checkedOptions(options, known) {
  if (!isMapping(options)) throw new TypeError(`options are an object, such as {arm: "a"}, not ${shown(options)}`);
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) throw new TypeError(`there is no option '${name}'; known: ${known.join(", ")}`);
    const kind = name === "arm" ? "string" : name === "still" || name === "exchanges" ? "boolean" : "";
    if (value === null || (kind && value !== undefined && typeof value !== kind)) {
      throw new TypeError(`the option ${name} is a ${kind || "whole number"}, not ${shown(value)}`);
    }
  }
  return options;
}

/**
 * A whole number from 0 up, as part of the address of random numbers.
 * @param {string} what
 * @param {unknown} value
 * @returns {bigint}
 */
function whole(what, value) {
  if (typeof value === "bigint" ? value >= 0n && value < 2n ** 63n : Number.isSafeInteger(value) && Number(value) >= 0) {
    return BigInt(/** @type {number} */ (value));
  }
  throw new RangeError(`the ${what} must be a whole number from 0 to 2^63 - 1 (a BigInt from 2^53 on), not ${shown(value)}`);
}

/** The model, ready to run. */
export class Model {
  /**
   * @param {WebAssembly.Instance} instance
   * @param {Mapping} about
   */
  constructor(instance, about) {
    this.about = about;
    /** @type {{[name: string]: number}} Where what an experimenter does stands. */
    this.where = {...about.experiment};
    const kinds = {cut: Object.keys(about.links), held: about.dyad.map((/** @type {string[]} */ one) => one[0]), off: about.switches,
      place: about.writes.keys(), shift: about.writes.keys(), forced: about.writes.keys()};
    for (const [kind, names] of Object.entries(kinds)) [...names].forEach((name, k) => { this.where[`${kind} ${name}`] = about.experiment[kind] + k; });
    this.reader = new Reader(about);
    this.run = /** @type {Mapping} */ (instance.exports);
    this.memory = /** @type {WebAssembly.Memory} */ (instance.exports.memory);
  }

  /**
   * Columns of a table, each with its unit.
   * @param {"clients" | "sessions" | "assessments" | "exchanges"} table
   * @returns {Column[]}
   */
  columns(table) {
    if (!TABLES.includes(table)) throw new RangeError(`there is no table ${shown(table)}; known: ${TABLES.join(", ")}`);
    return this.about.tables[table].map((/** @type {Column} */ one) => ({...one}));
  }

  /**
   * Check a scenario (the keys of a scenario file): the names of its arms. Throws `ScenarioError`.
   * @param {unknown} spec
   * @returns {string[]}
   */
  check(spec) {
    const scenario = this.#checked(spec);
    for (const arm of scenario.arms) {
      this.#put(scenario, arm, 1n, 0n, false);
      this.run.prepare();
      ROLES.forEach((role, k) => {
        if (arm[role] === null || !this.run.nobody(BigInt(k), 20n)) return;
        const wanted = this.#column(`WANTED_${role}`);
        throw new ScenarioError(arm.roles.includes(role) ? ["arms", arm.name, role] : [role], this.#nobody(role, wanted));
      });
    }
    return scenario.arms.map((arm) => arm.name);
  }

  /**
   * One client's course.
   * @param {unknown} spec  as a scenario file says it
   * @param {number | bigint} seed
   * @param {Options} [options]
   * @returns {Tables}
   */
  course(spec, seed, options = {}) {
    return this.#tables(spec, seed, 1, checkedOptions(options, ["arm", "client", "replicate", "still", "exchanges"]));
  }

  /**
   * The courses of `n` clients.
   * @param {unknown} spec
   * @param {number | bigint} seed
   * @param {number} n
   * @param {Options} [options]
   * @returns {Tables}
   */
  many(spec, seed, n, options = {}) {
    if (typeof n !== "number" || !Number.isInteger(n) || n < 1 || n > 1000000) {
      throw new RangeError(`n must be a whole number from 1 to 1000000, not ${shown(n)}`);
    }
    return this.#tables(spec, seed, n, checkedOptions(options, ["arm", "client", "replicate", "still"]));
  }

  /**
   * The noise-free course of a pair (the mean field), every exchange kept: people are drawn on the seed as ever, in what the
   * scenario does not state; from then on every random number stands at its mean.
   * @param {unknown} spec
   * @param {number | bigint} [seed]
   * @param {Options} [options]
   * @returns {Tables}
   */
  portrait(spec, seed = 1, options = {}) {
    const known = ["arm", "client", "replicate", "exchanges"];
    return this.#tables(spec, seed, 1, checkedOptions({exchanges: true, ...checkedOptions(options, known)}, known), true);
  }

  /**
   * A scenario that was read, and whose populations there can be.
   * @param {unknown} spec
   * @returns {Scenario}
   */
  #checked(spec) {
    const scenario = this.reader.scenario(spec), {about} = this;
    for (const arm of scenario.arms) {
      for (const role of ROLES) {
        if (arm[role] === null || arm[role]?.kind === "normal") continue;
        for (const axis of ["anxiety", "avoidance"]) {
          const names = [`${role}_${axis}_sd`, `${role}_${axis}_mean`];
          const [sd, mean] = names.map((name) => arm.parameters[name] ?? about.parameters[name][0]);
          if (this.run.concentration(mean, sd) > 0) continue;
          const most = this.run.widest_sd(mean), own = names.find((name) => arm.own.includes(name));
          const said = names.find((name) => scenario.said.includes(name));
          const place = own ? ["arms", arm.name, "parameters", own] : said ? ["parameters", said] : ["policies"];
          throw new ScenarioError(place, `no distribution on 1-7 has mean ${g(mean)} and SD ${g(sd)} (${role} ${axis}); `
            + (most > 0 ? `the SD must be smaller, ${g(most)} at most` : "the mean must lie between 1 and 7"));
        }
      }
    }
    return scenario;
  }

  /**
   * @param {string} name
   * @returns {Float64Array}
   */
  #column(name) {
    const [address, n] = this.about.memory[name];
    return new Float64Array(this.memory.buffer, address, n);
  }

  /**
   * @param {unknown} spec
   * @param {number | bigint} seed
   * @param {number} n
   * @param {Options} options
   * @param {boolean} [still]
   * @returns {Tables}
   */
  #tables(spec, seed, n, options, still = Boolean(options.still)) {
    const scenario = this.#checked(spec), {about} = this;
    const arm = options.arm === undefined ? scenario.arms[0] : scenario.arms.find((one) => one.name === options.arm);
    if (!arm) throw new ScenarioError(["arms"], `no arm '${options.arm}'; arms are: ${scenario.arms.map((one) => one.name).join(", ")}`);
    const first = options.client ?? 0, replicate = options.replicate ?? 0;
    const [begin, again, at] = Object.entries({client: first, replicate, seed}).map(([what, value]) => whole(what, value));
    if (begin + BigInt(n) > 2n ** 63n) throw new RangeError(`clients are numbered up to 2^63 - 1, and ${n} from ${first} on are more`);
    const forced = this.#put(scenario, arm, at, again, still);
    this.run.prepare();
    const settings = this.#column("S"), place = (/** @type {string} */ name) => about.settings.indexOf(name);
    const followed = options.exchanges && arm.therapist !== null;
    settings[place("followed")] = followed ? 1 : 0;
    const rows = {
      sessions: arm.sessions, assessments: Math.floor(settings[place("weeks")] / about.weeks_per_month) + 1,
      exchanges: followed ? arm.sessions * scenario.exchanges : 0,
    };
    const lengths = {clients: n, sessions: n * rows.sessions, assessments: n * rows.assessments, exchanges: rows.exchanges};
    const starts = [about.free], laid = this.#column("X0")[this.where.n_forced] * rows.sessions * scenario.exchanges;
    for (const size of [forced.length, laid, ...TABLES.map((table) => lengths[table] * about.tables[table].length)]) {
      starts.push(starts[starts.length - 1] + 8 * size);
    }
    this.#roomUpTo(starts[starts.length - 1], n);
    new Float64Array(this.memory.buffer, about.free, forced.length).set(forced);
    this.run.lay_out(starts[0], BigInt(forced.length / 4), starts[1]);
    new Float64Array(this.memory.buffer, starts[2], (starts[starts.length - 1] - starts[2]) / 8).fill(NaN);
    const failed = Number(this.run.many(begin, BigInt(n), ...starts.slice(2, -1), starts[1]));
    if (failed >= 0) this.#failed(begin + BigInt(failed));
    const read = (/** @type {number} */ k) => Object.fromEntries(about.tables[TABLES[k]].map((/** @type {Column} */ one, /** @type {number} */ j) =>
      [one.name, new Float64Array(this.memory.buffer, starts[k + 2] + 8 * lengths[TABLES[k]] * j, lengths[TABLES[k]]).slice()]));
    return {clients: read(0), sessions: read(1), assessments: read(2), exchanges: read(3), n, rows};
  }

  /**
   * Memory up to an address.
   * @param {number} end
   * @param {number} n
   */
  #roomUpTo(end, n) {
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / 65536), most = 2 ** 32;
    try {
      if (missing > 0) this.memory.grow(missing);
    } catch {
      const fits = Math.floor(n * ((Math.min(most, end) - this.about.free) / (end - this.about.free)));
      throw new RangeError(`${n} clients need ${(end / 2 ** 20).toFixed(0)} MB at once, more than there are; ask for fewer`
        + `${end > most ? `, ${fits} at most` : ""}, one part after the other (option client)`);
    }
  }

  /**
   * Put an arm into the module's memory.
   * @param {Scenario} scenario
   * @param {Arm} arm
   * @param {bigint} seed
   * @param {bigint} replicate
   * @param {boolean} still
   * @returns {Float64Array}  what is forced: rows of place, session, exchange and value
   */
  #put(scenario, arm, seed, replicate, still) {
    const {about} = this, x = this.#column("X0"), {where} = this, numbers = Object.keys(about.parameters);
    new BigUint64Array(this.memory.buffer, about.memory.ADDRESS[0], 2).set([seed, replicate]);
    const p = this.#column("P0").fill(1);
    numbers.forEach((name, k) => { p[k] = arm.parameters[name] ?? about.parameters[name][0]; });
    p[p.length - 1] = still ? 1 : 0;
    for (const [name, strength] of Object.entries(arm.lesions)) {
      for (const region of about.regions[name]) this.run.weaken(BigInt(region), strength);
    }
    for (const role of ROLES) {
      const who = arm[role];
      if (who === null) continue;
      const normal = who.kind === "normal", chosen = role === "client" && who.selected && who.distress === null;
      const ends = normal ? [about.scores, about.scores] : who.ends;
      const together = normal ? 0 : p[numbers.indexOf("anxiety_avoidance_r")];
      this.#column(`WANTED_${role}`).set([...ends[0], ...ends[1], together, who.distress ?? NaN, chosen ? 0 : 1]);
      this.#column(`EARLY_${role}`).set(who.early ?? [NaN, NaN]);
      const usual = ["anxiety_mean", "anxiety_sd", "avoidance_mean", "avoidance_sd"].map((of) => p[numbers.indexOf(`${role}_${of}`)]);
      this.#column(`SPREAD_${role}`).set([normal ? 1 : 0, ...(normal ? [...who.ends[0], ...who.ends[1]] : usual)]);
    }
    x.fill(NaN);
    about.writes.forEach((/** @type {string} */ _, /** @type {number} */ k) => {
      x[where[`place ${k}`]] = x[where[`forced ${k}`]] = -1;
      x[where[`shift ${k}`]] = 0;
    });
    for (const name of ["recording", "holding", "n_held", "n_forced"]) x[where[name]] = 0;
    for (const [link, value] of Object.entries(arm.cut)) x[where[`cut ${link}`]] = value;
    for (const name of arm.off) x[where[`off ${name}`]] = about.verbs.includes(name) ? 0 : 1;
    const held = this.#held(arm, x);
    const writes = [...about.writes.keys()].filter((k) => arm.force.some((one) => one.quantity === about.writes[k]));
    writes.forEach((k, place) => { x[where[`forced ${k}`]] = place; });
    const all = arm.force.flatMap((one) => writes.flatMap((k, place) =>
      about.writes[k] === one.quantity ? [[place, one.session, one.exchange, one.value]] : []));
    x[where.n_forced] = writes.length;
    const added = arm.policies.flatMap((name) => Object.entries(about.policies[name][1]).map(([column, amount]) =>
      [about.person.findIndex((/** @type {unknown[]} */ one) => one[0] === column), Number(amount)]));
    this.#column("ADDED").set(added.flat());
    /** @type {{[name: string]: number}} */
    const settings = {
      sessions: arm.sessions, follow_up_months: scenario.follow_up_months, weeks: 0, exchanges: scenario.exchanges,
      therapy: arm.therapist === null ? 0 : 1, caseload: scenario.clients_per_therapist, n_added: added.length, followed: 0,
      experiment: arm.off.length || Object.keys(arm.cut).length || held || all.length ? 1 : 0,
    };
    this.#column("S").set(about.settings.map((/** @type {string} */ name) => settings[name]));
    return Float64Array.from(all.flat());
  }

  /**
   * What is held at its course in the baseline; whether anything is.
   * @param {Arm} arm
   * @param {Float64Array} x
   */
  #held(arm, x) {
    const {about, where} = this;
    const moves = Object.entries(arm.clamp).flatMap(([name, amount]) => Object.entries(about.held[name][2] ?? {[name]: 1})
      .map(([quantity, per]) => /** @type {[string, number, number]} */ ([quantity, Number(per), amount])));
    let n = 0;
    about.writes.forEach((/** @type {string} */ quantity, /** @type {number} */ k) => {
      const mine = moves.filter((one) => one[0] === quantity);
      if (!mine.length) return;
      x[where[`place ${k}`]] = n++;
      for (const [, per, amount] of mine) this.run.push(BigInt(where[`shift ${k}`]), per, amount);
    });
    for (const [quantity, per, amount] of moves) {
      const place = where[`held ${quantity}`];
      if (place === undefined) continue;
      if (Number.isNaN(x[place])) x[place] = 0;
      this.run.push(BigInt(place), per, amount);
    }
    x[where.holding] = moves.length ? 1 : 0;
    x[where.n_held] = n;
    return moves.length > 0;
  }

  /**
   * @param {string} role
   * @param {Float64Array} wanted
   * @returns {string}
   */
  #nobody(role, wanted) {
    return `no ${role} in ${this.about.attempts} candidates fits anxiety ${g(wanted[0])}-${g(wanted[1])}, `
      + `avoidance ${g(wanted[2])}-${g(wanted[3])}: widen the region or give a point`;
  }

  /**
   * Say what went wrong.
   * @param {bigint} client
   * @returns {never}
   */
  #failed(client) {
    const {about} = this, [what, week, which] = this.#column("ERROR"), value = number(this.#column("ERROR")[3]);
    const error = about.errors[what - 1], infinite = (/** @type {number | null} */ end, /** @type {string} */ sign) => end === null ? `${sign}inf` : g(end);
    if (error === "nobody") {
      throw new StateError(this.#nobody(ROLES[which], this.#column(`WANTED_${ROLES[which]}`)));
    }
    if (error === "no_rating") throw new StateError(`week ${week}: the rating ${about.ratings[which]} is not a number for some dyads`);
    const [name, low, high, unit] = (error === "of_the_two" ? about.dyad : about.person)[which];
    const ends = `${infinite(low, "-")}..${infinite(high, "")} (${unit})`;
    if (error === "of_the_two") throw new StateError(`week ${week}, dyad ${client}: ${name} is ${value}, outside ${ends}`);
    const role = error === "of_client" ? "client" : "therapist";
    throw new StateError(`week ${week}, ${role} row ${client}: ${name} is ${value}; it must lie in ${ends}`);
  }
}

/**
 * @param {string | URL} source
 * @returns {Promise<Response>}
 */
async function fetched(source) {
  try {
    return await fetch(source);
  } catch (error) {
    throw new Error(`${source} cannot be fetched (${error instanceof Error ? error.message : error}); where nothing can be, as in `
      + "node or in a page opened by a double click, give load() the bytes of model.wasm");
  }
}

/**
 * Load the model.
 * @param {string | URL | Response | ArrayBuffer | Uint8Array} [source]  where `model.wasm` is, or its bytes; beside this file,
 *   if not said
 * @returns {Promise<Model>}
 */
export async function load(source = new URL("model.wasm", import.meta.url)) {
  const found = typeof source === "string" || source instanceof URL ? await fetched(source) : source;
  if (found instanceof Response && !found.ok) throw new Error(`${found.url}: ${found.status} ${found.statusText}`);
  const bytes = found instanceof Response ? await found.arrayBuffer() : found;
  const view = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : /** @type {unknown} */ (bytes) instanceof ArrayBuffer ? new Uint8Array(bytes) : null;
  if (!view) throw new TypeError("load() takes the address of model.wasm, its bytes, or the answer of a request for it");
  if (String.fromCharCode(...view.slice(0, 4)) !== "\0asm") throw new TypeError("these are not the bytes of model.wasm");
  const module = await WebAssembly.compile(view);
  const [said] = WebAssembly.Module.customSections(module, "attune");
  if (!said) throw new TypeError("this WebAssembly module is not Attune's model.wasm");
  return new Model(await WebAssembly.instantiate(module), JSON.parse(new TextDecoder().decode(said)));
}
