// What the page was given: words, defaults, lessons, the state of its address and, in a handout, all its courses.

export const given = JSON.parse(document.getElementById("given").textContent);
export const words = given.words;

/** A sentence with its {names} filled in. */
export function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A number for people: so many digits behind the point, and a real minus sign. */
export function number(value, digits = 1) {
  return value === null || Number.isNaN(value) ? "-" : value.toFixed(digits).replace("-", "\u2212");
}
