/**
 * What a call can throw.
 *
 *     GatewayError
 *     ├─ GatewayProblem   the gateway answered with a problem (RFC 9457), or a proxy with an error status
 *     ├─ NotAnswered      no usable answer before the deadline: the connection failed, or every try timed out
 *     └─ NotFinished      `wait` ended before the command's outcome; the command is stored
 *
 * No text of these contains a header, a body that was sent, or a message of Collate.
 */

import type { CommandAccepted, CommandStatus } from "./models.ts";
import { retryAfter } from "./retries.ts";

export const PREFIX = "urn:collate-gateway:problem:";
const UNKNOWN_RESULT: ReadonlySet<number> = new Set([500, 502, 503, 504]);
const OWN_MEMBERS: ReadonlySet<string> = new Set(["type", "title", "status", "detail", "requestId", "errors"]);

/** One thing to correct in a request. One of `pointer`, `header` and `parameter` is set. */
export interface Fault {
  /** The value that the gateway expects; never the value that it found. */
  readonly expected: string;
  /** A JSON pointer (RFC 6901) into the body; `""` is the whole body. */
  readonly pointer?: string;
  readonly header?: string;
  readonly parameter?: string;
}

/** A call without a result. */
export class GatewayError extends Error {
  /** The key of the call; undefined for a read. The same call with this key is the same command. */
  idempotencyKey: string | undefined;
  /** Whether an earlier try of the same call may have stored the command. */
  earlierTryIsUnknown = false;

  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }

  /** Whether the command may be stored. Then send it again with `idempotencyKey`, within a day. */
  get resultIsUnknown(): boolean {
    return this.earlierTryIsUnknown;
  }
}

/** No usable answer arrived before the deadline. A command may be stored. */
export class NotAnswered extends GatewayError {
  override get resultIsUnknown(): boolean {
    return this.idempotencyKey !== undefined;
  }
}

/** `wait` ended before the outcome. The command is stored and will end, or an operator must decide. */
export class NotFinished extends GatewayError {
  /** The last status. */
  readonly command: CommandAccepted | CommandStatus;

  constructor(command: CommandAccepted | CommandStatus, idempotencyKey: string | undefined) {
    super(`command ${command.commandId} has no outcome yet: it is ${command.status}`);
    this.command = command;
    this.idempotencyKey = idempotencyKey;
  }

  get commandId(): string {
    return this.command.commandId;
  }

  /** accepted, waiting, or dead_lettered: an operator must decide. */
  get status(): string {
    return this.command.status;
  }
}

/** The gateway refused or could not serve the request. */
export class GatewayProblem extends GatewayError {
  /** The HTTP status. */
  readonly status: number;
  /** The problem's URN; `about:blank` for an answer of a proxy. */
  readonly type: string;
  /** The stable last part of `type`, such as `invalid-command`. */
  readonly slug: string;
  readonly title: string;
  /** What to do next. */
  readonly detail: string;
  /** The id in the gateway's log. */
  readonly requestId: string;
  /** What to correct in the request. */
  readonly faults: readonly Fault[];
  readonly retryAfterSeconds: number | undefined;
  readonly #members: Readonly<Record<string, unknown>>;

  constructor(status: number, document: Readonly<Record<string, unknown>>, headers: Headers) {
    const text = (name: string, otherwise: string): string =>
      typeof document[name] === "string" ? (document[name] as string) : otherwise;
    const type = text("type", "about:blank");
    const slug = type.startsWith(PREFIX) ? type.slice(PREFIX.length) : type;
    const title = text("title", "an error without a problem document");
    const detail = text("detail", "");
    const requestId = text("requestId", headers.get("x-request-id") ?? "");
    const faults = faultsOf(document["errors"]);
    const where = faults.map((one) => `${one.pointer ?? one.header ?? one.parameter ?? ""}: ${one.expected}`);
    const parts = [`${status} ${slug}: ${title}. ${detail}`.trim(), where.join("; "), `request ${requestId}`];
    super(parts.filter((part) => part !== "").join(" | "));
    this.status = status;
    this.type = type;
    this.slug = slug;
    this.title = title;
    this.detail = detail;
    this.requestId = requestId;
    this.faults = faults;
    this.retryAfterSeconds = retryAfter(headers.get("retry-after"), Date.now());
    this.#members = Object.fromEntries(Object.entries(document).filter(([name]) => !OWN_MEMBERS.has(name)));
  }

  /**
   * The further members, such as `reason`, `handoffId`, `claimedBy` or `kept`. No text form shows them: `message` is a
   * text of Collate for the operator.
   */
  get members(): Readonly<Record<string, unknown>> {
    return this.#members;
  }

  /** The reason of a live call, for programs. */
  get reason(): string | undefined {
    const reason = this.#members["reason"];
    return typeof reason === "string" ? reason : undefined;
  }

  /** Whether the command may be stored. `kept: no` says that this try did not store it. */
  override get resultIsUnknown(): boolean {
    const isCommand = this.idempotencyKey !== undefined;
    const isUnknown = UNKNOWN_RESULT.has(this.status) && this.#members["kept"] !== "no";
    return this.earlierTryIsUnknown || (isCommand && isUnknown);
  }
}

/** Return the problem in an answer. Another body, such as a proxy's page, is dropped. */
export function problemOf(status: number, headers: Headers, content: string): GatewayProblem {
  let document: unknown;
  try {
    document = (headers.get("content-type") ?? "").includes("json") ? JSON.parse(content) : undefined;
  } catch {
    document = undefined;
  }
  return new GatewayProblem(status, isObject(document) ? document : {}, headers);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function faultsOf(errors: unknown): Fault[] {
  if (!Array.isArray(errors)) return [];
  return errors.filter(isObject).map((error) => {
    const place = ["pointer", "header", "parameter"].filter((name) => typeof error[name] === "string");
    return { expected: String(error["detail"] ?? ""), ...Object.fromEntries(place.map((name) => [name, error[name]])) };
  });
}
