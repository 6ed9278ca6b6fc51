/** Amounts and moments as the reader's own locale and time zone have them; spans of time, which are words, in the page's language. */
import rules from "../../generated/rules.json";
import type { Money, OrderMove, OrderStatus } from "../api/clients";

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

const unit = (value: number, name: string, maximumFractionDigits = 0) =>
  new Intl.NumberFormat(LANGUAGE, { style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits }).format(value);

/** A span of time in words, its two largest units: `2 hr 41 min`, `14 min`, `32 sec`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return unit(seconds, "second");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10 && seconds % 60) return `${unit(minutes, "minute")} ${unit(seconds % 60, "second")}`;
  if (minutes < 60) return unit(minutes, "minute");
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${unit(hours, "hour")} ${unit(minutes % 60, "minute")}` : unit(hours, "hour");
}

/** Milliseconds, as short as they can be said: `5 ms`, `4.6 sec`, `2 hr 41 min`. */
export function took(ms: number): string {
  if (ms >= 10_000) return span(ms);
  return ms < 1000 ? unit(ms, "millisecond") : unit(ms / 1000, "second", 1);
}

/** With one full stop at its end: what stands there, such as `3 p. m.`, may have brought it. */
export const sentence = (text: string) => (text.endsWith(".") ? text : `${text}.`);

export const MINUTE = 60_000;
/** How long a restaurant has for an answer. */
export const TO_ANSWER = rules.to_answer * 1000;

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

/** An order's id, short: enough for people to tell orders apart. */
export const shortId = (id: string) => id.replace(/^ord_/, "").slice(0, 6).toUpperCase();

export const plural = (n: number, one: string, many = `${one}s`) => `${new Intl.NumberFormat().format(n)} ${n === 1 ? one : many}`;
