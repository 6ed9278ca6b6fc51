/** Amounts and moments as the reader's own locale and time zone have them; spans of time, which are words, in the page's language. */
import rules from "../../generated/rules.json";
import type { Money, Order, OrderMove, OrderStatus } from "../api/clients";
import { Problem } from "../api/problems";

export function money({ amount, currency }: Money): string {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

const times = {
  short: new Intl.DateTimeFormat(undefined, { timeStyle: "short" }),
  exact: new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }),
  day: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
  dayAndTime: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
};

const isToday = (date: Date) => date.toDateString() === new Date().toDateString();

/** The time of day, with the day if it is not today's. */
export function moment(at: string | number): string {
  const date = new Date(at);
  return (isToday(date) ? times.short : times.dayAndTime).format(date);
}

/** To the second today; of another day, with the day, and to the minute. */
export const momentSeconds = (at: string | number) => (isToday(new Date(at)) ? clockSeconds(at) : moment(at));

/** To the second, without the day: where `newDay` stands with it. */
export const clockSeconds = (at: string | number) => times.exact.format(new Date(at));

/** The day of a moment, if that is not the day of what it stands below. */
export function newDay(at: string | number, below: string | number = Date.now()): string | null {
  const date = new Date(at);
  return date.toDateString() === new Date(below).toDateString() ? null : times.day.format(date);
}

/** A sentence of an API's, which names moments in UTC: with those as its reader has them. */
export const inOwnTime = (text: string, moments: readonly { text: string; at: string }[]) =>
  moments.reduce((said, { text: words, at }) => said.replace(words, () => momentSeconds(at)), text);

/** As `lang` of `index.html`. */
const LANGUAGE = "en";

/** By the symbols of the International System, as the APIs' own sentences have them. */
const unit = (value: number, symbol: "ms" | "s" | "min" | "h", maximumFractionDigits = 0) =>
  `${new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits }).format(value)} ${symbol}`;

/** A span of time in words, its two largest units: `2 h 41 min`, `14 min`, `32 s`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return unit(seconds, "s");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10 && seconds % 60) return `${unit(minutes, "min")} ${unit(seconds % 60, "s")}`;
  if (minutes < 60) return unit(minutes, "min");
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${unit(hours, "h")} ${unit(minutes % 60, "min")}` : unit(hours, "h");
}

/** Milliseconds, as short as they can be said: `5 ms`, `4.6 s`, `2 h 41 min`. */
export function took(ms: number): string {
  if (ms >= 10_000) return span(ms);
  return ms < 1000 ? unit(ms, "ms") : unit(ms / 1000, "s", 1);
}

/** With one full stop at its end: what stands there, such as `3 p. m.`, may have brought it. */
export const sentence = (text: string) => (text.endsWith(".") ? text : `${text}.`);

export const MINUTE = 60_000;
/** How long a restaurant has for an answer. */
export const TO_ANSWER = rules.to_answer * 1000;

/** From when until when an order's restaurant can answer, epoch milliseconds. */
export function timeToAnswer({ timeline, placed_at }: Pick<Order, "timeline" | "placed_at">) {
  const since = Date.parse(timeline.find(({ status }) => status === "AWAITING_RESTAURANT")?.at ?? placed_at);
  return { since, until: since + TO_ANSWER };
}

export const ENDS: ReadonlySet<OrderStatus> = new Set<OrderStatus>(["DELIVERED", "DECLINED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED"]);

export const STATUS: Record<OrderStatus, string> = {
  PLACED: "Placed",
  AWAITING_RESTAURANT: "Waiting for the restaurant",
  PREPARING: "Being prepared",
  OUT_FOR_DELIVERY: "On its way",
  DELIVERED: "Delivered",
  DECLINED: "Payment declined",
  REJECTED: "Rejected",
  CANCELLED: "Cancelled",
  EXPIRED: "Given up",
  FAILED: "Failed",
};

export const isStatus = (text: unknown): text is OrderStatus => typeof text === "string" && text in STATUS;

const UNDER_WAY: Record<OrderMove, string> = {
  accept: "is being accepted",
  reject: "is being rejected",
  cancel: "is being cancelled",
  dispatch: "is being taken out",
  deliver: "is being handed over",
};

/** What goes on with an order between a move and what comes of it. */
export const underWay = (move: string) => (move in UNDER_WAY ? UNDER_WAY[move as OrderMove] : `is busy with “${move}”`);

/** What has become of an order, for whoever would move it; null if it `can` still take the move. */
export function tooLate({ status, pending_move: move }: Pick<Order, "status" | "pending_move">, can: boolean): string | null {
  if (move) return `The order ${underWay(move)}.`;
  return can ? null : `By now it is: ${STATUS[status]}.`;
}

/** Why a move was not made, to whoever was not first. */
export function whyNot(error: Error): string {
  if (!(error instanceof Problem)) return error.message;
  if (error.kind === "unknown-order") return "Somebody else has it, or it is over.";
  const { taken, order_status: status } = error.more;
  if (error.kind !== "illegal-move" || !isStatus(status)) return error.detail;
  if (taken === "deadline") return "Its three hours are over.";
  return typeof taken === "string" ? `It ${underWay(taken)} already.` : `By now it is: ${STATUS[status]}.`;
}

/** An order's id, short: enough for people to tell orders apart. */
export const shortId = (id: string) => id.replace(/^ord_/, "").slice(0, 6).toUpperCase();

export const plural = (n: number, one: string, many = `${one}s`) => `${new Intl.NumberFormat().format(n)} ${n === 1 ? one : many}`;
