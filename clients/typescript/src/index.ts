/**
 * The client of the Collate handoff gateway: commands, outcomes and events, with safe retries.
 *
 *     const gateway = new Gateway("https://gateway.example", "cgk_…");
 *     const outcome = await gateway.requestHandoff("auth_7Q2M", {}, { wait: 30 });
 */

export { pathOf, post, read, type Call } from "./calls.ts";
export { Signer, type Credential } from "./credentials.ts";
export { GatewayError, GatewayProblem, NotAnswered, NotFinished, type Fault } from "./errors.ts";
export { EventStream, type StreamOptions } from "./event-stream.ts";
export * from "./gateway.ts";
export type { components } from "./generated.ts";
export { AccessGrant } from "./grants.ts";
export type * from "./models.ts";
export type { GatewayEvent } from "./progress.ts";
export type { RetryPolicy } from "./retries.ts";
export { SecretText } from "./secret.ts";
export { VERSION } from "./version.ts";
