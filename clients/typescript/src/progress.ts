/** What a program has received of an event stream: where to resume, which events repeat, which are missing. Pure. */

import { isObject } from "./errors.ts";
import type { EventDataByType, EventType } from "./models.ts";
import type { Frame } from "./sse.ts";

export const ENDED = "stream.ended";
const REMEMBERED = 20_000;

/** A frame that is not a CloudEvent. */
export class UnreadableEvent extends Error {}

interface EventOf<Type extends string, Data> {
  /** Unique within `source`. */
  readonly id: string;
  /** The scope of `sequence`: the installation, `/authorizations/`, and the authorization id. */
  readonly source: string;
  readonly type: Type;
  readonly authorizationId: string;
  /** The number of the event within its authorization, from 1, without gaps. Number 1 with a new id begins a new life. */
  readonly sequence: number;
  /** When it was published (RFC 3339). */
  readonly time: string;
  readonly data: Data;
  /** Give it to `events({ after })` to resume behind this event, also in another process. */
  readonly position: string;
  /**
   * The number of events of this authorization that are absent between the last one and this one. 0 for the first
   * event of an authorization, and for a stream with a filter by type.
   */
  readonly missing: number;
}

/** An event of the gateway. `type` selects the type of `data`; a newer gateway may send further types. */
export type GatewayEvent = { [Type in EventType]: EventOf<Type, EventDataByType[Type]> }[EventType];

/** Follows the frames of one stream over all its connections. The numbers that it remembers are bounded. */
export class StreamProgress {
  /** The position behind the last frame. */
  position: string | undefined;
  endReason: string | undefined;
  readonly #isFilteredByType: boolean;
  readonly #seen = new Map<string, true>();
  readonly #sequences = new Map<string, number>();

  /** `after` is the position to resume behind; undefined begins now. */
  constructor(after: string | undefined, isFilteredByType: boolean) {
    this.position = after;
    this.#isFilteredByType = isFilteredByType;
  }

  /** Return the frame's event, unless it is a repeat or no event. Throws UnreadableEvent. */
  take(frame: Frame): GatewayEvent | undefined {
    if (frame.position !== undefined) this.position = frame.position;
    if (frame.data === undefined) return undefined;
    const document = parsed(frame.data);
    if (frame.type === ENDED) {
      this.endReason = String(document["reason"] ?? "");
      return undefined;
    }
    const { id, source, type, subject, time, data } = document;
    const sequence = Number(document["sequence"]);
    if ([id, source, type, subject, time].some((one) => typeof one !== "string") || !Number.isInteger(sequence)) {
      throw new UnreadableEvent();
    }
    const identity = JSON.stringify([source, id]);
    if (this.#seen.has(identity)) return undefined;
    remember(this.#seen, identity, true);
    const authorizationId = subject as string;
    const missing = this.#missing(authorizationId, sequence);
    const position = this.position ?? "";
    return { id, source, type, authorizationId, sequence, time, data, position, missing } as GatewayEvent;
  }

  #missing(authorizationId: string, sequence: number): number {
    const last = this.#sequences.get(authorizationId);
    remember(this.#sequences, authorizationId, sequence);
    // A smaller number begins the sequence of an authorization that the gateway had forgotten.
    return this.#isFilteredByType || last === undefined ? 0 : Math.max(0, sequence - last - 1);
  }
}

function parsed(data: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(data);
  } catch {
    throw new UnreadableEvent();
  }
  if (!isObject(document)) throw new UnreadableEvent();
  return document;
}

function remember<Value>(memory: Map<string, Value>, key: string, value: Value): void {
  // A Map iterates in the order of insertion, so its first key is the oldest.
  memory.delete(key);
  memory.set(key, value);
  if (memory.size > REMEMBERED) memory.delete(memory.keys().next().value as string);
}
