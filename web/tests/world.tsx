/** A console without a server: its APIs answer what a test says. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render } from "@testing-library/react";
import axe from "axe-core";
import { MemoryRouter } from "react-router";
import { expect, vi } from "vitest";
import { connect } from "../src/api/clients";
import { DEFAULTS } from "../src/api/queries";
import { App } from "../src/app";
import { signInAt, signOut, takeUp } from "../src/auth/session";
import type { Config } from "../src/config";

export const CONFIG: Config = {
  signInUrl: "https://pages.example",
  clientId: "client",
  apis: { orders: "https://orders.example/v1", promotions: "https://promotions.example/v1", support: "https://support.example/v1" },
};

export interface Asked {
  method: string;
  url: URL;
  headers: Headers;
  body: string;
}

type Answer = (asked: Asked) => Response | unknown;

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });

export const problem = (status: number, kind: string, detail: string, more: object = {}) =>
  json({ type: `https://tiffin.example/problems/${kind}`, title: kind, status, detail, ...more }, status);

/** As it is kept while somebody is at the pages. */
export const ATTEMPT = { state: "s", verifier: "v", nonce: "n", from: "/" };

const encoded = (part: object) => btoa(JSON.stringify(part)).replaceAll("=", "");

export const token = (role: string, more: object = {}) =>
  `${encoded({})}.${encoded({ sub: "sub-1", "cognito:groups": [role], nonce: "n", ...more })}.signature`;

export class World {
  readonly asked: Asked[] = [];
  private readonly answers = new Map<string, Answer>();

  constructor() {
    signInAt(CONFIG);
    connect(CONFIG);
    vi.stubGlobal("scrollTo", () => {});
    vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
      const request = new Request(typeof input === "string" ? new URL(input, location.href) : input, init);
      const asked = { method: request.method, url: new URL(request.url), headers: request.headers, body: await request.text() };
      this.asked.push(asked);
      if (!navigator.onLine) throw new TypeError("Failed to fetch");
      const answer = this.answers.get(`${asked.method} ${asked.url.pathname.replace(/^\/v1/, "")}`);
      if (!answer) throw new TypeError(`nobody answers ${asked.method} ${asked.url}`);
      const came = await answer(asked);
      return came instanceof Response ? came : json(came);
    });
  }

  /** @param what method and path, below the stage. */
  on(what: string, answer: Answer): this {
    this.answers.set(what, answer);
    return this;
  }

  /** The network goes, or is back. */
  is(what: "online" | "offline") {
    vi.spyOn(navigator, "onLine", "get").mockReturnValue(what === "online");
    act(() => void dispatchEvent(new Event(what)));
  }

  calls(what: string): Asked[] {
    return this.asked.filter(({ method, url }) => `${method} ${url.pathname.replace(/^\/v1/, "")}` === what);
  }

  /** Sign somebody in, as if they came back from the pages. */
  async signedIn(role: string, more: object = {}): Promise<this> {
    signOut();
    this.on("POST /oauth2/token", () => ({ id_token: token(role, more), refresh_token: "refresh", expires_in: 900 }));
    sessionStorage.setItem("tiffin.sign-in", JSON.stringify(ATTEMPT));
    await takeUp(new URLSearchParams({ state: "s", code: "c" }));
    return this;
  }

  /** @param queries what was read already; nothing, at first. */
  open(path: string, queries = new QueryClient({ defaultOptions: { ...DEFAULTS, queries: { ...DEFAULTS.queries, staleTime: 0, retry: false } } })) {
    const page = render(
      <QueryClientProvider client={queries}>
        <MemoryRouter initialEntries={[path]}>
          <App />
        </MemoryRouter>
      </QueryClientProvider>,
    );
    return { ...page, queries };
  }
}

/** What axe finds wrong. Contrast is for a browser to say: here is no layout. */
export async function mustBeAccessible(element: Element) {
  const { violations } = await axe.run(element, { rules: { "color-contrast": { enabled: false } } });
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
}

export const MENU = {
  restaurant_id: "r-1",
  name: "Bella Napoli",
  cuisine: "Neapolitan",
  currency: "EUR",
  delivery_fee: 250,
  version: "v1",
  dishes: [{ dish_id: "margherita", name: "Margherita", description: "Tomatoes", category: "Pizza", price: 950, vegetarian: true, vegan: false, allergens: ["milk"] }],
};

const eur = (amount: number) => ({ amount, currency: "EUR" });

export const QUOTE = {
  restaurant_id: "r-1",
  restaurant_name: "Bella Napoli",
  menu_version: "v1",
  currency: "EUR",
  lines: [{ dish_id: "margherita", name: "Margherita", quantity: 1, unit_price: eur(950), price: eur(950) }],
  subtotal: eur(950),
  delivery_fee: eur(250),
  discount: eur(0),
  total: eur(1200),
  promo_code: null,
};

export const ORDER = {
  ...QUOTE,
  order_id: "ord_abcdef",
  customer_id: "sub-1",
  status: "AWAITING_RESTAURANT",
  reason: null,
  payment_method: "pm_card_visa",
  payment: { status: "AUTHORIZED", network: "visa" },
  placed_at: "2026-01-31T12:00:00Z",
  updated_at: "2026-01-31T12:00:01Z",
  deadline_at: "2026-01-31T15:00:00Z",
  timeline: [
    { status: "PLACED", at: "2026-01-31T12:00:00Z" },
    { status: "AWAITING_RESTAURANT", at: "2026-01-31T12:00:01Z" },
  ],
  pending_move: null,
  delivery: { name: "Ada", address: "Harbour Street 1" },
  note: "",
};
