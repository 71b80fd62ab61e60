// Reads and checks the same files with js-yaml and ajv: node validate.mjs REPOSITORY SCHEMAS
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import yaml from "js-yaml";

const [repository, schemas] = process.argv.slice(2);
// `strict` checks the style of a schema, not its meaning.
const ajv = new Ajv2020({ strict: false, allErrors: true });
const compiled = {};
for (const [kind, file] of [
  ["Project", "project.json"],
  ["Tenant", "tenant.json"],
  ["WebMessaging", "web-messaging.json"],
]) {
  compiled[kind] = ajv.compile(JSON.parse(readFileSync(join(schemas, file), "utf8")));
}

const files = [join(repository, "genesync.yaml")];
for (const name of readdirSync(join(repository, "bases"))) files.push(join(repository, "bases", name));
for (const tenant of readdirSync(join(repository, "tenants"))) {
  const folder = join(repository, "tenants", tenant);
  for (const name of readdirSync(folder)) files.push(join(folder, name));
}

let invalid = 0;
let bytes = 0;
for (const file of files) {
  const text = readFileSync(file);
  bytes += text.length;
  for (const document of yaml.loadAll(text.toString("utf8"))) {
    const check = compiled[document.kind];
    if (!check?.(document)) {
      invalid += 1;
      console.error(file, check?.errors);
    }
  }
}
console.log(JSON.stringify({ files: files.length, bytes, invalid }));
process.exit(invalid === 0 ? 0 : 1);
