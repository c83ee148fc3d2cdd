import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameParser, FrameTooLong, MOST_CHARACTERS } from "../src/sse.ts";

const LINES = ["", "", "id: 1.2", "id:4", "id: a\0b", "event: e", "data: {}", "data:x", "data", "data:  y", "retry: 2000"]
  .concat(["retry: soon", ": still here", "unknown: z", "data: é€😀", "no colon"]);
const ENDS = ["\n", "\r\n", "\r"];

// A small generator with a seed, so that a failure repeats.
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function frames(pieces: Uint8Array[]): unknown[] {
  const parser = new FrameParser();
  return [...pieces, new TextEncoder().encode(":")].flatMap((piece) => parser.feed(piece));
}

test("any split of the bytes gives the same frames", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = generator(seed);
    const one = <Value>(values: readonly Value[]): Value => values[random(values.length)]!;
    const lines = Array.from({ length: random(25) }, () => one(LINES) + one(ENDS));
    const content = new TextEncoder().encode((random(4) === 0 ? "\ufeff" : "") + lines.join(""));
    const whole = frames([content]);
    const cuts = Array.from({ length: random(10) }, () => random(content.length + 1)).sort((a, b) => a - b);
    const bounds = [0, ...cuts, content.length];
    const pieces = bounds.slice(1).map((end, at) => content.slice(bounds[at], end));
    assert.deepEqual(frames(pieces), whole, `seed ${seed}`);
    assert.deepEqual(frames([...content].map((byte) => Uint8Array.of(byte))), whole, `seed ${seed}, byte by byte`);
  }
});

test("the fields of a frame", () => {
  const text = "\ufeffretry: 2000\nid: 0.5\n: connected\n\nid: 1.5\nevent: e\ndata: a\ndata:b\n\nevent: x\n\n";
  assert.deepEqual(frames([new TextEncoder().encode(text)]), [
    { position: "0.5", type: "", data: undefined, retryMilliseconds: 2000 },
    { position: "1.5", type: "e", data: "a\nb", retryMilliseconds: undefined },
    { position: "1.5", type: "x", data: undefined, retryMilliseconds: undefined },
  ]);
});

test("a half event moves no position", () => {
  const parser = new FrameParser();
  const feed = (text: string) => parser.feed(new TextEncoder().encode(text)).map((frame) => frame.position);
  assert.deepEqual(feed("id: 1\ndata: {}\n\nid: 2\ndata: {"), ["1"]);
  assert.deepEqual(feed("}\n\n"), ["2"]);
});

test("a frame is bounded", () => {
  const parser = new FrameParser();
  const piece = new Uint8Array(1 << 20).fill(120);
  assert.throws(() => {
    for (let size = 0; size <= MOST_CHARACTERS; size += piece.length) parser.feed(piece);
  }, FrameTooLong);
});
