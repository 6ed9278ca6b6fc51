/**
 * What changes is told by a WebSocket, and read by the APIs: a message only says which order, so it holds nothing that its
 * reader may not see. Each message makes the queries that it is about be read again.
 *
 * A browser sets no header on a WebSocket, so it brings a ticket, which the live API gives to whoever is signed in, for
 * one connection. Where there is no live API, or while it cannot be reached, pages ask again each ten seconds or so instead;
 * what has not changed is answered with 304.
 */
import { type QueryClient, type QueryKey, type UseQueryOptions, useQuery } from "@tanstack/react-query";
import { useState, useSyncExternalStore } from "react";
import type { components } from "../../generated/messages";
import { apis, config } from "../api/clients";
import { answered } from "../api/problems";
import { current, identity, onChange, useSession } from "../auth/session";

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

/** Between the two, as chance has it: pages that are opened together do not go on asking together. */
const ASK_EVERY = { least: 8_000, most: 12_000 };
/** By the socket too, now and then: what is lost on the way is read anyway. */
const READ_ANYWAY_EVERY = 60_000;
const PATIENCE = { first: 1_000, most: 60_000 };
const REMEMBER = { most: 500, for: 10 * 60_000 };
/** What is told within this time of a reading is read together, at its end. */
const TOGETHER = 1_000;
const UNSETTLED = 1_000;
/** A story is told again from a copy: for 5 s while the order lives, for 15 s once it has ended. So it is read when the one copy has run out, and the other. */
const STORY_AGAIN = [6_000, 22_000];
/** API Gateway ends a connection that is silent for ten minutes. One where nothing came so long after a ping is dead. */
const PING = { every: 8 * 60_000, answeredWithin: 10_000 };

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

const between = (least: number, most: number) => least + Math.random() * (most - least);

/** A query whose answer is kept true for as long as somebody looks at it who is signed in. */
export function useLive<Read, Key extends readonly unknown[]>(options: UseQueryOptions<Read, Error, Read, Key>) {
  const connected = useConnection() === "live";
  const [askEvery] = useState(() => between(ASK_EVERY.least, ASK_EVERY.most));
  const enabled = useSession().is === "in";
  return useQuery({ ...options, enabled, refetchInterval: connected ? READ_ANYWAY_EVERY : askEvery });
}

/** Listen for as long as somebody is signed in. @returns what ends it. */
export function listen(queries: QueryClient): () => void {
  let socket: WebSocket | null = null;
  /** Ask the socket whether it lives, once it does. */
  let ping: (() => void) | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  let over = false;
  let who = "";
  const reread = rereading(queries);

  const again = () => {
    clearTimeout(timer);
    // Half of it by chance: a crowd that lost its connections together does not come back together.
    const wait = Math.min(PATIENCE.first * 2 ** tries++, PATIENCE.most);
    timer = setTimeout(() => void open(), between(wait / 2, wait));
  };

  async function open() {
    if (over || socket || current().is !== "in") return;
    become("asking");
    if (!config.apis.live) return;
    const asked = who;
    try {
      const url = await ticketed();
      if (over || socket || who !== asked) return;
      socket = new WebSocket(url);
    } catch {
      if (who === asked) again();
      return;
    }
    const own = socket;
    let pings: ReturnType<typeof setInterval> | undefined;
    let heardAt = 0;
    const ended = () => {
      clearInterval(pings);
      if (socket !== own) return;
      socket = ping = null;
      become(current().is === "in" ? "asking" : "off");
      if (!over) again();
    };
    const ask = () => {
      const askedAt = Date.now();
      own.send(JSON.stringify({ type: "ping" }));
      setTimeout(() => {
        if (heardAt >= askedAt) return;
        own.close();
        ended(); // at once: a dead line's own end may be long in coming
      }, PING.answeredWithin);
    };
    own.onopen = () => {
      tries = 0;
      become("live");
      // Listening first and reading then: nothing falls between the two.
      void queries.invalidateQueries();
      ping = ask;
      pings = setInterval(ask, PING.every);
    };
    own.onmessage = ({ data }) => {
      heardAt = Date.now();
      if (socket === own) become("live");
      take(queries, reread, String(data));
    };
    own.onclose = ended;
  }

  function close() {
    clearTimeout(timer);
    const own = socket;
    socket = ping = null;
    own?.close();
  }

  const look = () => {
    const now = current().is === "in" ? identity(current()) : "";
    if (now === who) return;
    who = now;
    tries = 0;
    close();
    if (who) void open();
    else become("off");
  };
  // A network that went, or a computer that slept, may have taken the line with it, and nothing says so.
  const wonder = () => {
    tries = 0;
    if (ping) ping();
    else if (!socket) void open();
  };
  const isBack = () => {
    // It is live again once something comes by it.
    if (ping) become("asking");
    wonder();
  };
  const isSeen = () => {
    if (document.visibilityState === "visible") wonder();
  };
  const unsubscribe = onChange(look);
  addEventListener("online", isBack);
  document.addEventListener("visibilitychange", isSeen);
  look();
  return () => {
    over = true;
    unsubscribe();
    removeEventListener("online", isBack);
    document.removeEventListener("visibilitychange", isSeen);
    close();
  };
}

/** The socket's address, with a ticket for one connection. */
async function ticketed(): Promise<string> {
  const { ticket, url } = await answered(apis.live.POST("/tickets"));
  const address = new URL(url);
  address.searchParams.set("ticket", ticket);
  return address.href;
}

/**
 * Reads again what it is told of: at once after a quiet second, else together with all else that is told within it.
 *
 * A reading that is under way is left to end, however much is told meanwhile; as it may be of before, another follows.
 */
export function rereading(queries: QueryClient): (keys: QueryKey[]) => void {
  const due = new Map<string, QueryKey>();
  let waiting = false;
  const read = () => {
    waiting = due.size > 0;
    if (!waiting) return;
    setTimeout(read, TOGETHER);
    for (const [name, queryKey] of due) {
      if (queries.isFetching({ queryKey }) === 0) due.delete(name);
      void queries.invalidateQueries({ queryKey }, { cancelRefetch: false });
    }
  };
  return (keys) => {
    for (const key of keys) due.set(JSON.stringify(key), key);
    if (!waiting) read();
  };
}

type Changed = components["schemas"]["Changed"];

/** What a message says, if it is of the kind that is known here: there may be others one day. */
function changed(text: string): Changed | null {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return null;
  }
  return isChanged(said) ? said : null;
}

function isChanged(said: unknown): said is Changed {
  const { type, order_id, event, occurred_at, settled } = Object(said) as Record<keyof Changed, unknown>;
  const texts = [order_id, event].every((text) => text === null || typeof text === "string");
  const at = typeof occurred_at === "string" && !Number.isNaN(Date.parse(occurred_at));
  return type === "changed" && texts && at && typeof settled === "boolean";
}

/** Has read again what a message says. */
export function take(queries: QueryClient, reread: ReturnType<typeof rereading>, text: string) {
  const said = changed(text);
  if (!said) return;
  const { order_id: orderId, settled } = said;
  const event = said.event ?? "";
  // Which order it is may be nothing for the hearer to know: the lists show what there is to see.
  const keys: QueryKey[] = [["orders"]];
  if (event.startsWith("PromoCode")) keys.push(["codes"]);
  if (orderId) {
    const seenAt = Date.now();
    changes = [...changes, { orderId, event, occurredAt: Date.parse(said.occurred_at), seenAt }]
      .filter((change) => seenAt - change.seenAt < REMEMBER.for)
      .slice(-REMEMBER.most);
    tell();
    keys.push(["order", orderId]);
    const story = ["story", orderId];
    if (queries.getQueryCache().find({ queryKey: story })) {
      keys.push(story);
      for (const later of STORY_AGAIN) setTimeout(reread, later, [story]);
    }
  }
  reread(keys);
  // Some events are announced a moment before what they say can be read.
  if (!settled) setTimeout(reread, UNSETTLED, keys);
}
