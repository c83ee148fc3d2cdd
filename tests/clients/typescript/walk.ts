// Request, grant and close with the types that openapi-typescript generated. Prints one line of JSON.

import { randomUUID } from "node:crypto";

import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

type Outcome = components["schemas"]["CommandOutcome"];
type Accepted = components["schemas"]["CommandAccepted"];
type Report = components["schemas"]["HandoffCloseBody"];

function fromEnvironment(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

function finished(command: Outcome | Accepted | undefined): Outcome {
  if (command?.status !== "finished") throw new Error(`the command has not finished: ${JSON.stringify(command)}`);
  return command;
}

const authorizationId = fromEnvironment("GATEWAY_CLIENT_AUTHORIZATION");
const client = createClient<paths>({
  baseUrl: fromEnvironment("GATEWAY_CLIENT_URL"),
  headers: { Authorization: `Bearer ${fromEnvironment("GATEWAY_CLIENT_KEY")}` },
});
const newKey = () => ({ "Idempotency-Key": randomUUID(), Prefer: "wait=30" });

const opened = await client.POST("/v1/authorizations/{authorizationId}/handoffs", {
  params: { path: { authorizationId }, header: newKey() },
  body: { requestedBy: "op-7", metadata: { case: "case-0042" } },
});
const handoffId = finished(opened.data).handoffId;
if (handoffId === undefined) throw new Error("the outcome names no handoff");

const granted = await client.POST("/v1/authorizations/{authorizationId}/handoffs/{handoffId}/access-grants", {
  params: { path: { authorizationId, handoffId } },
  body: { operator: "op-7" },
});
if (granted.data === undefined) throw new Error(`no grant: ${JSON.stringify(granted.error)}`);

const close = (body: Report, header: { "Idempotency-Key": string; Prefer: string }) =>
  client.POST("/v1/authorizations/{authorizationId}/handoffs/{handoffId}/close", {
    params: { path: { authorizationId, handoffId }, header },
    body,
  });
const wrong = await close({ result: { type: "unable_to_complete", reason: "Not a slug" } }, newKey());
if (wrong.response.status !== 422) throw new Error(`a wrong report got ${wrong.response.status}`);

const report: Report = { result: { type: "completed", reportedOutcome: "submitted" } };
const key = newKey();
const closed = finished((await close(report, key)).data);
const again = await close(report, key);
if (again.response.headers.get("Idempotency-Replayed") !== "true") throw new Error("the retry is another command");

const sent = await client.POST("/v1/commands", {
  headers: { "Content-Type": "application/cloudevents+json" },
  body: {
    specversion: "1.0",
    id: randomUUID(),
    source: "/clients",
    type: "collate-gateway.authorization.watch.v1",
    subject: authorizationId,
    data: {},
  },
});
if (sent.response.status !== 202) throw new Error(`the event got ${sent.response.status}`);

console.log(
  JSON.stringify({
    handoffId,
    grantUrl: granted.data.url,
    status: closed.status,
    outcome: closed.outcome,
    pointer: wrong.error?.errors?.[0]?.pointer,
  }),
);
