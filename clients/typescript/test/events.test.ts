import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayProblem, type EventStream } from "../src/index.ts";
import { answering, KEY, problem, QUICK, stream } from "./answers.ts";

// Without this field of the gateway a lost connection would wait up to two seconds.
const CONNECTED = "retry: 1\nid: 0.0\n: connected\n\n";
const TYPE = "collate-gateway.handoff.opened.v1";

function event(position: string, authorization: string, sequence: number, more: object = {}): string {
  const document = {
    specversion: "1.0",
    id: `${authorization}-${sequence}`,
    source: "/collate-gateway/test",
    type: TYPE,
    subject: authorization,
    time: "2026-06-02T14:06:01Z",
    sequence: String(sequence).padStart(20, "0"),
    data: { handoffId: "mhand_55" },
    ...more,
  };
  return `id: ${position}\nevent: ${TYPE}\ndata: ${JSON.stringify(document)}\n\n`;
}

async function take(events: EventStream, count: number): Promise<unknown[]> {
  const found: unknown[] = [];
  while (found.length < count) {
    const { value } = await events.next();
    found.push([value.authorizationId, value.sequence, value.missing]);
  }
  return found;
}

const positions = (sent: { headers: Record<string, string> }[]) => sent.map((one) => one.headers["last-event-id"]);

test("it resumes behind the last event that was returned", async () => {
  const { gateway, sent } = answering([
    stream(CONNECTED, event("1.0", "a", 1) + event("1.1", "b", 1), "id: 2.1\ndata: {", new Error("cut")),
    stream("id: 1.1\n: connected\n\n", event("2.1", "a", 2)),
  ]);
  const events = gateway.events();
  assert.deepEqual(await take(events, 3), [["a", 1, 0], ["b", 1, 0], ["a", 2, 0]]);
  assert.deepEqual(positions(sent), [undefined, "1.1"]);
  assert.deepEqual([events.position, events.reconnects], ["2.1", 1]);
  await events.return();
});

test("open returns when the stream is open; without an event it resumes where it began", async () => {
  const { gateway, sent } = answering([
    problem(503),
    stream(CONNECTED, ": still here\n\n", new Error("cut")),
    stream(event("0.1", "a", 1)),
  ]);
  const events = await gateway.events().open();
  assert.equal(events.position, "0.0");
  assert.deepEqual(await take(events, 1), [["a", 1, 0]]);
  assert.deepEqual(positions(sent), [undefined, undefined, "0.0"]);
  await events.return();
});

test("a stored position is resumed, and an event has its fields", async () => {
  const { gateway, sent } = answering([stream(event("6.5", "a", 7))]);
  for await (const one of gateway.events({ after: "5.5", types: [TYPE], authorizationIds: ["a"] })) {
    assert.deepEqual([one.position, one.id, one.type, one.time], ["6.5", "a-7", TYPE, "2026-06-02T14:06:01Z"]);
    if (one.type === TYPE) assert.equal(one.data.handoffId, "mhand_55");
    break;
  }
  assert.deepEqual(positions(sent), ["5.5"]);
  assert.equal(sent[0]?.url, `https://gateway.example/v1/events?type=${TYPE}&authorizationId=a`);
});

test("repeats are dropped and gaps are counted", async () => {
  const { gateway } = answering([
    stream(CONNECTED, event("1", "a", 1), event("2", "a", 2), event("2", "a", 2), event("5", "a", 5)),
    stream(event("5", "a", 5), event("6", "b", 9), event("7", "a", 6), event("8", "a", 1, { id: "second-life" })),
  ]);
  const events = gateway.events();
  const wanted = [["a", 1, 0], ["a", 2, 0], ["a", 5, 2], ["b", 9, 0], ["a", 6, 0], ["a", 1, 0]];
  assert.deepEqual(await take(events, 6), wanted);
  await events.return();
  const filtered = answering([stream(event("1", "a", 1), event("9", "a", 9))]).gateway.events({ types: [TYPE] });
  assert.deepEqual(await take(filtered, 2), [["a", 1, 0], ["a", 9, 0]]);
  await filtered.return();
});

test("a refusal ends the stream, and so does a connection that stays away too long", async () => {
  for (const status of [400, 401, 403, 404]) {
    await assert.rejects(answering([problem(status)]).gateway.events().next(), GatewayProblem);
  }
  const away = answering([stream(CONNECTED), ...Array(99).fill(new TypeError("fetch failed"))]);
  await assert.rejects(away.gateway.events({ giveUpAfter: 0.05 }).next(), /no answer to GET \/v1\/events/);
});

test("silence is a lost connection", async () => {
  const silent = (): Response => new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode(CONNECTED)) }));
  const reasons: string[] = [];
  const { gateway } = answering([silent, stream(event("1", "a", 1))], KEY, QUICK);
  // The answer of this test ignores signals, as a dead connection does; the client must not wait for it.
  const events = gateway.events({ silence: 0.05, onReconnect: (reason) => reasons.push(reason) });
  assert.deepEqual(await take(events, 1), [["a", 1, 0]]);
  assert.equal(reasons.length, 1);
  await events.return();
});

test("the program's signal ends the iteration", async () => {
  const controller = new AbortController();
  const { gateway } = answering([stream(event("1", "a", 1)), ...Array(99).fill(new TypeError("fetch failed"))]);
  let count = 0;
  for await (const _ of gateway.events({ signal: controller.signal })) {
    count += 1;
    setTimeout(() => controller.abort(), 10);
  }
  assert.equal(count, 1);
});

test("an event that is no CloudEvent is an error", async () => {
  for (const data of ["[]", "{", '{"id": "x"}']) {
    const { gateway } = answering([stream(`id: 1\ndata: ${data}\n\n`)]);
    const events = gateway.events();
    await assert.rejects(events.next(), /no CloudEvent/);
    // The stream is closed: a timer of the connection would keep the process alive.
    assert.deepEqual(await events.next(), { done: true, value: undefined });
  }
});
