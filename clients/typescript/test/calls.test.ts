import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { Gateway, GatewayProblem, NotAnswered, NotFinished, SecretText, Signer } from "../src/index.ts";
import { Backoff, retryAfter } from "../src/retries.ts";
import { ACCEPTED, answering, FINISHED, json, KEY, problem, QUICK } from "./answers.ts";

const LOCATION = { location: "/v1/commands/c-1?at=3-14" };
const accepted = (headers: Record<string, string> = {}): Response => json(202, ACCEPTED, headers);

test("every try of a call is the same request", async () => {
  const lost = [408, 429, 502, 503, 504].map((status) => () => problem(status));
  for (const failure of [...lost, new TypeError("fetch failed"), () => new Response('{"commandId": "c-')]) {
    const { gateway, sent } = answering([failure, failure, accepted()]);
    assert.deepEqual(await gateway.requestHandoff("auth_1", { requestedBy: "op-7" }), ACCEPTED);
    assert.equal(sent.length, 3);
    assert.deepEqual(sent[1], sent[0]);
    assert.deepEqual(sent[2], sent[0]);
    assert.ok(sent[0]?.headers["idempotency-key"]);
  }
});

test("each call has a key of its own unless the program gives one", async () => {
  const { gateway, sent } = answering([accepted(), accepted(), accepted()]);
  await gateway.watch("auth_1");
  await gateway.watch("auth_1");
  await gateway.watch("auth_1", {}, { key: 'order "7", \\' });
  const keys = sent.map((one) => one.headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[2], '"order \\"7\\", \\\\"');
  assert.throws(() => gateway.watch("auth_1", {}, { key: "line\nend" }), /printable ASCII/);
});

test("other problems are thrown at once, with pointers and without the message of Collate", async () => {
  for (const status of [400, 401, 403, 404, 409, 413, 422, 500]) {
    const more = {
      type: "urn:collate-gateway:problem:invalid-command",
      errors: [{ pointer: "/result/reason", detail: "expected a value" }],
      message: "SECRET",
      reason: "no_active_handoff",
      requestId: "8dea",
    };
    const { gateway, sent } = answering([problem(status, more)]);
    const error = await gateway.watch("auth_1", {}, { key: "k" }).catch((one: unknown) => one);
    assert.ok(error instanceof GatewayProblem);
    assert.deepEqual([error.status, error.slug, error.reason], [status, "invalid-command", "no_active_handoff"]);
    assert.deepEqual(error.faults, [{ expected: "expected a value", pointer: "/result/reason" }]);
    assert.deepEqual([error.idempotencyKey, error.resultIsUnknown, error.requestId], ["k", status === 500, "8dea"]);
    assert.equal(error.members["message"], "SECRET");
    assert.match(error.message, /\/result\/reason: expected a value/);
    assert.doesNotMatch(`${error}${error.stack}${inspect(error)}${JSON.stringify(error)}`, /SECRET/);
    assert.equal(sent.length, 1);
  }
});

test("retry-after is seconds or a date, and a pause is never shorter", () => {
  const now = Date.parse("2026-06-02T14:00:00Z");
  const cases: [string | null, number | undefined][] = [
    ["3", 3],
    ["Tue, 02 Jun 2026 14:00:30 GMT", 30],
    ["Tue, 02 Jun 2026 13:00:00 GMT", 0],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
  ];
  for (const [header, seconds] of cases) assert.equal(retryAfter(header, now), seconds);
  const backoff = new Backoff(0.2, 8);
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map(() => backoff.pause(0.5)), [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4]);
  assert.equal(backoff.pause(0.5, 7), 7.1);
  backoff.reset();
  assert.equal(backoff.pause(0.5), 0.1);
});

test("the deadline ends the tries with the last failure", async () => {
  const { gateway } = answering(
    Array.from({ length: 999 }, () => () => problem(503)),
    KEY,
    { ...QUICK, deadlineSeconds: 0.1 },
  );
  const error = await gateway.watch("auth_1", {}, { key: "k" }).catch((one: unknown) => one);
  assert.ok(error instanceof GatewayProblem);
  assert.deepEqual([error.idempotencyKey, error.resultIsUnknown], ["k", true]);
  const long = answering([problem(503, { kept: "no" }, { "retry-after": "61" })]);
  const refused = await long.gateway.watch("auth_1").catch((one: unknown) => one);
  assert.ok(refused instanceof GatewayProblem);
  assert.deepEqual([long.sent.length, refused.resultIsUnknown, refused.retryAfterSeconds], [1, false, 61]);
});

test("the result stays unknown after an unknown earlier try", async () => {
  const lost = new TypeError("fetch failed");
  const cases: [(Response | TypeError)[], boolean][] = [
    [[problem(503)], true],
    [[lost], true],
    [[problem(502), problem(429)], true],
    [[problem(429)], false],
  ];
  for (const [earlier, isUnknown] of cases) {
    for (const [status, kept] of [[503, { kept: "no" }], [401, {}], [429, {}]] as const) {
      const last = problem(status, kept, { "retry-after": "99" });
      const again = () => [...earlier, last].map((one) => (one instanceof Response ? one.clone() : one));
      const command = await answering(again()).gateway.watch("auth_1").catch((one: unknown) => one);
      const read = await answering(again()).gateway.me().catch((one: unknown) => one);
      assert.ok(command instanceof GatewayProblem && read instanceof GatewayProblem);
      assert.deepEqual([command.status, command.resultIsUnknown, read.resultIsUnknown], [status, isUnknown, false]);
    }
  }
});

test("no answer leaves the result of a command unknown, and shows no text of the library", async () => {
  const failure = new TypeError(`invalid header value ${KEY}`, { cause: { code: "ECONNREFUSED" } });
  const { gateway } = answering(Array(999).fill(failure), KEY, { ...QUICK, deadlineSeconds: 0.05 });
  const error = await gateway.watch("auth_1").catch((one: unknown) => one);
  assert.ok(error instanceof NotAnswered);
  assert.ok(error.resultIsUnknown);
  assert.match(error.message, /ECONNREFUSED/);
  assert.doesNotMatch(inspect(error), /cgk_/);
});

test("a silent try ends and the next one follows", async () => {
  let requests = 0;
  const silent = (_: unknown, init?: RequestInit): Promise<Response> =>
    ++requests > 1
      ? Promise.resolve(accepted())
      : new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
  const retries = { ...QUICK, attemptSeconds: 0.05 };
  const gateway = new Gateway("https://gateway.example", KEY, { retries, fetch: silent as typeof fetch });
  assert.deepEqual(await gateway.watch("auth_1"), ACCEPTED);
  assert.equal(requests, 2);
});

test("the program's signal ends a call", async () => {
  const controller = new AbortController();
  const { gateway } = answering(Array.from({ length: 99 }, () => () => problem(503, {}, { "retry-after": "1" })));
  const call = gateway.watch("auth_1", {}, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await assert.rejects(call, /enough/);
});

test("a token is asked for at each try", async () => {
  let number = 0;
  const { gateway, sent } = answering([problem(503), accepted()], async () => `token-${++number}`);
  await gateway.watch("auth_1");
  assert.deepEqual(sent.map((one) => one.headers["authorization"]), ["Bearer token-1", "Bearer token-2"]);
});

test("a credential that no header can carry is refused without its text", async () => {
  for (const key of [`${KEY}\n`, "cgk secret", "é", ""]) {
    const { gateway } = answering([], key);
    await assert.rejects(gateway.me(), (error: Error) => /visible ASCII/.test(error.message) && !/cgk/.test(inspect(error.message)));
  }
  for (const url of ["https://user:SECRET@gateway.example", "ftp://gateway.example"]) {
    assert.throws(() => new Gateway(url, KEY), (error: Error) => !/SECRET/.test(error.message));
  }
  assert.doesNotMatch(inspect(new Gateway("https://gateway.example", KEY), { depth: 9 }), /cgk_/);
});

test("wait asks the gateway, then polls the place of the 202", async () => {
  const first = answering([json(200, FINISHED)]);
  assert.equal((await first.gateway.requestHandoff("auth_1", {}, { wait: 45 })).outcome, "applied");
  assert.equal(first.sent[0]?.headers["prefer"], "wait=30");
  const polls = [accepted({ location: "http://evil.example/v1/commands/c-1?at=3-14" }), problem(503), json(200, FINISHED)];
  const later = answering(polls);
  assert.deepEqual(await later.gateway.requestHandoff("auth_1", {}, { wait: 10 }), FINISHED);
  assert.deepEqual(
    later.sent.slice(1).map((one) => one.url),
    Array(2).fill("https://gateway.example/v1/commands/c-1?at=3-14"),
  );
});

test("wait without a read model sends the same command again", async () => {
  const { gateway, sent } = answering([accepted(), json(200, FINISHED)]);
  assert.deepEqual(await gateway.requestHandoff("auth_1", {}, { wait: 10 }), FINISHED);
  assert.equal(sent[1]?.headers["idempotency-key"], sent[0]?.headers["idempotency-key"]);
});

test("wait ends with the last status, and at once with a dead letter", async () => {
  const waiting = () => json(200, { ...ACCEPTED, status: "waiting" });
  const { gateway } = answering([accepted(LOCATION), waiting, waiting, waiting]);
  const error = await gateway.watch("auth_1", {}, { wait: 0.6, key: "k" }).catch((one: unknown) => one);
  assert.ok(error instanceof NotFinished);
  assert.deepEqual([error.status, error.commandId, error.idempotencyKey], ["waiting", "c-1", "k"]);
  const dead = answering([json(202, { ...ACCEPTED, status: "dead_lettered" }, LOCATION)]);
  await assert.rejects(dead.gateway.watch("auth_1", {}, { wait: 10 }), /dead_lettered/);
});

test("a grant hides its link and its message", async () => {
  const grant = {
    handoffId: "mhand_55",
    id: "rag_SECRET",
    url: "https://collate.example/rag_SECRET",
    expiresAt: "2026-06-02T14:15:00Z",
    message: "SECRET code",
  };
  const { gateway, sent } = answering([json(201, grant)]);
  const found = await gateway.accessGrant("auth_1", "active", { operator: "op-7" });
  assert.ok(found.url instanceof SecretText);
  assert.deepEqual([found.url.reveal(), found.id.reveal(), found.message], [grant.url, grant.id, grant.message]);
  assert.doesNotMatch(`${found} ${found.url} ${JSON.stringify(found)} ${inspect(found, { showHidden: true })}`, /SECRET/);
  assert.match(inspect(found), /mhand_55/);
  assert.ok(sent[0]?.headers["idempotency-key"]);
});

test("a signed command has the signature of Standard Webhooks", async () => {
  // From the specification's example of a signature.
  const signer = new Signer("in take", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const headers = await signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}', 1614265330_000);
  assert.equal(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  const { gateway, sent } = answering([accepted()], signer);
  await gateway.sendEvent("collate-gateway.authorization.watch.v1", "auth_1", {}, { source: "/intake", key: "e-1" });
  assert.equal(sent[0]?.url, "https://gateway.example/v1/commands?caller=in%20take");
  assert.equal(sent[0]?.headers["webhook-id"], "e-1");
  assert.equal(sent[0]?.headers["authorization"], undefined);
  await assert.rejects(gateway.me(), /sendEvent/);
  assert.throws(() => new Signer("intake", "whsec_***"), /whsec_ and base64/);
});

test("pages follow the cursor", async () => {
  const { gateway, sent } = answering([json(200, { commands: [1, 2], next: "a b" }), json(200, { commands: [3] })]);
  const found = [];
  for await (const one of gateway.commands({ status: "waiting", metadata: { case: "7" }, limit: 2 })) found.push(one);
  assert.deepEqual(found, [1, 2, 3]);
  assert.deepEqual(
    sent.map((one) => one.url.split("?")[1]),
    ["status=waiting&limit=2&metadata.case=7", "status=waiting&limit=2&cursor=a+b&metadata.case=7"],
  );
});

test("ids are quoted in paths", async () => {
  const { gateway, sent } = answering([accepted(), accepted()]);
  await gateway.closeHandoff("../x", "a/b?c", { result: { type: "completed", reportedOutcome: "submitted" } });
  await gateway.watch("..");
  assert.equal(sent[0]?.url, "https://gateway.example/v1/authorizations/..%2Fx/handoffs/a%2Fb%3Fc/close");
  assert.equal(sent[1]?.url, "https://gateway.example/v1/authorizations/%2E%2E/watch");
});
