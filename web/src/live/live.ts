/**
 * What changes is told by a WebSocket, and read by the APIs: a message only says which order, so it holds nothing that its
 * reader may not see. Each message makes the queries that it is about be read again.
 *
 * A browser sets no header on a WebSocket, so it brings a ticket, which the live API gives to whoever is signed in, for
 * one connection. Where there is no live API, or while it cannot be reached, pages ask again every few seconds instead;
 * what has not changed is answered with 304.
 */
import { type QueryClient, type UseQueryOptions, useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { config } from "../api/clients";
import { current, idToken, onChange } from "../auth/session";

/** `live`: by the socket. `asking`: by asking again and again. `off`: nobody is signed in. */
export type Connection = "off" | "asking" | "live";

export interface Change {
  orderId: string;
  event: string;
  /** As the event says, epoch milliseconds. */
  occurredAt: number;
  /** When it came here. */
  seenAt: number;
}

const ASK_EVERY = 4_000;
/** By the socket too, now and then: what is lost on the way is read anyway. */
const READ_ANYWAY_EVERY = 60_000;
const PATIENCE = { first: 1_000, most: 30_000 };
const REMEMBER = { most: 500, for: 10 * 60_000 };
const UNSETTLED = 1_000;
/** A lull this long is a dead line: API Gateway ends an idle connection after ten minutes. */
const KEEP_ALIVE = 5 * 60_000;

let connection: Connection = "off";
let changes: readonly Change[] = [];
const listeners = new Set<() => void>();

const tell = () => listeners.forEach((listener) => listener());
const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

function become(next: Connection) {
  if (next === connection) return;
  connection = next;
  tell();
}

export const useConnection = () => useSyncExternalStore(subscribe, () => connection);
/** What was told of late, the newest last. */
export const useChanges = () => useSyncExternalStore(subscribe, () => changes);

/** A query whose answer is kept true for as long as somebody looks at it. */
export function useLive<Read, Key extends readonly unknown[]>(options: UseQueryOptions<Read, Error, Read, Key>) {
  const connected = useConnection() === "live";
  return useQuery({ ...options, refetchInterval: connected ? READ_ANYWAY_EVERY : ASK_EVERY });
}

/** Listen for as long as somebody is signed in. @returns what ends it. */
export function listen(queries: QueryClient): () => void {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let alive: ReturnType<typeof setInterval> | undefined;
  let tries = 0;
  let over = false;

  const again = () => {
    clearTimeout(timer);
    // Half of it by chance: a crowd that lost its connections together does not come back together.
    const wait = Math.min(PATIENCE.first * 2 ** tries++, PATIENCE.most);
    timer = setTimeout(() => void open(), wait / 2 + (Math.random() * wait) / 2);
  };

  async function open() {
    if (over || socket || current().is !== "in") return;
    become("asking");
    if (!config.apis.live) return;
    try {
      const url = await ticketed(config.apis.live);
      if (over || socket || current().is !== "in") return;
      socket = new WebSocket(url);
    } catch {
      return again();
    }
    const own = socket;
    own.onopen = () => {
      tries = 0;
      become("live");
      // Listening first and reading then: nothing falls between the two.
      void queries.invalidateQueries();
      alive = setInterval(() => own.send(JSON.stringify({ action: "ping" })), KEEP_ALIVE);
    };
    own.onmessage = ({ data }) => take(queries, String(data));
    own.onclose = () => {
      clearInterval(alive);
      if (socket !== own) return;
      socket = null;
      become(current().is === "in" ? "asking" : "off");
      if (!over) again();
    };
  }

  function close() {
    clearTimeout(timer);
    const own = socket;
    socket = null;
    own?.close();
  }

  let who = "";
  const look = () => {
    const now = current();
    const subject = now.is === "in" ? now.session.subject : "";
    if (subject === who) return;
    who = subject;
    tries = 0;
    close();
    if (subject) void open();
    else become("off");
  };
  const atOnce = () => {
    tries = 0;
    if (!socket) void open();
  };
  const unsubscribe = onChange(look);
  addEventListener("online", atOnce);
  look();
  return () => {
    over = true;
    unsubscribe();
    removeEventListener("online", atOnce);
    close();
  };
}

/** The socket's address, with a ticket for one connection. */
async function ticketed(api: string): Promise<string> {
  const answer = await fetch(`${api}/tickets`, { method: "POST", headers: { Authorization: `Bearer ${await idToken()}` } });
  if (!answer.ok) throw new Error(`no ticket: ${answer.status}`);
  const { ticket, url } = (await answer.json()) as { ticket: string; url: string };
  const address = new URL(url);
  address.searchParams.set("ticket", ticket);
  return address.href;
}

/** A message. What it does not know it passes over: there may be other kinds one day. */
export function take(queries: QueryClient, text: string) {
  let said: Record<string, unknown>;
  try {
    said = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return;
  }
  if (said.type !== "changed") return;
  const orderId = typeof said.order_id === "string" ? said.order_id : null;
  const event = String(said.event ?? "");
  if (orderId) {
    const seenAt = Date.now();
    changes = [...changes, { orderId, event, occurredAt: Date.parse(String(said.occurred_at)) || seenAt, seenAt }]
      .filter((change) => seenAt - change.seenAt < REMEMBER.for)
      .slice(-REMEMBER.most);
    tell();
  }
  const look = () => {
    void queries.invalidateQueries({ queryKey: ["orders"] });
    // Which order it is may be nothing for the hearer to know: then all that are shown are read.
    for (const kind of ["order", "story"]) void queries.invalidateQueries({ queryKey: orderId ? [kind, orderId] : [kind] });
    if (event.startsWith("PromoCode")) void queries.invalidateQueries({ queryKey: ["codes"] });
  };
  look();
  // Some events are announced a moment before what they say can be read.
  if (said.settled === false) setTimeout(look, UNSETTLED);
}
