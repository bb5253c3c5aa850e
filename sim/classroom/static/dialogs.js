// What opens over the page: help, researcher's tab, downloads, notes, the chair and the map of pairings.

import { given, words, filled, number } from "./given.js";
import { state, asQuery, address } from "./state.js";
import { INK, heat, tag } from "./draw.js";
import { askModel, askScenario, askMap, askChair } from "./ask.js";
import { guarded } from "./message.js";

const dialog = document.getElementById("dialog"), body = document.getElementById("dialog-body");
document.getElementById("dialog-close").addEventListener("click", () => dialog.close());

/** Open the dialog with a title and content. */
export function open(title, ...content) {
  document.getElementById("dialog-title").textContent = title;
  body.replaceChildren(...content);
  if (!dialog.open) dialog.showModal();
  body.scrollTop = 0;
}

/** A button; what it does may be refused. */
function act(text, run, properties = {}) {
  const made = tag("button", { type: "button", ...properties }, text);
  made.addEventListener("click", () => guarded(run));
  return made;
}

function table(head, rows, properties = {}) {
  return tag("table", properties, tag("thead", {}, tag("tr", {}, ...head.map((cell) => tag("th", { scope: "col" }, cell)))),
    tag("tbody", {}, ...rows.map((row) => tag("tr", {}, ...row.map((cell) => (cell instanceof Node && cell.nodeName === "TH" ? cell : tag("td", {}, cell)))))));
}

/** Tabs of the help. */
export async function openHelp(tab = "info") {
  const names = Object.keys(words.help.tabs).filter((name) => name !== "model" || !given.handout);
  const place = tag("div", { className: "help", tabIndex: 0 });
  const bar = tag("div", { className: "choice" }, ...names.map((name) => act(words.help.tabs[name], () => openHelp(name), { ariaPressed: String(name === tab) })));
  if (tab === "info") place.append(...words.help.info.flatMap(([head, text]) => [tag("h3", {}, head), tag("p", {}, text)]));
  if (tab === "limits") place.append(tag("ul", {}, ...words.help.limits.map((text) => tag("li", {}, text))));
  if (tab === "keys") place.append(table(["", ""], words.help.keys.map(([key, text]) => [tag("kbd", {}, key), text])));
  open(words.page.help_label, bar, place);
  if (tab === "model") await fillModel(place);
}

async function fillModel(place) {
  place.append(tag("p", {}, words.help.model.more), tag("p", {}, words.page.loading));
  const model = await askModel();
  place.lastChild.remove();
  place.append(tag("h3", {}, words.help.model.equations), ...model.equations.map((one) => tag("details", {}, tag("summary", {}, `${one.name}: ${one.says}`), tag("p", { className: "pre" }, one.more))));
  place.append(tag("h3", {}, words.help.model.parameters), parametersTable(model.parameters));
}

function parametersTable(numbers) {
  const said = words.research;
  return table([said.name, said.default, said.unit, said.range, said.meaning], numbers.map((one) => [one.name, String(one.default), one.unit, `${one.low} - ${one.high}`, `${one.meaning} (${one.status}${one.source ? `, ${one.source}` : ""})`]));
}

/** The researcher's tab. ``set(changes)`` changes the state and says whether that could be, ``fan()`` is what is shown, or null. */
export async function openResearch(fan, set) {
  const said = words.research, place = tag("div", { className: "research", tabIndex: 0 }, tag("p", {}, words.page.loading));
  open(said.title, place);
  const again = async (changes) => {
    if (await set(changes)) await openResearch(fan, set);
  };
  const [model, scenario] = await Promise.all([askModel(), askScenario()]);
  const many = fan(), parts = [tag("h3", {}, said.reproduce), tag("p", { className: "pre", id: "command" }, scenario.command)];
  if (many) parts.push(tag("h3", {}, filled(said.paired, { n: many.n })), pairedTable(many));
  parts.push(tag("details", {}, tag("summary", {}, said.scenario), tag("pre", { id: "yaml", tabIndex: 0 }, scenario.yaml)), tag("h3", {}, said.all), changedHere(again), finder(model.parameters, again));
  place.replaceChildren(...parts);
}

function pairedTable(many) {
  const said = words.research, d = many.difference, measure = words.measures[many.measure];
  return table([said.measure, said.mean, said.interval, said.overlap], [[`${measure.name} (${measure.unit})`, number(d.mean, 3), `${number(d.low, 3)} ${words.play.to} ${number(d.high, 3)}`, many.overlap === null ? "-" : number(many.overlap, 2)]]);
}

function changedHere(set) {
  const keys = Object.keys(state.query).filter((key) => key.includes("."));
  return tag("ul", { id: "changed-numbers" }, ...keys.map((key) => tag("li", {}, `${key} = ${state.query[key]} `, act(words.research.take_back, () => set({ [key]: null })))));
}

/** Find a parameter of the model and set it for A, B or both. */
function finder(numbers, set) {
  const said = words.research;
  const word = tag("input", { type: "search", id: "find", autocomplete: "off" }), found = tag("div", { id: "found" });
  const show = () => {
    const wanted = word.value.trim().toLowerCase();
    const hits = numbers.filter((one) => `${one.name} ${one.meaning}`.toLowerCase().includes(wanted)).slice(0, wanted ? 40 : 8);
    found.replaceChildren(table([said.name, said.meaning, said.range, said.value], hits.map((one) => [tag("th", { scope: "row" }, one.name), one.meaning, `${one.low} - ${one.high} (${one.unit})`, one.name in given.controlled ? said.own_control : setter(one, set)])));
  };
  word.addEventListener("input", show);
  show();
  return tag("div", {}, tag("label", { className: "row" }, said.find, word), found);
}

function setter(one, set) {
  const said = words.research;
  const value = tag("input", { type: "number", min: one.low, max: one.high, step: "any", value: one.default, ariaLabel: `${said.value}: ${one.name}` });
  const whom = tag("select", { ariaLabel: `${said.for}: ${one.name}` }, ...[["both", said.both], ["a", "A"], ["b", "B"]].map(([key, text]) => tag("option", { value: key }, text)));
  return tag("span", { className: "setter" }, value, whom, act(said.set, () => set({ [`${whom.value}.${one.name}`]: value.value })));
}

/** Downloads of the data, or of the figure. */
export function openData() {
  const said = words.export;
  const link = (text, place, query) => tag("a", { href: `${place}?${query}`, className: "download", download: "" }, text);
  open(said.heading_data, tag("p", {}, said.stamp),
    tag("ul", {}, tag("li", {}, link(said.csv, "/data.csv", asQuery({ many: "0" }))), tag("li", {}, link(filled(said.csv_many, { n: state.query.clients }), "/data.csv", asQuery({ many: "1" }))), tag("li", {}, link(said.yaml, "/scenario.yaml", asQuery()))));
}

/** The address of the picture, for copying by hand where the clipboard is not ours. */
export function openLink() {
  const field = tag("input", { type: "text", readOnly: true, value: address(), id: "address", ariaLabel: words.page.link_by_hand });
  open(words.page.link, tag("p", {}, words.page.link_by_hand), field);
  field.select();
}

/** Take the chair at a rupture. ``watch(side, do)`` plays a choice beside what it would have been. */
export async function openChair(side, event, watch) {
  const said = words.chair_panel;
  const where = filled(said.where, { side: side.toUpperCase(), session: event.session, exchange: event.exchange, kind: said.kinds[event.kind] });
  const results = tag("div", { className: "futures", ariaLive: "polite" });
  const choices = ["name_it", "change_course", "press_on", "step_back"];
  let found = null;
  const chosen = async (name) => {
    found ??= (await askChair(side, event.session, event.exchange)).futures;
    results.replaceChildren(future(name, found[name], true), future("as_it_was", found.as_it_was, false),
      act(said.watch, () => { dialog.close(); watch(side, found[name].do); }, { className: "primary", id: "watch" }), tag("p", { className: "small" }, `${said.same_luck} ${said.assumption}`));
  };
  const atLast = event.exchange === Number(state.query.exchanges) ? [tag("p", { className: "small", id: "at-last" }, said.at_last)] : [];
  open(said.title, tag("p", {}, where), tag("p", { className: "question" }, said.ask), ...atLast,
    tag("div", { className: "choices" }, ...choices.map((name) => {
      const choice = act("", () => chosen(name), { id: `do-${name}` });
      choice.append(tag("strong", {}, said[name]), tag("span", { className: "small" }, said.means[name]));
      return choice;
    })), results);
}

function future(name, one, chosen) {
  const said = words.chair_panel;
  const repaired = filled(one.repaired ? said.repaired : said.unrepaired, { chance: Math.round(100 * one.chance) });
  return tag("section", { className: chosen ? "future chosen" : "future", id: `future-${name}` }, tag("h3", {}, said[name]),
    tag("p", {}, filled(said.result, { repaired, alliance: number(one.alliance.at(-1), 2), distress: number(one.distress_end), ending: one.ending_text })));
}

/** The map of all sixteen pairings; a click sets pair A. */
export async function openMap(set) {
  const said = words.lesson_panel, place = tag("div", {}, tag("p", {}, words.page.loading));
  open(said.map, place);
  const map = await askMap(), values = map.mean.flat(), low = Math.min(...values), high = Math.max(...values);
  const head = ["", ...map.styles.map((style) => words.styles[style])];
  const rows = map.styles.map((client, i) => [tag("th", { scope: "row" }, words.styles[client]), ...map.styles.map((therapist, j) => {
    const value = map.mean[i][j], share = high > low ? (value - low) / (high - low) : 0;
    const cell = act(number(value, 2), () => { dialog.close(); set({ a_client: client, a_therapist: therapist }); }, { className: "cell", ariaLabel: `${words.styles[client]} - ${words.styles[therapist]}: ${number(value, 2)}` });
    cell.style.background = heat(0.15 + 0.75 * share);
    cell.style.color = share > 0.4 ? INK.paper : INK.text;
    return cell;
  })]);
  place.replaceChildren(tag("p", {}, filled(said.map_title, { n: map.n })), tag("p", { className: "small" }, `${said.map_note} (${said.map_client} \u2193, ${said.map_therapist} \u2192)`), table(head, rows, { id: "map" }));
}
