/** The APIs, each by a client whose types are generated from the document that the API serves. */
import createClient, { type Client, type Middleware } from "openapi-fetch";
import type { paths as livePaths } from "../../generated/live";
import type { components as orderTypes, paths as orderPaths } from "../../generated/orders";
import type { components as promotionTypes, paths as promotionPaths } from "../../generated/promotions";
import type { components as supportTypes, paths as supportPaths } from "../../generated/support";
import { current, idToken, refresh } from "../auth/session";
import { type Config, worksWith } from "../config";
import { conditionalFetch } from "./conditional";
import { signInNeeded } from "./problems";

type Orders = orderTypes["schemas"];
export type Restaurant = Orders["Restaurant"];
export type RestaurantSummary = Orders["RestaurantSummary"];
export type Dish = Orders["Dish"];
export type Order = Orders["Order"];
export type OrderStatus = Orders["OrderStatus"];
export type OrderMove = Orders["Move"];
export type OrderSummary = Orders["OrderSummary"];
export type KitchenOrder = Orders["KitchenOrder"];
export type KitchenSummary = Orders["KitchenSummary"];
export type CourierOrder = Orders["CourierOrder"];
export type CourierOrders = Orders["CourierPage"];
export type CourierSummary = Orders["CourierSummary"];
export type SupportOrder = Orders["SupportOrder"];
export type SupportSummary = Orders["SupportSummary"];
export type PlaceOrder = Orders["PlaceOrder"];
export type Basket = Orders["Basket"];
export type Quote = Orders["Quote"];
export type RejectReason = NonNullable<Orders["RejectOrder"]["reason"]>;
export type PromoCode = promotionTypes["schemas"]["PromoCodeView"];
type Support = supportTypes["schemas"];
export type OrderStory = Support["OrderStory"];
export type WorkflowRun = Support["WorkflowRun"];
export type StateVisit = Support["StateVisit"];
export type TimelineEntry = Support["TimelineEntry"];
export type PaymentAttempt = Support["PaymentAttempt"];
export type AnnouncedEvent = Support["AnnouncedEvent"];
export interface Money {
  amount: number;
  currency: string;
}

export interface Apis {
  orders: Client<orderPaths>;
  promotions: Client<promotionPaths>;
  support: Client<supportPaths>;
  live: Client<livePaths>;
}

/** Whoever is signed in shows the ID token; a token that the API does not take any more is refreshed, and it is asked again. */
const asWhoever: Middleware = {
  async onRequest({ request, schemaPath }) {
    const token = await idToken();
    if (token) request.headers.set("Authorization", `Bearer ${token}`);
    // Sent without a token it would be refused, and counted among the attempts of strangers.
    else if (current().is === "expired" && !schemaPath.startsWith("/restaurants")) throw signInNeeded();
    return request;
  },
};

async function fetchAgain(request: Request): Promise<Response> {
  const again = request.clone();
  const answer = await conditionalFetch(request);
  if (answer.status !== 401 || !again.headers.has("Authorization") || !(await refresh())) return answer;
  again.headers.set("Authorization", `Bearer ${await idToken()}`);
  return conditionalFetch(again);
}

export let apis: Apis;
export let config: Config;

/** Make the clients. Before anything is asked. */
export function connect(where: Config) {
  config = where;
  worksWith(where);
  const client = <Paths extends object>(baseUrl: string) => {
    const made = createClient<Paths>({ baseUrl, fetch: fetchAgain });
    made.use(asWhoever);
    return made;
  };
  apis = {
    orders: client<orderPaths>(where.apis.orders),
    promotions: client<promotionPaths>(where.apis.promotions),
    support: client<supportPaths>(where.apis.support ?? ""),
    live: client<livePaths>(where.apis.live ?? ""),
  };
}
