// Runs the vectors of the specification: one arm per operation, written as a program would.
//
//   node bindings-wasm/conformance.mjs [PATH …] [--print] [--counts FILE]
//
// Runs all vectors, or these files and folders. `--print` writes to standard output what was computed,
// instead of comparing; `--counts` writes how many steps of each operation ran.

import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { arms } from "./conformance/arms.mjs";
import { Given, resolve } from "./conformance/given.mjs";
import { CounterfoilError } from "./js/index.js";

const SPEC = fileURLToPath(new URL("../spec/", import.meta.url));

/** The operations that every language has. */
function surface() {
  const { operations } = JSON.parse(readFileSync(join(SPEC, "surface.json"), "utf8"));
  const known = new Map(operations.map((operation) => [operation.op, operation]));
  const all = operations.filter(({ scope }) => scope === "all").map(({ op }) => op);
  for (const op of all) if (!arms[op]) throw new Error(`no arm for ${op}`);
  for (const op of Object.keys(arms)) if (!all.includes(op)) throw new Error(`no operation for arm ${op}`);
  return known;
}

/** The code, and the place where it is the same in every implementation. */
function errorText({ code, place }) {
  if (place?.startsWith("entry ")) return { code, place: place.split(": ")[0] };
  const shared = place === "" || /^(\/|lane |checkpoint )/.test(place ?? "?");
  return shared ? { code, place } : { code };
}

async function runStep(step, objects, outs) {
  const given = new Given(resolve(step.in, outs), objects);
  try {
    const [out, object] = await arms[step.op](given);
    given.finish();
    if (step.as !== undefined) {
      if (outs.has(step.as)) throw new Error(`\`${step.as}\` is taken`);
      outs.set(step.as, out);
      if (object !== undefined) objects.set(step.as, object);
    }
    return { out };
  } catch (error) {
    if (error instanceof CounterfoilError) return { error: errorText(error) };
    throw error;
  }
}

/** Whether two JSON values are equal, whatever the order of members. */
function equal(a, b) {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && equal(a[key], b[key]));
}

function agrees(step, got) {
  if (!("error" in step)) return equal(step.out, got.out);
  known(step.error, ["code", "place"]);
  const { code, place } = step.error;
  return got.error?.code === code && (place === undefined || got.error.place === place);
}

function known(object, names) {
  for (const name of Object.keys(object))
    if (!names.includes(name)) throw new Error(`unknown member \`${name}\``);
}

/** Where expectation and result differ, with the results filled in. */
async function runVector(vector, operations, count) {
  const [objects, outs, differences] = [new Map(), new Map(), []];
  for (const [number, step] of vector.steps.entries()) {
    const place = `step ${number} (${step.op})`;
    try {
      known(step, ["op", "in", "as", "out", "error"]);
      const operation = operations.get(step.op);
      if (operation?.scope !== "all") throw new Error("no operation for all");
      known(step.in, Object.keys(operation.in));
      count(step.op);
      const got = await runStep(step, objects, outs);
      if (!("out" in step) && !("error" in step)) differences.push(`${place}: no result is expected`);
      else if (!agrees(step, got)) {
        const text = (value) => JSON.stringify(value, null, 1).replaceAll("\n", "\n    ");
        const expected = "error" in step ? { error: step.error } : { out: step.out };
        differences.push(`${place}\n  expected ${text(expected)}\n  got ${text(got)}`);
      }
      delete step.out;
      delete step.error;
      Object.assign(step, got);
    } catch (error) {
      throw new Error(`${place}: ${error.message}`, { cause: error });
    }
  }
  return differences;
}

function files(folder) {
  const found = readdirSync(folder, { withFileTypes: true }).flatMap((item) => {
    const path = join(folder, item.name);
    if (item.isDirectory()) return files(path);
    return item.name.endsWith(".json") && item.name !== "index.json" ? [path] : [];
  });
  return found.sort();
}

function read(path) {
  const vector = JSON.parse(readFileSync(path, "utf8"));
  known(vector, ["format", "id", "title", "rules", "scope", "steps"]);
  if (vector.format !== "counterfoil/vector/0") throw new Error("not a vector of a known format");
  const room = basename(dirname(path));
  if (`${vector.id}.json` !== basename(path) || !vector.id.startsWith(`${room}-`))
    throw new Error("the id is the file's name and starts with the room");
  if (!["all", "internal"].includes(vector.scope)) throw new Error(`no scope ${vector.scope}`);
  return vector;
}

async function main(words) {
  const options = { paths: [] };
  while (words.length > 0) {
    const word = words.shift();
    if (word === "--print") options.print = true;
    else if (word === "--counts") options.counts = words.shift();
    else if (word.startsWith("--")) throw new Error(`unknown option ${word}`);
    else options.paths.push(...(statSync(word).isDirectory() ? files(word) : [word]));
  }
  const operations = surface();
  const steps = {};
  const count = (op) => (steps[op] = (steps[op] ?? 0) + 1);
  const paths = options.paths.length > 0 ? options.paths : files(join(SPEC, "vectors"));
  let [vectors, failed] = [0, 0];
  for (const path of paths) {
    try {
      const vector = read(path);
      if (vector.scope !== "all") continue;
      vectors += 1;
      const differences = await runVector(vector, operations, count);
      if (options.print) console.log(JSON.stringify(vector, null, 1));
      else if (differences.length > 0) throw new Error(differences.join("\n"));
    } catch (error) {
      failed += 1;
      console.error(`${path}: ${error.message}`);
    }
  }
  const sorted = Object.fromEntries(Object.entries(steps).sort(([a], [b]) => (a < b ? -1 : 1)));
  if (options.counts) writeFileSync(options.counts, `${JSON.stringify(sorted, null, 1)}\n`);
  const total = Object.values(steps).reduce((sum, n) => sum + n, 0);
  if (!options.print) console.log(`node: ${total} steps in ${vectors} vectors`);
  if (failed > 0) console.error(`${failed} vectors differ`);
  return failed > 0 || vectors === 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
