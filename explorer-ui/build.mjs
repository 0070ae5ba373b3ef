/**
 * Builds the front end into the Python package: explorer.js, explorer.css, widget.js, licences.json.
 *
 * With `--tests` it bundles the unit tests into out/ instead, with `--watch` it builds again on
 * each change.
 */

import { build, context } from "esbuild";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const target = join(root, "..", "mlmd_lineage", "explorer", "static");
const common = { absWorkingDir: root, bundle: true, target: "es2022", legalComments: "none" };

if (process.argv.includes("--tests")) {
  await rm(join(root, "out"), { recursive: true, force: true });
  const names = (await readdir(join(root, "tests"))).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: names.map((name) => join(root, "tests", name)),
    outdir: join(root, "out"),
    outExtension: { ".js": ".mjs" },
    platform: "node",
    format: "esm",
    sourcemap: "inline",
  });
} else {
  const optimized = { ...common, minify: true, charset: "ascii", metafile: true };
  const builds = [
    { entryPoints: ["src/main.ts"], format: "iife", outfile: join(target, "explorer.js") },
    { entryPoints: ["src/widget.ts"], format: "esm", outfile: join(target, "widget.js") },
    { entryPoints: ["src/explorer.css"], outfile: join(target, "explorer.css") },
  ].map((options) => ({ ...optimized, ...options }));
  await mkdir(target, { recursive: true });
  if (process.argv.includes("--watch")) {
    for (const options of builds) await (await context(options)).watch();
  } else {
    const results = await Promise.all(builds.map((options) => build(options)));
    const inputs = results.flatMap((result) => Object.keys(result.metafile.inputs));
    const licences = JSON.stringify(await licencesOf(inputs), null, 2) + "\n";
    await writeFile(join(target, "licences.json"), licences);
    for (const name of ["explorer.js", "widget.js", "explorer.css", "licences.json"]) {
      const bytes = await readFile(join(target, name));
      const zipped = gzipSync(bytes, { level: 9 }).length;
      console.log(`${name}: ${kilobytes(bytes.length)}, ${kilobytes(zipped)} gzipped`);
    }
  }
}

/** Return the name, version, licence and licence text of each library that went into the bundles. */
async function licencesOf(inputs) {
  const names = new Set(
    inputs.flatMap((path) => {
      const parts = path.split("node_modules/").at(-1).split("/");
      if (!path.includes("node_modules/")) return [];
      return [parts[0].startsWith("@") ? `${parts[0]}/${parts[1]}` : parts[0]];
    }),
  );
  return Promise.all(
    [...names].sort().map(async (name) => {
      const folder = join(root, "node_modules", name);
      const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
      const file = (await readdir(folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
      if (!file) throw new Error(`${relative(root, folder)} has no file with its licence`);
      return { name, version, licence: license, text: await readFile(join(folder, file), "utf8") };
    }),
  );
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
