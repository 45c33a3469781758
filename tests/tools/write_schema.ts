// SPDX-License-Identifier: MIT
/** `deno task schema`: writes docs/xsnd.schema.json, the JSON Schema of configuration files, from the schema that xsnd checks files with. */
import { jsonSchema } from "../../lib/vsnd/config/schema.ts";

export const SCHEMA_FILE = new URL("../../docs/xsnd.schema.json", import.meta.url);

export function schemaText(): string {
  return JSON.stringify(jsonSchema(), null, 2) + "\n";
}

if (import.meta.main) {
  Deno.mkdirSync(new URL(".", SCHEMA_FILE), { recursive: true });
  Deno.writeTextFileSync(SCHEMA_FILE, schemaText());
}
