/**
 * The basket: what is about to be ordered. It lies in the browser's storage until it is placed, so that a reload, a
 * sign-in or a second tab finds it.
 *
 * It has the order's `Idempotency-Key` from its first dish on. Whatever places it, a double click, two tabs, a page that
 * never heard the answer, names the same order; the API answers the second with the first.
 */
import { type Kept, kept } from "../kept";
import type { Dish, Order, Restaurant } from "../api/clients";

export interface BasketLine {
  dishId: string;
  name: string;
  price: number;
  quantity: number;
}

export interface BasketState {
  key: string;
  /** The `sub` of whose it is; of nobody's yet, if somebody filled it who has not been at the checkout. */
  owner?: string | null;
  restaurantId: string;
  restaurantName: string;
  currency: string;
  menuVersion: string | null;
  lines: BasketLine[];
  promoCode: string;
  paymentMethod: string;
  name: string;
  address: string;
  note: string;
}

export const MOST_OF_A_DISH = 99;
export const DEFAULT_CARD = "pm_card_visa";

function readBasket(stored: unknown): BasketState | null {
  const basket = stored as Partial<BasketState> | null;
  return basket && typeof basket.key === "string" && Array.isArray(basket.lines) && basket.lines.length > 0
    ? (basket as BasketState)
    : null;
}

export const basket: Kept<BasketState | null> = kept("tiffin.basket", readBasket);
/** The order that was placed last in this browser, and whose it is: for whoever goes back to a basket that is no more. */
export const lastPlaced: Kept<{ orderId: string; owner: string } | null> = kept("tiffin.last-placed", (stored) => {
  const last = stored as { orderId?: unknown; owner?: unknown } | null;
  return typeof last?.orderId === "string" && typeof last.owner === "string" ? { orderId: last.orderId, owner: last.owner } : null;
});

const newKey = () => crypto.randomUUID();

function emptyFor(restaurant: Restaurant): BasketState {
  return {
    key: newKey(),
    restaurantId: restaurant.restaurant_id,
    restaurantName: restaurant.name,
    currency: restaurant.currency,
    menuVersion: restaurant.version ?? null,
    lines: [],
    promoCode: "",
    paymentMethod: DEFAULT_CARD,
    name: "",
    address: "",
    note: "",
  };
}

/** Have so many of a dish; none takes it out. A basket of another restaurant's is given up. */
export function have(restaurant: Restaurant, dish: Dish, quantity: number) {
  const now = basket.get();
  const before = now?.restaurantId === restaurant.restaurant_id ? now : emptyFor(restaurant);
  const line = { dishId: dish.dish_id, name: dish.name, price: dish.price, quantity: Math.min(quantity, MOST_OF_A_DISH) };
  const known = before.lines.some((each) => each.dishId === line.dishId);
  // All by the menu that the basket is of from now on.
  const priced = before.lines.map((each) => ({ ...each, price: restaurant.dishes.find(({ dish_id }) => dish_id === each.dishId)?.price ?? each.price }));
  const lines = known ? priced.map((each) => (each.dishId === line.dishId ? line : each)) : [...priced, line];
  put({ ...before, menuVersion: restaurant.version ?? null, lines: lines.filter((each) => each.quantity > 0) });
}

export function change(part: Partial<BasketState>) {
  const now = basket.get();
  if (now) put({ ...now, ...part });
}

/** It is this person's from now on. What another left in it stays theirs: name, address, note and code; the dishes are anybody's. */
export function own(subject: string) {
  const now = basket.get();
  if (!now || now.owner === subject) return;
  change({ owner: subject, ...(now.owner ? { name: "", address: "", note: "", promoCode: "" } : {}) });
}

function put(next: BasketState) {
  basket.set(next.lines.length > 0 ? next : null);
}

/** It is an order now. Only if it is still the basket that was placed: another tab may have begun a new one. */
export function placed(key: string, order: Order) {
  if (basket.get()?.key === key) basket.set(null);
  lastPlaced.set({ orderId: order.order_id, owner: order.customer_id });
}

/** Another order of the same dishes: the key of before is spent. */
export const anew = () => change({ key: newKey() });

/** The same once more, such as to be paid otherwise: a declined order stays declined. A code comes back unless the order was delivered. */
export function again(order: Order) {
  basket.set({
    key: newKey(),
    owner: order.customer_id,
    restaurantId: order.restaurant_id,
    restaurantName: order.restaurant_name,
    currency: order.total.currency,
    menuVersion: null,
    lines: order.lines.map((line) => ({
      dishId: line.dish_id,
      name: line.name,
      price: line.unit_price.amount,
      quantity: line.quantity,
    })),
    promoCode: order.status === "DELIVERED" ? "" : (order.promo_code ?? ""),
    paymentMethod: DEFAULT_CARD,
    name: order.delivery?.name ?? "",
    address: order.delivery?.address ?? "",
    note: order.note ?? "",
  });
}

export const count = (state: BasketState | null) => state?.lines.reduce((sum, line) => sum + line.quantity, 0) ?? 0;
