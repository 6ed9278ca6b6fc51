// The build's budget: what a browser loads before it shows the first page, gzipped. Over it, the build fails.
import { readFile, stat } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const FIRST_LOAD = 250_000;
const LATER = 250_000; // any one part that is loaded when it is asked for

const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(await readFile(new URL(".vite/manifest.json", dist)));
const compressed = async (file) => {
  const path = new URL(file, dist);
  // Fonts are compressed as they are.
  return file.endsWith(".woff2") ? (await stat(path)).size : gzipSync(await readFile(path), { level: 9 }).length;
};

/** The files of a part, and of all that it imports at once. */
function files(key, seen = new Set()) {
  if (seen.has(key)) return [];
  seen.add(key);
  const { file, css = [], imports = [] } = manifest[key];
  return [file, ...css, ...imports.flatMap((other) => files(other, seen))];
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const font = Object.values(manifest).map(({ file }) => file).filter((file) => /figtree-latin-wght.*woff2$/.test(file));
const first = [...new Set(["index.html", "theme.js", ...files(entry), ...font])];
const sizes = await Promise.all(first.map(compressed));
const total = sizes.reduce((sum, size) => sum + size, 0);
console.log(`First load: ${total} of ${FIRST_LOAD} bytes, gzipped.`);
first.forEach((file, index) => console.log(`  ${String(sizes[index]).padStart(7)}  ${file}`));

let over = total > FIRST_LOAD;
for (const key of Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry)) {
  const own = files(key).filter((file) => !first.includes(file));
  const size = (await Promise.all(own.map(compressed))).reduce((sum, each) => sum + each, 0);
  console.log(`  ${String(size).padStart(7)}  later: ${key}`);
  over ||= size > LATER;
}
if (over) {
  console.error("Over the budget: see web/scripts/budget.mjs.");
  process.exit(1);
}
