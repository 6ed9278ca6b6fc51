/** The life of an order as a customer follows it: each step, and whether it is over, on, to come, or where it died. */
import type { Order, OrderStatus } from "../api/clients";
import { ENDS } from "../ui/words";

export interface Step {
  status: OrderStatus;
  title: string;
  at: string | null;
  is: "done" | "now" | "later" | "dead";
}

/** The steps of a good life: what each is called while it is on, and once the next has begun. */
const WAY: [OrderStatus, string, string][] = [
  ["PLACED", "Placed", "Placed"],
  ["AWAITING_RESTAURANT", "The restaurant answers", "The restaurant accepted"],
  ["PREPARING", "The kitchen cooks", "Cooked"],
  ["OUT_FOR_DELIVERY", "The courier is on the road", "Carried to you"],
  ["DELIVERED", "Delivered, and paid", "Delivered, and paid"],
];

const DEATHS: Partial<Record<OrderStatus, string>> = {
  DECLINED: "The card was declined",
  REJECTED: "The restaurant rejected it",
  CANCELLED: "You cancelled it",
  EXPIRED: "Given up after three hours",
  FAILED: "Something failed on our side",
};

export function life({ status, timeline }: Pick<Order, "status" | "timeline">): Step[] {
  const at = new Map(timeline.map((entry) => [entry.status, entry.at]));
  const death = DEATHS[status];
  const steps = WAY.filter(([step]) => !death || at.has(step)).map(
    ([step, on, over], index, all): Step => ({
      status: step,
      title: at.has(all[index + 1]?.[0] ?? step) ? over : on,
      at: at.get(step) ?? null,
      is: !at.has(step) ? "later" : step === status && !ENDS.has(status) ? "now" : "done",
    }),
  );
  return death ? [...steps, { status, title: death, at: at.get(status) ?? null, is: "dead" }] : steps;
}
