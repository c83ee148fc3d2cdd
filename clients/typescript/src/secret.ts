/**
 * A secret, such as the link into a payer session. Only `reveal()` returns it: pass it on, and store it nowhere.
 *
 * Text, JSON and `console.log` show asterisks.
 */
export class SecretText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Return the secret text. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "SecretText('***')";
  }
}
