/** What a customer is told of an order's life: nothing that did not happen, and each thing at its own time. */
import { expect, it } from "vitest";
import type { Order, OrderStatus } from "../src/api/clients";
import { life } from "../src/customer/life";

const MINUTE: Partial<Record<OrderStatus, string>> = { PLACED: "0", AWAITING_RESTAURANT: "1", PREPARING: "2", OUT_FOR_DELIVERY: "3", DELIVERED: "4" };

/** The steps of an order that went through these statuses, as `is time title`; statuses that are no step of the way at 9. */
function told(statuses: OrderStatus[], reason: Order["reason"] = null) {
  const timeline = statuses.map((status) => ({ status, at: MINUTE[status] ?? "9" }));
  return life({ status: statuses.at(-1)!, timeline, reason }).map(({ is, at, title }) => [is, at ?? "-", title].join(" "));
}

it.each<[OrderStatus, string]>([
  ["REJECTED", "The restaurant rejected it"],
  ["CANCELLED", "You cancelled it"],
  ["EXPIRED", "Given up after three hours"],
  ["FAILED", "Something failed on our side"],
])("an order that is %s before anybody answered was not accepted", (status, title) => {
  expect(told(["PLACED", "AWAITING_RESTAURANT", status])).toEqual(["done 0 Placed", `dead 9 ${title}`]);
});

it("an order that died in the kitchen was accepted, and nobody left with it", () => {
  expect(told(["PLACED", "AWAITING_RESTAURANT", "PREPARING", "EXPIRED"])).toEqual([
    "done 0 Placed",
    "done 2 The restaurant accepted",
    "dead 9 Given up after three hours",
  ]);
});

it("a restaurant that said nothing did not reject", () => {
  const silent = { code: "restaurant_silent", message: "", network: null, summary: "restaurant_silent" };
  expect(told(["PLACED", "AWAITING_RESTAURANT", "REJECTED"], silent)).toEqual(["done 0 Placed", "dead 9 The restaurant did not answer"]);
});

it("what was done is told at the time at which it was done", () => {
  expect(told(["PLACED", "AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED"])).toEqual([
    "done 0 Placed",
    "done 2 The restaurant accepted",
    "done 3 The courier left with it",
    "done 4 Delivered, and paid",
  ]);
});

it("what is on is told with the time since when, and what is to come without any", () => {
  expect(told(["PLACED", "AWAITING_RESTAURANT", "PREPARING"])).toEqual([
    "done 0 Placed",
    "done 2 The restaurant accepted",
    "now 2 The kitchen cooks",
    "later - The courier is on the road",
    "later - Delivered, and paid",
  ]);
  expect(told(["PLACED"])[1]).toBe("now 0 The card is asked");
  expect(told(["PLACED", "AWAITING_RESTAURANT"])[1]).toBe("now 1 The restaurant answers");
});
