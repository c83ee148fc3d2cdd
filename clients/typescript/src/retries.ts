/**
 * When a call is tried again. Pure: the caller passes the time and the random number.
 *
 *     what happened                                   what follows
 *     2xx                                             the result
 *     408, 429, 502, 503, 504                         again after Retry-After, or after a random pause
 *     connection lost, timeout, body not whole        again after a random pause
 *     any other status                                an error
 *
 * Each try of a call has the same Idempotency-Key, so a try whose result is unknown is safe to repeat.
 */

export const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** The bounds of a call. */
export interface RetryPolicy {
  /** The time of the whole call, with all tries and pauses. Default: 60. */
  readonly deadlineSeconds: number;
  /** The time of one try; `wait` adds its seconds. Default: 10. */
  readonly attemptSeconds: number;
  /** The bound of the first random pause; each further one is twice as long. Default: 0.2. */
  readonly firstPauseSeconds: number;
  /** The bound of every random pause. Default: 8. */
  readonly longestPauseSeconds: number;
}

export const DEFAULT_POLICY: RetryPolicy = {
  deadlineSeconds: 60,
  attemptSeconds: 10,
  firstPauseSeconds: 0.2,
  longestPauseSeconds: 8,
};

/** The pauses between tries: Retry-After, else full jitter below a bound that doubles. */
export class Backoff {
  firstSeconds: number;
  readonly #longestSeconds: number;
  #failures = 0;

  constructor(firstSeconds: number, longestSeconds: number) {
    this.firstSeconds = firstSeconds;
    this.#longestSeconds = longestSeconds;
  }

  /** Begin with the shortest pause again, after a success. */
  reset(): void {
    this.#failures = 0;
  }

  /** Return the seconds to wait. `random` is in [0, 1). */
  pause(random: number, retryAfterSeconds?: number): number {
    const bound = Math.min(this.#longestSeconds, this.firstSeconds * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    if (retryAfterSeconds !== undefined) {
      // Never earlier than the gateway says; the jitter separates callers that got the same answer.
      return retryAfterSeconds + random * Math.min(bound, this.firstSeconds);
    }
    return random * bound;
  }
}

/** Return the seconds of a Retry-After header: a number, or a date as proxies send it. */
export function retryAfter(header: string | null, nowMilliseconds: number): number | undefined {
  const text = (header ?? "").trim();
  if (/^[0-9]+$/.test(text)) return Number(text.slice(0, 9));
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - nowMilliseconds) / 1000);
}
