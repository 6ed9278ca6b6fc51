// Validates events/asyncapi.yaml against the AsyncAPI specification and its recommended rules; and, as a second opinion
// beside Python's jsonschema, each message's payload and example with Ajv. Offline. Exits with 1 if anything is wrong.
//
//     npm ci --prefix scripts/asyncapi && node scripts/asyncapi/validate.mjs
//
// This is the parser that the AsyncAPI CLI stands on, without the CLI: 54 MB in place of 1.5 GB.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Parser } from "@asyncapi/parser";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const events = new URL("../../events/", import.meta.url);
const catalogue = process.argv[2] ?? fileURLToPath(new URL("asyncapi.yaml", events));
const read = (path) => readFileSync(new URL(path, events), "utf8");

// The schemas refer to each other by their $id, which no server answers: the files stand beside the catalogue.
const bySchemaId = {
  schema: "https",
  order: 1,
  canRead: (uri) => uri.hostname() === "tiffin.example",
  read: (uri) => read(`schemas/${uri.segment(1)}.json`),
};
// The parser itself knows JSON Schema up to draft 7, and leaves the payloads of AsyncAPI 3 unchecked: see below.
const draft2020 = {
  getMimeTypes: () => ["application/schema+json;version=draft-2020-12"],
  parse: ({ data }) => data,
  validate: () => [],
};
const parser = new Parser({ schemaParsers: [draft2020], __unstable: { resolver: { resolvers: [bySchemaId] } } });
const { document, diagnostics } = await parser.parse(readFileSync(catalogue, "utf8"), { source: catalogue });

// Spectral's severities: 0 is an error, 1 a warning, the rest are hints (such as a newer AsyncAPI version).
const wrong = diagnostics
  .filter(({ severity }) => severity <= 1)
  .map(({ message, code, path, range }) => `${range.start.line + 1}: ${message} [${code} at ${path.join(".")}]`);

const ajv = addFormats(new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allowUnionTypes: true }));
ajv.addKeyword("x-source").addSchema(JSON.parse(read("schemas/common.json")));
for (const message of document?.allMessages() ?? []) {
  try {
    const valid = ajv.compile(JSON.parse(read(`schemas/${message.name()}.json`)));
    const { detail } = JSON.parse(read(`examples/${message.name()}.json`));
    if (!valid(detail)) wrong.push(`${message.name()}: example: ${ajv.errorsText(valid.errors)}`);
  } catch (error) {
    wrong.push(`${message.name()}: ${error.message}`);
  }
}

for (const message of wrong) console.error(`${catalogue}:${message}`);
if (wrong.length > 0) process.exit(1);
console.log(`${document.channels().length} channels, ${document.allMessages().length} messages: valid`);
