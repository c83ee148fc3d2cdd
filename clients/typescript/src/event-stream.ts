/** An iterator over the events that connects again and resumes. */

import type { Call } from "./calls.ts";
import { GatewayProblem, NotAnswered, problemOf, type GatewayError } from "./errors.ts";
import { StreamProgress, UnreadableEvent, type GatewayEvent } from "./progress.ts";
import { Backoff } from "./retries.ts";
import { BoundedSignal, failureOf, isRetried, now, sleep, type Sender } from "./sender.ts";
import { FrameParser, FrameTooLong, type Frame } from "./sse.ts";

const FIRST_PAUSE_SECONDS = 2;
const LONGEST_PAUSE_SECONDS = 10;
// The gateway sends a comment at least every 15 s.
const SILENCE_SECONDS = 45;
// After an end for one of these reasons, a replica accepts a new stream at once.
const RECONNECT_AT_ONCE: ReadonlySet<string | undefined> = new Set(["renew", "stopping", "slow"]);

export interface StreamOptions {
  /** Ends the iteration without an error. */
  readonly signal?: AbortSignal;
  /** The seconds without a connection after which the last failure is thrown. Default: never. */
  readonly giveUpAfter?: number;
  /** The seconds without a byte after which the connection counts as lost. Default: 45, three heartbeats. */
  readonly silence?: number;
  /** Called before each new connection, with the reason. */
  readonly onReconnect?: (reason: string) => void;
}

interface Connection {
  readonly bytes: ReadableStreamDefaultReader<Uint8Array>;
  readonly bounded: BoundedSignal;
  readonly parser: FrameParser;
}

/**
 * The events in order, without repeats.
 *
 * It connects again after each lost connection and resumes behind the last event that it has returned. It throws
 * GatewayProblem if the gateway refuses the stream (400, 401, 403), and the last failure after `giveUpAfter`.
 */
export class EventStream implements AsyncIterableIterator<GatewayEvent> {
  /** How often it has connected again. */
  reconnects = 0;
  readonly #sender: Sender;
  readonly #call: Call;
  readonly #progress: StreamProgress;
  readonly #options: StreamOptions;
  readonly #frames: Frame[] = [];
  readonly #backoff = new Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS);
  #connection: Connection | undefined;
  #lostAt: number | undefined;
  #isClosed = false;

  constructor(sender: Sender, call: Call, progress: StreamProgress, options: StreamOptions) {
    this.#sender = sender;
    this.#call = call;
    this.#progress = progress;
    this.#options = options;
  }

  /** The position behind the last event that was returned; undefined before the stream is open. */
  get position(): string | undefined {
    return this.#progress.position;
  }

  /** Connect. An event that happens after this returns is not missed. */
  async open(): Promise<this> {
    while (!this.#isOver() && (this.#connection === undefined || (this.position === undefined && !this.#frames.length))) {
      await this.#read();
      while (this.#frames[0] !== undefined && this.#frames[0].data === undefined) this.#take(this.#frames.shift()!);
    }
    return this;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Return the next event. After an error the stream is closed. */
  async next(): Promise<IteratorResult<GatewayEvent>> {
    try {
      for (;;) {
        if (this.#isOver()) return this.return();
        for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) {
          const event = this.#take(frame);
          if (event !== undefined) return { done: false, value: event };
        }
        await this.#read();
      }
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  /** Close the connection. A `for await` does this when it ends. */
  async return(): Promise<IteratorResult<GatewayEvent>> {
    this.#isClosed = true;
    this.#disconnect();
    return { done: true, value: undefined };
  }

  #isOver(): boolean {
    return this.#isClosed || this.#options.signal?.aborted === true;
  }

  #take(frame: Frame): GatewayEvent | undefined {
    if (frame.retryMilliseconds !== undefined) {
      this.#backoff.firstSeconds = Math.min(LONGEST_PAUSE_SECONDS, frame.retryMilliseconds / 1000);
    }
    try {
      return this.#progress.take(frame);
    } catch (error) {
      throw error instanceof UnreadableEvent ? new NotAnswered("the stream has an event that is no CloudEvent") : error;
    }
  }

  /** Read one piece of the stream. Connect first, or again, if there is no connection. */
  async #read(): Promise<void> {
    if (this.#connection === undefined) {
      // An error of the program's own function for tokens is its own to handle.
      const signed = await this.#sender.authorization();
      const failure = await this.#connect(signed);
      if (failure !== undefined) await this.#lost(failure);
      return;
    }
    const piece = await this.#receive(this.#connection);
    if (!(piece instanceof Uint8Array)) {
      await this.#lost(piece);
      return;
    }
    try {
      this.#frames.push(...this.#connection.parser.feed(piece));
    } catch (error) {
      throw error instanceof FrameTooLong ? new NotAnswered("the stream has an event that is too long") : error;
    }
    this.#backoff.reset();
    this.#lostAt = undefined;
  }

  /** Return the next bytes, or the failure; undefined after the last byte. */
  async #receive({ bytes, bounded }: Connection): Promise<Uint8Array | NotAnswered | undefined> {
    bounded.abortAfter((this.#options.silence ?? SILENCE_SECONDS) * 1000);
    const { signal } = bounded;
    let abort = (): void => undefined;
    try {
      // Aborting a fetch ends its body too, but only where the fetch is a real one.
      const aborted = new Promise<never>((_, reject) => (abort = () => reject(signal.reason)));
      signal.addEventListener("abort", abort);
      return (await Promise.race([bytes.read(), aborted])).value;
    } catch (error) {
      return failureOf(error, this.#call);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Connect. Returns a failure after which to connect again; throws one that no retry changes. */
  async #connect(signed: Record<string, string>): Promise<GatewayError | undefined> {
    const bounded = new BoundedSignal(this.#options.signal);
    bounded.abortAfter(this.#sender.retries.attemptSeconds * 1000);
    const headers: Record<string, string> = this.position === undefined ? {} : { "last-event-id": this.position };
    let problem: GatewayProblem;
    try {
      const response = await this.#sender.openStream(this.#call, { ...signed, ...headers }, bounded.signal);
      if (response.status === 200 && response.body !== null) {
        this.#progress.endReason = undefined;
        this.#connection = { bytes: response.body.getReader(), bounded, parser: new FrameParser() };
        return undefined;
      }
      problem = problemOf(response.status, response.headers, await response.text());
    } catch (error) {
      bounded.release();
      return failureOf(error, this.#call);
    }
    bounded.release();
    if (!isRetried(problem)) throw problem;
    return problem;
  }

  /** Wait before the next connection. No failure: the stream ended, which is expected for some reasons. */
  async #lost(failure: GatewayError | undefined): Promise<void> {
    this.#disconnect();
    if (this.#isOver()) return;
    const [at, reason] = [now(), this.#progress.endReason];
    this.#lostAt ??= at;
    const isExpected = failure === undefined && RECONNECT_AT_ONCE.has(reason);
    const after = failure instanceof GatewayProblem ? failure.retryAfterSeconds : undefined;
    const pause = 1000 * (isExpected ? Math.random() * 0.5 : this.#backoff.pause(Math.random(), after));
    const { giveUpAfter, signal } = this.#options;
    if (giveUpAfter !== undefined && at + pause - this.#lostAt > giveUpAfter * 1000) {
      throw failure ?? new NotAnswered(`the gateway ended the stream: ${reason ?? "without a reason"}`);
    }
    this.reconnects += 1;
    this.#options.onReconnect?.(reason ?? failure?.message ?? "the connection ended");
    await sleep(pause, signal).catch(() => undefined); // an abort ends the iteration
  }

  #disconnect(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#frames.length = 0;
    if (connection === undefined) return;
    connection.bounded.abortAfter(0);
    connection.bytes.cancel().catch(() => undefined); // the connection may have failed already
  }
}
