// Types of the APIs' requests and answers, made of the OpenAPI documents in generated/ by openapi-typescript; and of live news'
// message, made of its schema where that is. They are not committed: they follow from what is.
import { readdir, readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const folder = new URL("../generated/", import.meta.url);
const write = async (name, document) =>
  writeFile(new URL(`${name}.d.ts`, folder), astToString(await openapiTS(document, { alphabetize: true })));

const ending = ".openapi.json";
for (const name of (await readdir(folder)).filter((file) => file.endsWith(ending))) {
  await write(name.slice(0, -ending.length), new URL(name, folder));
}
const Changed = JSON.parse(await readFile(new URL("../../events/messages/Changed.json", import.meta.url), "utf8"));
await write("messages", { openapi: "3.1.0", info: { title: "Messages", version: "1" }, paths: {}, components: { schemas: { Changed } } });
