// SPDX-License-Identifier: MIT
/** Binds Xen's own parser of xl's configuration files (libxlutil, in libxen-dev), the reference for ours. */
import { cString } from "../../ffi/base/c_string.ts";

type Nested = readonly (string | Nested)[];

const lib = Deno.dlopen("libxlutil.so", {
  xlu_cfg_init: { parameters: ["pointer", "buffer"], result: "pointer" },
  xlu_cfg_readdata: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  xlu_cfg_destroy: { parameters: ["pointer"], result: "void" },
  xlu_cfg_get_list: { parameters: ["pointer", "buffer", "buffer", "buffer", "i32"], result: "i32" },
  xlu_cfg_get_listitem2: { parameters: ["pointer", "i32"], result: "pointer" },
  xlu_cfg_value_get_string: { parameters: ["pointer", "pointer", "buffer", "i32"], result: "i32" },
  xlu_cfg_value_get_list: { parameters: ["pointer", "pointer", "buffer", "i32"], result: "i32" },
}).symbols;
const libc =
  Deno.dlopen("libc.so.6", { fopen: { parameters: ["buffer", "buffer"], result: "pointer" } }).symbols;
/** The FILE to which libxlutil reports errors. */
const nowhere = libc.fopen(cString("/dev/null"), cString("w"));

/** The list `vsnd` of a file; undefined if the list is missing or the file is refused. */
export function vsndByLibxlutil(text: string): Nested | undefined {
  const octets = new TextEncoder().encode(text);
  const config = lib.xlu_cfg_init(nowhere, cString("F"));
  try {
    // Deno passes an empty array as a null pointer
    const data = octets.length === 0 ? new Uint8Array(1) : octets;
    if (lib.xlu_cfg_readdata(config, data, octets.length) !== 0) return undefined;
    const out = new BigUint64Array(1);
    if (lib.xlu_cfg_get_list(config, cString("vsnd"), out, new Int32Array(1), 1) !== 0) return undefined;
    return items(config, Deno.UnsafePointer.create(out[0]!));
  } finally {
    lib.xlu_cfg_destroy(config);
  }
}

function items(config: Deno.PointerValue, list: Deno.PointerValue): Nested {
  const out = new BigUint64Array(1);
  const found: (string | Nested)[] = [];
  for (let i = 0, value; (value = lib.xlu_cfg_get_listitem2(list, i)) !== null; i++) {
    const isText = lib.xlu_cfg_value_get_string(config, value, out, 1) === 0;
    if (!isText) lib.xlu_cfg_value_get_list(config, value, out, 1);
    const pointer = Deno.UnsafePointer.create(out[0]!)!;
    found.push(isText ? new Deno.UnsafePointerView(pointer).getCString() : items(config, pointer));
  }
  return found;
}
