/** What the pages read, each under a key: `live` invalidates by it. */
import { type DefaultOptions, queryOptions } from "@tanstack/react-query";
import { type Basket, apis, type CourierOrder, type KitchenOrder, type Order, type OrderStatus, type SupportOrder } from "./clients";
import { answered, Problem, tryAgain, waitBefore } from "./problems";

export const DEFAULTS: DefaultOptions = {
  queries: { retry: tryAgain, retryDelay: waitBefore, staleTime: 2_000 },
  // What somebody does is done now or not at all: never later, unasked, when the network is back.
  mutations: { networkMode: "always" },
};

export const restaurants = (next: string | null = null) =>
  queryOptions({
    queryKey: ["restaurants", next],
    queryFn: () => answered(apis.orders.GET("/restaurants", { params: { query: { limit: 100, next } } })),
    staleTime: 60_000,
  });

export const menu = (id: string) =>
  queryOptions({
    queryKey: ["menu", id],
    queryFn: () => answered(apis.orders.GET("/restaurants/{restaurant_id}/menu", { params: { path: { restaurant_id: id } } })),
    staleTime: 10_000,
  });

export const quote = (basket: Basket) =>
  queryOptions({
    queryKey: ["quote", basket],
    queryFn: () => answered(apis.orders.POST("/quotes", { body: basket })),
    staleTime: 30_000,
    // What was refused is asked again by a person alone: each wrong code is counted as a guess.
    enabled: ({ state: { error } }) => !(error instanceof Problem) || error.passes,
  });

type Seen = Order | KitchenOrder | CourierOrder | SupportOrder;

/** Whether an order is as a page shows it: each role sees another part. */
export const asItsCustomer = (order: Seen) => "total" in order;
export const asItsKitchen = (order: Seen) => "lines" in order;
export const asACourier = (order: Seen) => "item_count" in order;
export const asSupport = (order: Seen) => "claims" in order;

/** An order as whoever asks sees it. Any other view of it is refused. */
export const order = <View extends Seen>(id: string, is: (order: Seen) => order is View) =>
  queryOptions({
    queryKey: ["order", id],
    queryFn: async () => {
      const seen = await answered(apis.orders.GET("/orders/{order_id}", { params: { path: { order_id: id } } }));
      if (is(seen)) return seen;
      throw new Problem("unexpected", "Not for this page", "The order came as another role sees it. Load the page anew.");
    },
  });

export const myOrders = (next: string | null = null) =>
  queryOptions({
    queryKey: ["orders", "mine", next],
    queryFn: () => answered(apis.orders.GET("/orders", { params: { query: { limit: 20, next } } })),
  });

export const kitchenOrders = () =>
  queryOptions({
    queryKey: ["orders", "kitchen"],
    queryFn: () => answered(apis.orders.GET("/kitchen/orders", { params: { query: { limit: 100 } } })),
  });

export const courierOrders = (which: "ready" | "mine") =>
  queryOptions({
    queryKey: ["orders", "courier", which],
    queryFn: () => answered(apis.orders.GET("/courier/orders", { params: { query: { which, limit: 100 } } })),
  });

/** Orders in a status, or all open ones, which come on one page. */
export const supportOrders = (status: OrderStatus | null, next: string | null = null) =>
  queryOptions({
    queryKey: ["orders", "support", status, next],
    queryFn: () => answered(apis.orders.GET("/support/orders", { params: { query: { status, limit: 100, next } } })),
  });

/** The orders of one customer, by the `sub` of their tokens, newest first; all, or those in a status. */
export const customerOrders = (customer: string, status: OrderStatus | null, next: string | null = null) =>
  queryOptions({
    queryKey: ["orders", "support", "of", customer, status, next],
    queryFn: () => answered(apis.orders.GET("/support/orders", { params: { query: { customer, status, limit: 100, next } } })),
  });

export const story = (id: string) =>
  queryOptions({
    queryKey: ["story", id],
    queryFn: () => answered(apis.support.GET("/orders/{order_id}", { params: { path: { order_id: id } } })),
    // It is joined of logs and traces, and takes seconds: what is being read already is asked for again a little later.
    staleTime: 3_000,
  });

export const myCodes = (next: string | null = null) =>
  queryOptions({
    queryKey: ["codes", next],
    queryFn: () => answered(apis.promotions.GET("/promo-codes", { params: { query: { limit: 100, next } } })),
  });
