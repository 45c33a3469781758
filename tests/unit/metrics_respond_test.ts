// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Backend } from "../../lib/daemon/backend.ts";
import { respond } from "../../lib/metrics/respond.ts";

type Request = [method: string, url: string, host?: string, transport?: "tcp" | "unix"];

/** Status and text of the answer to a request for `url`, from a backend that throws on each read. */
async function answerTo([method, url, host, transport = "tcp"]: Request) {
  const backend = {
    get streams(): never {
      throw new Error("a defect");
    },
  } as unknown as Backend;
  let status = 0;
  let text = "";
  const response = {
    writeHead(code: number) {
      status = code;
      return response;
    },
    end: (octets: Uint8Array) => text = new TextDecoder().decode(octets),
  };
  const request = { method, url, headers: { host } };
  await respond(backend, transport, request as IncomingMessage, response as unknown as ServerResponse);
  return { status, text };
}

Deno.test("respond() refuses each request that is none for the metrics, before it reads them", async () => {
  const refused: [status: number, ...Request][] = [
    [405, "POST", "/metrics"],
    [405, "OPTIONS", "*"],
    [404, "GET", "/"],
    [404, "GET", "/metrics/"],
    [400, "GET", "//["],
    [400, "GET", "//localhost/metrics"],
    [400, "GET", "http:/metrics"],
    [404, "GET", "http://localhost/"],
    [403, "GET", "http://evil.example/metrics", "localhost"],
    [403, "GET", "http://[/metrics", "localhost"],
    [400, "GET", ""],
    [403, "GET", "/metrics", "evil.example"],
    [403, "POST", "//[", "evil.example:80"],
  ];
  for (const [status, ...request] of refused) {
    assert.equal((await answerTo(request)).status, status, request.join(" "));
  }
});

Deno.test("respond() says that it failed, and no word of where", async () => {
  const requests: Request[] = [
    ["GET", "/metrics"],
    ["HEAD", "/metrics?a=b", "[::1]:9465"],
    ["GET", "http://localhost:9465/metrics", "evil.example"],
    ["GET", "http://any.example/metrics", "any.example", "unix"],
    ["GET", "/metrics", "any.example", "unix"],
  ];
  for (const request of requests) {
    assert.deepEqual(await answerTo(request), {
      status: 500,
      text: "cannot read the metrics; see the daemon's log\n",
    });
  }
});
