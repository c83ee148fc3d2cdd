/**
 * The credentials of a caller: an API key, a bearer token, or a secret that signs commands (Standard Webhooks).
 *
 * A wrong value is refused here, without its text: HTTP libraries quote a header that they cannot send.
 */

/** An API key, a token, a function that returns a token for each try, or a Signer. */
export type Credential = string | (() => string | Promise<string>) | Signer;

const PREFIX = "whsec_";

/** Return the header of a credential. Throws TypeError, without the value. */
export async function authorization(credential: Credential): Promise<Record<string, string>> {
  if (credential instanceof Signer) {
    throw new TypeError("a signer can only send commands with `sendEvent`: use an API key or a token");
  }
  const token = typeof credential === "string" ? credential : await credential();
  if (!/^[!-~]+$/.test(token)) {
    throw new TypeError("the credential has to be visible ASCII without spaces or line ends");
  }
  return { authorization: `Bearer ${token}` };
}

/** Signs commands by Standard Webhooks, without an API key or a token. Only `sendEvent` can be signed. */
export class Signer {
  /** The name of this service in the gateway's callers file. */
  readonly caller: string;
  readonly #key: Uint8Array<ArrayBuffer>;

  /** `secret` is `whsec_` and base64. Throws TypeError, without the value. */
  constructor(caller: string, secret: string) {
    this.caller = caller;
    const text = secret.trim();
    try {
      const bytes = atob(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text);
      this.#key = Uint8Array.from(bytes, (character) => character.charCodeAt(0));
    } catch {
      throw new TypeError("the signing secret has to be whsec_ and base64");
    }
  }

  /** Return the headers that sign a body. */
  async headers(messageId: string, body: string, nowMilliseconds: number): Promise<Record<string, string>> {
    const timestamp = String(Math.floor(nowMilliseconds / 1000));
    const key = await crypto.subtle.importKey("raw", this.#key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const signed = new TextEncoder().encode(`${messageId}.${timestamp}.${body}`);
    const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
    return {
      "webhook-id": messageId,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${btoa(String.fromCharCode(...signature))}`,
    };
  }
}
