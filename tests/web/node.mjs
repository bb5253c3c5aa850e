// Under node: what to run comes as JSON on standard input, digests go to standard output.
import {webcrypto} from "node:crypto";
import {readFileSync} from "node:fs";

globalThis.crypto ??= webcrypto;
/** A script of a page, which node would take for one of its own. */
const script = (path) => import(`data:text/javascript;base64,${readFileSync(new URL(path, import.meta.url)).toString("base64")}`);
const {load} = await script("../../sim/engine/web/model.js");
const {answers} = await script("run.js");

const model = await load(readFileSync(new URL("../../sim/engine/web/model.wasm", import.meta.url)));
const {asked, spoilt} = JSON.parse(readFileSync(0, "utf8"));
for (const name of spoilt ?? []) model.about.parameters[name][0] = NaN;
const found = await answers(model, asked);
console.log(JSON.stringify({found, bytes: model.memory.buffer.byteLength}));
