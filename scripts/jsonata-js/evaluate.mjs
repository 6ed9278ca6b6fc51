// Evaluates JSONata as Step Functions does: reads a JSON list of cases from standard input, writes one of outcomes.
// A case: {expression, states, variables, now}. An outcome: {value}, {undefined: true} or {error: code}.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import jsonata from "jsonata";

const Clock = Date;
let now = 0;
// $now and $millis ask for the present moment by `new Date()`.
globalThis.Date = class extends Clock {
  constructor(...given) {
    given.length ? super(...given) : super(now);
  }
};

// Step Functions developer guide, "JSONata functions provided by Step Functions". $random and $uuid answer anew each
// time, so there is nothing to compare.
const ALGORITHMS = { "MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };
const ADDED = {
  hash: (text, algorithm) => createHash(ALGORITHMS[algorithm]).update(text, "utf-8").digest("hex"),
  parse: (text) => JSON.parse(text),
  partition: (list, size) => {
    const step = Math.floor(size);
    return Array.from({ length: Math.ceil(list.length / step) }, (_, part) => list.slice(part * step, (part + 1) * step));
  },
  range: (start, end, step) => {
    const [first, last, by] = [start, end, step].map(Math.floor);
    return Array.from({ length: Math.max(0, Math.floor((last - first) / by) + 1) }, (_, index) => first + index * by);
  },
};

async function outcome({ expression, states, variables, now: moment }) {
  now = moment;
  try {
    const compiled = jsonata(expression);
    for (const [name, implementation] of Object.entries(ADDED)) compiled.registerFunction(name, implementation);
    compiled.assign("eval", undefined);
    const value = await compiled.evaluate(undefined, { ...variables, states });
    return value === undefined ? { undefined: true } : { value };
  } catch (error) {
    return { error: error.code ?? "" };
  }
}

const outcomes = [];
for (const one of JSON.parse(readFileSync(0, "utf-8"))) outcomes.push(await outcome(one));
process.stdout.write(JSON.stringify(outcomes));
