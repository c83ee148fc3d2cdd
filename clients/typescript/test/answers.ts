// A fetch that answers from a list and records its requests.
import { Gateway } from "../src/index.ts";
import type { Credential } from "../src/index.ts";

export const KEY = "cgk_1234_secret";
export const ACCEPTED = { commandId: "c-1", type: "t", authorizationId: "auth_1", status: "accepted", acceptedAt: "now" };
export const FINISHED = { ...ACCEPTED, status: "finished", outcome: "applied", effect: "ours" };
export const QUICK = { deadlineSeconds: 5, firstPauseSeconds: 0.001, longestPauseSeconds: 0.002 };

export interface Sent {
  readonly url: string;
  readonly method: string | undefined;
  readonly body: unknown;
  readonly headers: Record<string, string>;
}

export type NextAnswer = Response | Error | (() => Response);

export function answering(answers: NextAnswer[], credential: Credential = KEY, retries: object = QUICK) {
  const sent: Sent[] = [];
  const fake = async (url: unknown, init?: RequestInit): Promise<Response> => {
    sent.push({ url: String(url), method: init?.method, body: init?.body, headers: init?.headers as Record<string, string> });
    const answer = answers.shift();
    if (answer === undefined) throw new Error("more requests than answers");
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer() : answer;
  };
  const gateway = new Gateway("https://gateway.example/", credential, { retries, fetch: fake as typeof fetch });
  return { gateway, sent };
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}

export function problem(status: number, more: Record<string, unknown> = {}, headers: Record<string, string> = {}): Response {
  const body = { type: "urn:collate-gateway:problem:unavailable", title: "T", status, detail: "D", ...more };
  return json(status, body, { "content-type": "application/problem+json", ...headers });
}

/** A stream with these pieces; an Error cuts the connection. */
export function stream(...pieces: (string | Error)[]): () => Response {
  return () => {
    const left = [...pieces];
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = left.shift();
        if (piece === undefined) controller.close();
        else if (piece instanceof Error) controller.error(piece);
        else controller.enqueue(new TextEncoder().encode(piece));
      },
    });
    return new Response(body, { status: 200, headers: { "content-type": "text/event-stream" } });
  };
}
