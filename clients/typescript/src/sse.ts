/**
 * A parser of server-sent events, as the WHATWG's HTML standard defines them. Pure: bytes in, frames out.
 *
 * Any split of the bytes into pieces gives the same frames. A frame is complete: its blank line has arrived. So a
 * position that follows frames never passes an event whose bytes are cut off.
 */

export const MOST_CHARACTERS = 8 << 20;

/** A frame: the fields before one blank line. */
export interface Frame {
  /** The last `id` so far; undefined before the first one. */
  readonly position: string | undefined;
  /** The `event` field; empty without one. */
  readonly type: string;
  /** The `data` lines; undefined if there are none, as in a frame with an id only. */
  readonly data: string | undefined;
  /** The `retry` field. */
  readonly retryMilliseconds: number | undefined;
}

/** A frame is longer than `MOST_CHARACTERS`. */
export class FrameTooLong extends Error {}

/** Parses the bytes of one connection. */
export class FrameParser {
  readonly #decoder = new TextDecoder("utf-8");
  #rest = "";
  #position: string | undefined;
  #type = "";
  #data: string[] = [];
  #retry: number | undefined;
  #characters = 0;

  /** Return the frames that this piece completes. Throws FrameTooLong. */
  feed(piece: Uint8Array): Frame[] {
    const text = this.#rest + this.#decoder.decode(piece, { stream: true });
    // The next piece may begin with the line feed of this carriage return.
    const held = text.endsWith("\r") ? "\r" : "";
    const lines = text.slice(0, text.length - held.length).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + held;
    const frames: Frame[] = [];
    for (const line of lines) {
      if (line === "") frames.push(this.#complete());
      else this.#line(line);
    }
    if (this.#characters + this.#rest.length > MOST_CHARACTERS) throw new FrameTooLong();
    return frames;
  }

  #line(line: string): void {
    this.#characters += line.length;
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const rest = colon < 0 ? "" : line.slice(colon + 1);
    const value = rest.startsWith(" ") ? rest.slice(1) : rest;
    // Any other name is a comment or an unknown field.
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#position = value;
    else if (name === "retry" && /^[0-9]+$/.test(value)) this.#retry = Number(value.slice(0, 9));
  }

  #complete(): Frame {
    const data = this.#data.length > 0 ? this.#data.join("\n") : undefined;
    const frame: Frame = { position: this.#position, type: this.#type, data, retryMilliseconds: this.#retry };
    this.#type = "";
    this.#data = [];
    this.#retry = undefined;
    this.#characters = 0;
    return frame;
  }
}
