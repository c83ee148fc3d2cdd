/**
 * The requests of the API, as values. Pure.
 *
 * A call with an `idempotencyKey` may change something. All its tries have the same method, path and bytes.
 */

export const MOST_WAIT_SECONDS = 30;
const JSON_TYPE = "application/json";

/** A value of a query; undefined is left out, an array becomes one parameter for each value. */
export type QueryValue = string | number | readonly string[] | undefined;
export type Query = Readonly<Record<string, QueryValue>>;

/** One request. `messageId` is set for a CloudEvent, which may be signed. */
export interface Call {
  readonly method: "GET" | "POST";
  /** The path, without the query. */
  readonly path: string;
  /** The query with its question mark, or "". */
  readonly query: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly idempotencyKey?: string;
  readonly messageId?: string;
}

/** Return the headers that do not depend on the try. */
export function headersOf(call: Call): Record<string, string> {
  const headers: Record<string, string> = { accept: "application/json, application/problem+json" };
  if (call.contentType !== undefined) headers["content-type"] = call.contentType;
  if (call.idempotencyKey !== undefined && call.messageId === undefined) {
    // A string of structured fields (RFC 8941).
    headers["idempotency-key"] = `"${call.idempotencyKey.replace(/[\\"]/g, "\\$&")}"`;
  }
  return headers;
}

/** Return a GET. */
export function read(path: string, query: Query = {}, metadata: Readonly<Record<string, string>> = {}): Call {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const values = Array.isArray(value) ? value : value === undefined ? [] : [String(value)];
    for (const one of values) parameters.append(name, one);
  }
  for (const [name, value] of Object.entries(metadata)) parameters.append(`metadata.${name}`, value);
  const text = parameters.toString();
  return { method: "GET", path, query: text === "" ? "" : `?${text}` };
}

/** Return a POST with a key: the given one, or a new one. */
export function post(path: string, body: object, key?: string): Call {
  const idempotencyKey = key === undefined ? crypto.randomUUID() : checked(key);
  return { method: "POST", path, query: "", body: JSON.stringify(body), contentType: JSON_TYPE, idempotencyKey };
}

/** Return a command as a structured CloudEvent. `source` and `id` are its key. */
export function event(type: string, subject: string, data: object, source: string, id: string | undefined): Call {
  const eventId = id === undefined ? crypto.randomUUID() : checked(id);
  const document = { specversion: "1.0", id: eventId, source, type, subject, datacontenttype: JSON_TYPE, data };
  return {
    method: "POST",
    path: "/v1/commands",
    query: "",
    body: JSON.stringify(document),
    contentType: "application/cloudevents+json",
    idempotencyKey: eventId,
    messageId: eventId,
  };
}

/** Return a path below /v1, each segment quoted. */
export function pathOf(...segments: readonly string[]): string {
  const quoted = segments.map((segment) => encodeURIComponent(segment).replace(/^\.{1,2}$/, encodeDots));
  return `/v1/${quoted.join("/")}`;
}

/** Return the Prefer header for a wait, at most what the gateway allows; nothing for less than a second. */
export function preferredWait(seconds: number): number {
  return Math.max(0, Math.min(MOST_WAIT_SECONDS, Math.floor(seconds)));
}

function encodeDots(dots: string): string {
  return "%2E".repeat(dots.length);
}

function checked(key: string): string {
  if (!/^[ -~]{1,255}$/.test(key)) throw new TypeError("the key has to have 1 to 255 characters of printable ASCII");
  return key;
}
