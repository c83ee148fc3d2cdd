// Commands and a stream of events with the TypeScript client, while a test restarts the ingress.
//
// Prints one JSON document: the outcomes, and [authorization, sequence, type, missing] of each streamed event.
import { Gateway } from "collate-gateway-client";

const { URL: url, KEY: key, AUTHORIZATIONS, OVER_SECONDS } = process.env;
const authorizations = AUTHORIZATIONS.split(",");
const FINISHED = "collate-gateway.command.finished.v1";

const gateway = new Gateway(url, key, { retries: { deadlineSeconds: 120 } });
const events = await gateway.events().open();
const streamed = [];

async function request(authorizationId) {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * Number(OVER_SECONDS) * 1000));
  return gateway.requestHandoff(authorizationId, { metadata: { case: authorizationId } }, { wait: 150 });
}

async function read() {
  const finished = new Set();
  for await (const event of events) {
    streamed.push([event.authorizationId, event.sequence, event.type, event.missing]);
    if (event.type === FINISHED) finished.add(event.data.commandId);
    if (finished.size === authorizations.length) return;
  }
}

console.error("open"); // the test begins to restart
const reading = read();
const outcomes = await Promise.all(authorizations.map(request));
await reading;
console.log(JSON.stringify({ outcomes, streamed, reconnects: events.reconnects }));
