// Types of the APIs' requests and answers, made of the OpenAPI documents in generated/ by openapi-typescript.
// They are not committed: they follow from what is.
import { readdir, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const folder = new URL("../generated/", import.meta.url);
const ending = ".openapi.json";
for (const name of (await readdir(folder)).filter((file) => file.endsWith(ending))) {
  const types = await openapiTS(new URL(name, folder), { alphabetize: true });
  await writeFile(new URL(`${name.slice(0, -ending.length)}.d.ts`, folder), astToString(types));
}
