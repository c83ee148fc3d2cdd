// Write src/generated.ts from schemas/published with openapi-typescript; `--check` only compares it.
//
// The components come from openapi.json. The data of the events come from asyncapi.json: `EventDataByType` has one
// member for each type of event.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const PUBLISHED = new URL("../../../schemas/published/", import.meta.url);
const TARGET = new URL("../src/generated.ts", import.meta.url);
const HEAD = "// Made by `make client-packages` from schemas/published with openapi-typescript; don't edit.\n\n";
const PREFIX = "#/components/schemas/";

const read = async (name) => JSON.parse(await readFile(new URL(name, PUBLISHED), "utf8"));

function references(schema) {
  if (Array.isArray(schema)) return schema.flatMap(references);
  if (schema === null || typeof schema !== "object") return [];
  const own = typeof schema.$ref === "string" ? [schema.$ref.slice(PREFIX.length)] : [];
  const inner = Object.entries(schema).filter(([name]) => !["discriminator", "examples", "example"].includes(name));
  return own.concat(inner.flatMap(([, value]) => references(value)));
}

function reachable(schemas, roots) {
  const found = {};
  const waiting = [...roots];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name in found) continue;
    found[name] = schemas[name];
    waiting.push(...references(schemas[name]));
  }
  return found;
}

const [openapi, asyncapi] = [await read("openapi.json"), await read("asyncapi.json")];
const events = Object.values(asyncapi.channels.events.messages)
  .map((reference) => asyncapi.components.messages[reference.$ref.split("/").at(-1)])
  .map((message) => [message.name, message.payload.$ref])
  .sort();
const more = reachable(
  asyncapi.components.schemas,
  events.map(([, reference]) => reference.slice(PREFIX.length)),
);
const schemas = {
  ...more,
  ...openapi.components.schemas,
  EventDataByType: {
    type: "object",
    description: "The data of each type of event.",
    properties: Object.fromEntries(events.map(([name, $ref]) => [name, { $ref }])),
    required: events.map(([name]) => name),
  },
};
const types = await openapiTS({ openapi: "3.1.0", info: openapi.info, paths: {}, components: { schemas } });
const text = HEAD + astToString(types);
if (process.argv.includes("--check")) {
  if (text !== (await readFile(TARGET, "utf8").catch(() => ""))) {
    console.error("src/generated.ts is stale, run `make client-packages`");
    process.exit(1);
  }
} else {
  await writeFile(TARGET, text);
}
