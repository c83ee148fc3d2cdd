/**
 * The client: one method for each operation that services and their staff need.
 *
 * Fields have the names of the API, so the reference is the OpenAPI document that the gateway serves at /openapi.json.
 */

import { event, pathOf, post, read, type Call, type Query } from "./calls.ts";
import type { Credential } from "./credentials.ts";
import { EventStream, type StreamOptions } from "./event-stream.ts";
import { AccessGrant } from "./grants.ts";
import type {
  AccessGrantBody,
  AccessGranted,
  AuthorizationStatus,
  AuthorizationWatch,
  CommandAccepted,
  CommandOutcome,
  CommandStatus,
  EventType,
  HandoffCloseBody,
  HandoffRequest,
  HandoffStatus,
  LiveHandoff,
  Me,
  Overview,
  PayerEvidence,
  ReleaseAccepted,
  Review,
  TimelineEntry,
  WorkItem,
} from "./models.ts";
import { StreamProgress } from "./progress.ts";
import { DEFAULT_POLICY, type RetryPolicy } from "./retries.ts";
import { Sender } from "./sender.ts";

export interface GatewayOptions {
  readonly retries?: Partial<RetryPolicy>;
  /** Replaces the global fetch, for certificates and proxies. */
  readonly fetch?: typeof fetch;
}

export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface KeyOptions extends CallOptions {
  /** The Idempotency-Key. Without one, each call is a new command. */
  readonly key?: string;
}

/** Without `wait` a command returns as soon as it is stored. */
export interface CommandOptions extends KeyOptions {
  readonly wait?: undefined;
}

/** With `wait` (seconds) a command returns its outcome, or throws NotFinished. */
export interface WaitOptions extends KeyOptions {
  readonly wait: number;
}

export interface PageOptions extends CallOptions {
  /** The size of a page. */
  readonly limit?: number;
}

export interface EventOptions extends StreamOptions {
  readonly types?: readonly EventType[];
  readonly authorizationIds?: readonly string[];
  /** The position to resume behind. Default: from now on. */
  readonly after?: string;
}

type Commanded = Promise<CommandAccepted | CommandOutcome>;
type AnyOptions = CommandOptions | WaitOptions;

/** A gateway, as one caller uses it. Every method throws GatewayProblem and NotAnswered. */
export class Gateway {
  readonly #sender: Sender;

  /** `credential`: an API key, a token, a function that returns a token, or a Signer. */
  constructor(baseUrl: string, credential: Credential, options: GatewayOptions = {}) {
    const retries = { ...DEFAULT_POLICY, ...options.retries };
    this.#sender = new Sender(baseUrl, credential, retries, options.fetch ?? fetch);
  }

  /** Send a call of `read` or `post`, for any operation of the API, and return the JSON of its answer. */
  async send<Body = unknown>(call: Call, options: CallOptions = {}): Promise<Body> {
    return (await this.#sender.send(call, { signal: options.signal })).body as Body;
  }

  /** Request a manual handoff. */
  requestHandoff(authorizationId: string, body: HandoffRequest, options: WaitOptions): Promise<CommandOutcome>;
  requestHandoff(authorizationId: string, body?: HandoffRequest, options?: CommandOptions): Promise<CommandAccepted>;
  requestHandoff(authorizationId: string, body: HandoffRequest = {}, options: AnyOptions = {}): Commanded {
    return this.#command(post(pathOf("authorizations", authorizationId, "handoffs"), body, options.key), options);
  }

  /** Close a handoff with the operator's report. */
  closeHandoff(id: string, handoffId: string, body: HandoffCloseBody, options: WaitOptions): Promise<CommandOutcome>;
  closeHandoff(id: string, handoffId: string, body: HandoffCloseBody, o?: CommandOptions): Promise<CommandAccepted>;
  closeHandoff(id: string, handoffId: string, body: HandoffCloseBody, options: AnyOptions = {}): Commanded {
    return this.#command(post(pathOf("authorizations", id, "handoffs", handoffId, "close"), body, options.key), options);
  }

  /** Watch an authorization until it settles. */
  watch(authorizationId: string, body: AuthorizationWatch, options: WaitOptions): Promise<CommandOutcome>;
  watch(authorizationId: string, body?: AuthorizationWatch, options?: CommandOptions): Promise<CommandAccepted>;
  watch(authorizationId: string, body: AuthorizationWatch = {}, options: AnyOptions = {}): Commanded {
    return this.#command(post(pathOf("authorizations", authorizationId, "watch"), body, options.key), options);
  }

  /** Send a command as a CloudEvent; `source` and `key` (its id) are its key. A Signer can send this only. */
  sendEvent(type: string, id: string, data: object, o: WaitOptions & { source: string }): Promise<CommandOutcome>;
  sendEvent(type: string, id: string, data: object, o: CommandOptions & { source: string }): Promise<CommandAccepted>;
  sendEvent(type: string, id: string, data: object, options: AnyOptions & { source: string }): Commanded {
    return this.#command(event(type, id, data, options.source, options.key), options);
  }

  /** Return a link into the live payer session. The same `key` returns the same link for a while. */
  async accessGrant(id: string, handoffId = "active", body: AccessGrantBody = {}, o: KeyOptions = {}): Promise<AccessGrant> {
    const call = post(pathOf("authorizations", id, "handoffs", handoffId, "access-grants"), body, o.key);
    return new AccessGrant((await this.#sender.send(call, { signal: o.signal })).body as AccessGranted);
  }

  /** Give back a claimed handoff. For people, with their own token. */
  async releaseHandoff(id: string, handoffId: string, options: CallOptions = {}): Promise<ReleaseAccepted> {
    const call = post(pathOf("authorizations", id, "handoffs", handoffId, "release"), {}, undefined);
    return (await this.#sender.send(call, { signal: options.signal })).body as ReleaseAccepted;
  }

  /** Return the content that a reviewer must accept: PHI. The read is on record. */
  reviewSnapshot(authorizationId: string, options: CallOptions & { operator?: string } = {}): Promise<Review> {
    const { operator, signal } = options;
    return this.#read(pathOf("authorizations", authorizationId, "review-snapshot"), { operator }, signal);
  }

  /** Return the payer's receipt and decision: PHI. The read is on record. */
  payerEvidence(authorizationId: string, options: CallOptions & { operator?: string } = {}): Promise<PayerEvidence> {
    const { operator, signal } = options;
    return this.#read(pathOf("authorizations", authorizationId, "payer-evidence"), { operator }, signal);
  }

  /** Return the state at Collate now. Its message is PHI, and the read is on record unless `message` is omit. */
  liveHandoff(
    authorizationId: string,
    handoffId = "active",
    options: CallOptions & { operator?: string; message?: "omit" } = {},
  ): Promise<LiveHandoff> {
    const { operator, message, signal } = options;
    return this.#read(pathOf("authorizations", authorizationId, "handoffs", handoffId), { operator, message }, signal);
  }

  /** Return the status of a command. */
  command(commandId: string, options: CallOptions = {}): Promise<CommandStatus> {
    return this.#read(pathOf("commands", commandId), {}, options.signal);
  }

  /** Return the latest state of an authorization. */
  authorization(authorizationId: string, options: CallOptions = {}): Promise<AuthorizationStatus> {
    return this.#read(pathOf("authorizations", authorizationId), {}, options.signal);
  }

  /** Return the state of the whole gateway. */
  overview(options: CallOptions & { history?: "1h" } = {}): Promise<Overview> {
    return this.#read(pathOf("overview"), { history: options.history }, options.signal);
  }

  /** Return this caller, its permissions and its limits. */
  me(options: CallOptions = {}): Promise<Me> {
    return this.#read(pathOf("me"), {}, options.signal);
  }

  /** Iterate over the history of an authorization. */
  timeline(
    authorizationId: string,
    options: PageOptions & { order?: "oldest" | "newest"; since?: string } = {},
  ): AsyncGenerator<TimelineEntry, void, undefined> {
    return this.#pages(pathOf("authorizations", authorizationId, "timeline"), "entries", options);
  }

  /** Iterate over the authorizations that need work, the most urgent first unless `order` says another. */
  authorizations(
    options: PageOptions & {
      needs?: "person" | "handoff" | "open" | "at_risk" | "overdue" | "contradicted";
      order?: "urgent" | "due" | "wait" | "payer";
      payer?: string;
      claimedBy?: string;
      caller?: string;
      metadata?: Readonly<Record<string, string>>;
      since?: string;
      before?: string;
    } = {},
  ): AsyncGenerator<WorkItem, void, undefined> {
    return this.#pages(pathOf("authorizations"), "authorizations", options);
  }

  /** Iterate over commands by acceptance: your own, or all with authorization:read. */
  commands(
    options: PageOptions & {
      authorizationId?: string;
      status?: "accepted" | "waiting" | "dead_lettered" | "finished";
      kind?: "handoff.request" | "handoff.close" | "authorization.watch";
      reason?: string;
      caller?: string;
      metadata?: Readonly<Record<string, string>>;
      order?: "oldest" | "newest";
      since?: string;
      before?: string;
    } = {},
  ): AsyncGenerator<CommandStatus, void, undefined> {
    return this.#pages(pathOf("commands"), "commands", options);
  }

  /** Iterate over the handoffs in one state, by the time of the opening or the end. */
  handoffs(
    options: PageOptions & { state?: "active" | "closed"; order?: "oldest" | "newest"; since?: string } = {},
  ): AsyncGenerator<HandoffStatus, void, undefined> {
    return this.#pages(pathOf("handoffs"), "handoffs", options);
  }

  /** Iterate over the events, from now on or behind the position `after`, without an end. */
  events(options: EventOptions = {}): EventStream {
    const { types = [], authorizationIds = [], after, ...rest } = options;
    const call = read(pathOf("events"), { type: types, authorizationId: authorizationIds });
    return new EventStream(this.#sender, call, new StreamProgress(after, types.length > 0), rest);
  }

  async #command(call: Call, options: AnyOptions): Commanded {
    if (options.wait !== undefined) return this.#sender.outcome(call, options.wait, options.signal);
    return (await this.#sender.send(call, { signal: options.signal })).body as CommandAccepted;
  }

  async #read<Body>(path: string, query: Query, signal: AbortSignal | undefined): Promise<Body> {
    return (await this.#sender.send(read(path, query), { signal })).body as Body;
  }

  async *#pages<Item>(
    path: string,
    member: string,
    options: PageOptions & { metadata?: Readonly<Record<string, string>> },
  ): AsyncGenerator<Item, void, undefined> {
    const { signal, metadata, ...query } = options;
    for (let cursor: string | undefined; ; ) {
      const call = read(path, { ...query, cursor }, metadata);
      const page = (await this.#sender.send(call, { signal })).body as Record<string, unknown>;
      yield* page[member] as Item[];
      cursor = page["next"] as string | undefined;
      if (cursor === undefined) return;
    }
  }
}
