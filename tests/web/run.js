// Runs specs with the loader as a page would, in node or a browser: digests of what comes out, or what was said.
// @ts-check

/** @param {{[column: string]: Float64Array}[]} tables */
async function digest(tables) {
  const columns = tables.flatMap((table) => Object.values(table));
  const all = new Float64Array(columns.reduce((n, one) => n + one.length, 0));
  let at = 0;
  for (const column of columns) {
    for (const value of column) all[at++] = Number.isNaN(value) ? NaN : value;
  }
  const hash = await crypto.subtle.digest("SHA-256", all.buffer);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {import("../../sim/engine/web/model.js").Model} model
 * @param {any[][]} asked  spec, seed, number of clients, options
 */
export async function answers(model, asked) {
  const found = [];
  for (const [spec, seed, n, options] of asked) {
    try {
      const made = n === 1 ? model.course(spec, seed, options) : model.many(spec, seed, n, options);
      found.push(await digest([made.clients, made.sessions, made.assessments, made.exchanges]));
    } catch (error) {
      found.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    }
  }
  return found;
}
