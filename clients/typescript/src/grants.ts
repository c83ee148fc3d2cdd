import type { AccessGranted } from "./models.ts";
import { SecretText } from "./secret.ts";

/** A link. Pass `url.reveal()` to the operator's browser, store it nowhere, drop it at `handoff.closed`. */
export class AccessGrant {
  readonly handoffId: string;
  /** The grant's id, as secret as the link. */
  readonly id: SecretText;
  /** The link. */
  readonly url: SecretText;
  /** When the link expires (RFC 3339). */
  readonly expiresAt: string;
  /** For people: whether the gateway checked for another person's claim. */
  readonly claimCheck: AccessGranted["claimCheck"];
  readonly #message: string | undefined;

  constructor(answer: AccessGranted) {
    this.handoffId = answer.handoffId;
    this.id = new SecretText(answer.id);
    this.url = new SecretText(answer.url);
    this.expiresAt = answer.expiresAt;
    this.claimCheck = answer.claimCheck;
    this.#message = answer.message;
  }

  /** Collate's text for the operator, which may be about a patient; no text form shows it. */
  get message(): string | undefined {
    return this.#message;
  }
}
