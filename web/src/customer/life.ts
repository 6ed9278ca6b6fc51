/** The life of an order as a customer follows it: what was done and when, what is on, what is to come, or how it died. */
import type { Order, OrderStatus } from "../api/clients";
import { ENDS } from "../ui/words";

export interface Step {
  title: string;
  /** When it was done, or since when it is on. */
  at: string | null;
  is: "done" | "now" | "later" | "dead";
}

/** What was done when a status was entered. An order that waits for its restaurant is not further to its customer. */
const DONE: [OrderStatus, string][] = [
  ["PLACED", "Placed"],
  ["PREPARING", "The restaurant accepted"],
  ["OUT_FOR_DELIVERY", "The courier left with it"],
  ["DELIVERED", "Delivered, and paid"],
];

/** What is on from then until the next one is entered. */
const ON: [OrderStatus, string][] = [
  ["PLACED", "The card is asked"],
  ["AWAITING_RESTAURANT", "The restaurant answers"],
  ["PREPARING", "The kitchen cooks"],
  ["OUT_FOR_DELIVERY", "The courier is on the road"],
  ["DELIVERED", "Delivered, and paid"],
];

const DEATHS: Partial<Record<OrderStatus, string>> = {
  DECLINED: "The card was declined",
  REJECTED: "The restaurant rejected it",
  CANCELLED: "You cancelled it",
  EXPIRED: "Given up after three hours",
  FAILED: "Something failed on our side",
};

export function life({ status, timeline, reason }: Pick<Order, "status" | "timeline" | "reason">): Step[] {
  const at = new Map(timeline.map((entry) => [entry.status, entry.at]));
  const when = (entered: OrderStatus) => at.get(entered) ?? null;
  const done = DONE.filter(([entered]) => at.has(entered)).map(([entered, title]): Step => ({ title, at: when(entered), is: "done" }));
  // Silence is recorded as a rejection, and is none.
  const death = reason?.code === "restaurant_silent" ? "The restaurant did not answer" : DEATHS[status];
  if (death) return [...done, { title: death, at: when(status), is: "dead" }];
  if (ENDS.has(status)) return done;
  const [now, ...later] = ON.slice(ON.findIndex(([step]) => step === status));
  return [
    ...done,
    { title: now![1], at: when(status), is: "now" },
    ...later.map(([, title]): Step => ({ title, at: null, is: "later" })),
  ];
}
