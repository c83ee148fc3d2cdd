/** Sends calls: the tries of one call, and the wait for a command's outcome. */

import { headersOf, preferredWait, read, type Call } from "./calls.ts";
import { authorization, Signer, type Credential } from "./credentials.ts";
import { GatewayError, GatewayProblem, isObject, NotAnswered, NotFinished, problemOf } from "./errors.ts";
import type { CommandAccepted, CommandOutcome, CommandStatus } from "./models.ts";
import { Backoff, RETRIED_STATUSES, type RetryPolicy } from "./retries.ts";

// The gateway answers a waiting request within two seconds of its wait.
const WAIT_MARGIN_SECONDS = 5;
const FIRST_POLL_SECONDS = 0.25;
const LONGEST_POLL_SECONDS = 2;

/** A 2xx with its JSON. */
export interface Answer {
  readonly headers: Headers;
  readonly body: unknown;
}

export interface SendOptions {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** When the call ends (milliseconds of `now`); default: the policy's deadline. */
  readonly endsAt?: number;
  /** The end of the wait for the outcome that each try requests. */
  readonly waitUntil?: number;
}

/** Milliseconds that never go back. */
export const now = (): number => performance.now();

/** Sends calls with one credential to one gateway. */
export class Sender {
  readonly baseUrl: string;
  readonly retries: RetryPolicy;
  readonly #credential: Credential;
  readonly #fetch: typeof fetch;

  /** Throws TypeError for a URL that is not http(s)://host. */
  constructor(baseUrl: string, credential: Credential, retries: RetryPolicy, fetchFunction: typeof fetch) {
    const url = new URL(baseUrl);
    if (!["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "") {
      throw new TypeError("the address of the gateway has to be https://host, without a user");
    }
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.retries = retries;
    this.#credential = credential;
    // A browser's fetch needs its own `this`.
    this.#fetch = (input, init) => fetchFunction(input, init);
  }

  /** Send a call until it has a result, or until its deadline. */
  async send(call: Call, options: SendOptions = {}): Promise<Answer> {
    const endsAt = options.endsAt ?? now() + this.retries.deadlineSeconds * 1000;
    const backoff = new Backoff(this.retries.firstPauseSeconds, this.retries.longestPauseSeconds);
    let isUnknown = false;
    for (;;) {
      options.signal?.throwIfAborted();
      const result = await this.#try(call, endsAt, options);
      if (!(result instanceof GatewayError)) return result;
      result.idempotencyKey = call.idempotencyKey;
      result.earlierTryIsUnknown = isUnknown;
      isUnknown = result.resultIsUnknown;
      const after = result instanceof GatewayProblem ? result.retryAfterSeconds : undefined;
      const pause = backoff.pause(Math.random(), after) * 1000;
      if (!isRetried(result) || now() + pause >= endsAt) throw result;
      await sleep(pause, options.signal);
    }
  }

  /** Send a command and return its outcome. Throws NotFinished after `waitSeconds`, and for a dead letter. */
  async outcome(call: Call, waitSeconds: number, signal?: AbortSignal): Promise<CommandOutcome> {
    const waitUntil = now() + waitSeconds * 1000;
    const endsAt = Math.max(waitUntil, now() + this.retries.deadlineSeconds * 1000);
    let answer = await this.send(call, { endsAt, waitUntil, signal });
    let pause = FIRST_POLL_SECONDS * 1000;
    for (;;) {
      const command = answer.body as CommandAccepted | CommandOutcome | CommandStatus;
      if (command.status === "finished") return command as CommandOutcome;
      const left = waitUntil - now();
      if (command.status === "dead_lettered" || left <= 0) {
        throw new NotFinished(command as CommandAccepted | CommandStatus, call.idempotencyKey);
      }
      await sleep(Math.min(pause, left), signal);
      pause = Math.min(LONGEST_POLL_SECONDS * 1000, pause * 1.5);
      answer = await this.#poll(call, answer, waitUntil, signal);
    }
  }

  /** Return the header of the credential. Throws TypeError for a wrong one, and what the program's function throws. */
  authorization(): Promise<Record<string, string>> {
    return authorization(this.#credential);
  }

  /** Send a call and return the open response. Rejects when the network fails. */
  openStream(call: Call, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const own = { accept: "text/event-stream", "cache-control": "no-cache" };
    return this.#request(call, { ...own, ...headers }, call.query, signal);
  }

  /** Return the command's next status. Without a response, return the last status. */
  async #poll(call: Call, last: Answer, waitUntil: number, signal?: AbortSignal): Promise<Answer> {
    const path = statusPath(last.headers.get("location") ?? "");
    try {
      if (path === undefined || this.#credential instanceof Signer) {
        return await this.send(call, { endsAt: waitUntil, waitUntil, signal });
      }
      const answer = await this.send(read(path), { endsAt: waitUntil, signal });
      return { headers: last.headers, body: answer.body };
    } catch (error) {
      if (error instanceof GatewayError && isRetried(error)) return last;
      throw error;
    }
  }

  async #try(call: Call, endsAt: number, options: SendOptions): Promise<Answer | GatewayProblem | NotAnswered> {
    const headers = headersOf(call);
    let [silence, query] = [this.retries.attemptSeconds, call.query];
    const wait = options.waitUntil === undefined ? 0 : preferredWait((options.waitUntil - now()) / 1000);
    if (wait >= 1) {
      headers["prefer"] = `wait=${wait}`;
      silence += wait + WAIT_MARGIN_SECONDS;
    }
    if (this.#credential instanceof Signer && call.messageId !== undefined && call.body !== undefined) {
      query = `?caller=${encodeURIComponent(this.#credential.caller)}`;
      Object.assign(headers, await this.#credential.headers(call.messageId, call.body, Date.now()));
    } else {
      Object.assign(headers, await authorization(this.#credential));
    }
    const bounded = new BoundedSignal(options.signal);
    bounded.abortAfter(Math.max(50, Math.min(silence * 1000, endsAt - now())));
    try {
      const response = await this.#request(call, headers, query, bounded.signal);
      const content = await response.text();
      if (!response.ok) return problemOf(response.status, response.headers, content);
      return { headers: response.headers, body: JSON.parse(content) };
    } catch (error) {
      options.signal?.throwIfAborted();
      return failureOf(error, call);
    } finally {
      bounded.release();
    }
  }

  #request(call: Call, headers: Record<string, string>, query: string, signal: AbortSignal): Promise<Response> {
    return this.#fetch(this.baseUrl + call.path + query, {
      method: call.method,
      headers,
      body: call.body ?? null,
      signal,
      redirect: "manual",
      cache: "no-store",
      credentials: "omit",
    });
  }
}

/** A signal that aborts with another one, or after a time that may begin again. */
export class BoundedSignal {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #abort = (): void => this.#controller.abort();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer;
    outer?.addEventListener("abort", this.#abort);
    if (outer?.aborted === true) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abortAfter(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#abort, milliseconds);
  }

  /** Stop the time, and forget the other signal. */
  release(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#abort);
  }
}

/** Return the path of a command's status in a Location. A proxy may have prepended an address. */
export function statusPath(location: string): string | undefined {
  const at = location.indexOf("/v1/commands/");
  return at < 0 ? undefined : location.slice(at);
}

/** Return whether another try may have another result. */
export function isRetried(error: GatewayError): boolean {
  return error instanceof NotAnswered || (error instanceof GatewayProblem && RETRIED_STATUSES.has(error.status));
}

/** Return the failure of a try, with a code such as ECONNREFUSED only: HTTP libraries quote headers in their texts. */
export function failureOf(error: unknown, call: Call): NotAnswered {
  const cause = error instanceof Error && isObject(error.cause) ? error.cause["code"] : undefined;
  const name = typeof cause === "string" ? cause : error instanceof Error ? error.name : "unknown";
  return new NotAnswered(`no answer to ${call.method} ${call.path}: ${name}`);
}

/** Wait. Rejects with the signal's reason when it aborts. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, milliseconds);
    if (signal?.aborted === true) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
