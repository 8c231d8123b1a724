// The programs in the README run, one after the other, and do what they say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as counterfoil from "../js/index.js";
import { plan, saltKey } from "./shop.mjs";

test("the README's programs", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const programs = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, program]) => program);
  assert.equal(programs.length, 3);
  const imports = /import \{(.*?)\} from "counterfoil";/g;
  const names = new Set([...programs.join().matchAll(imports)].flatMap(([, list]) => list.trim().split(", ")));
  const body = programs.join("\n").replaceAll(imports, "");
  const Program = Object.getPrototypeOf(async () => {}).constructor;
  const run = new Program(
    "counterfoil", "secret", "saltKey", "document", "assert",
    `const { ${[...names].join(", ")} } = counterfoil; let response; ${body}
     assert.equal(response.charge, 412n); assert.equal(verified.cumulative, 412n);
     return again.lane(again.subscription(subscription).lane).cumulative;`,
  );
  const document = new TextDecoder().decode(plan().canonical());
  assert.equal(await run(counterfoil, new Uint8Array(32).fill(1), saltKey, document, assert), "412");
});
