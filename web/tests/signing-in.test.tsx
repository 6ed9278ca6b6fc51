/** Who is signed in, and what becomes of a page whose sign-in ends. */
import { act, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { challenge } from "../src/auth/pkce";
import { current, idToken, refresh, signIn, signOut, takeUp } from "../src/auth/session";
import { basket, have } from "../src/customer/basket";
import { ATTEMPT, json, MENU, mustBeAccessible, problem, token, World } from "./world";

let world: World;

beforeEach(() => {
  signOut();
  vi.useRealTimers();
  world = new World().on("GET /orders", () => ({ orders: [], next: null, unreadable: 0 }));
});

it("makes the challenge of RFC 7636, appendix B", async () => {
  expect(await challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")).toBe("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
});

it("keeps no token where anybody finds it", async () => {
  await world.signedIn("customer");
  expect(current().is).toBe("in");
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain(token("customer"));
});

it("has the pool revoke the refresh token when somebody signs out", async () => {
  await world.signedIn("customer");
  signOut();
  await vi.waitFor(() => expect(world.calls("POST /oauth2/revoke")).toHaveLength(1));
  expect(Object.fromEntries(new URLSearchParams(world.calls("POST /oauth2/revoke")[0]!.body))).toEqual({ client_id: "client", token: "refresh" });
  expect(await idToken()).toBeNull();
});

it("takes up no redirect that another attempt brought", async () => {
  sessionStorage.setItem("tiffin.sign-in", JSON.stringify({ ...ATTEMPT, state: "mine" }));
  await expect(takeUp(new URLSearchParams({ state: "other", code: "c" }))).rejects.toThrow("no attempt");
  expect(world.asked).toEqual([]);
  expect(current().is).toBe("out");
});

it("asks for a token that only this attempt can have got, and takes no other", async () => {
  const assign = vi.fn();
  vi.stubGlobal("location", { origin: "https://console.example", pathname: "/orders", search: "", assign });
  await signIn();
  const asked = new URL(assign.mock.calls[0]![0]).searchParams;
  const back = () => takeUp(new URLSearchParams({ state: asked.get("state")!, code: "c" }));
  const attempt = sessionStorage.getItem("tiffin.sign-in")!;
  expect(asked.get("nonce")).toMatch(/^[\w-]{32}$/);
  for (const nonce of ["another", undefined]) {
    sessionStorage.setItem("tiffin.sign-in", attempt);
    world.on("POST /oauth2/token", () => ({ id_token: token("customer", { nonce }), refresh_token: "refresh", expires_in: 900 }));
    await expect(back()).rejects.toThrow("no attempt");
    expect(current().is).toBe("out");
    expect(await idToken()).toBeNull();
  }
  sessionStorage.setItem("tiffin.sign-in", attempt);
  world.on("POST /oauth2/token", () => ({ id_token: token("customer", { nonce: asked.get("nonce") }), refresh_token: "refresh", expires_in: 900 }));
  expect(await back()).toBe("/orders");
  expect(current().is).toBe("in");
  await signIn();
  expect(new URL(assign.mock.calls[1]![0]).searchParams.get("nonce")).not.toBe(asked.get("nonce"));
  vi.unstubAllGlobals();
});

it("takes a refreshed token without what the attempt asked for", async () => {
  await world.signedIn("customer");
  world.on("POST /oauth2/token", () => ({ id_token: token("customer", { nonce: undefined }), expires_in: 900 }));
  expect(await refresh()).toBe(true);
  expect(current().is).toBe("in");
});

it.each([
  { what: "no role", groups: [] },
  { what: "two", groups: ["customer", "support"] },
])("lets nobody in with $what", async ({ groups }) => {
  await expect(world.signedIn("customer", { "cognito:groups": groups })).rejects.toThrow("role");
  expect(current().is).toBe("out");
  expect(await idToken()).toBeNull();
});

it("lets whoever came with an account without a role leave it for another", async () => {
  world.on("POST /oauth2/token", () => ({ id_token: token("nobody"), expires_in: 900 }));
  sessionStorage.setItem("tiffin.sign-in", JSON.stringify(ATTEMPT));
  const assign = vi.fn();
  vi.stubGlobal("location", { origin: "https://console.example", pathname: "/signed-in", search: "?state=s&code=c", assign });
  world.open("/signed-in");
  await userEvent.click(await screen.findByRole("button", { name: "Sign in as somebody else" }));
  expect(assign.mock.calls[0]![0]).toContain("https://pages.example/logout?");
  vi.unstubAllGlobals();
});

it("refreshes a token that the API does not take any more, and asks again", async () => {
  await world.signedIn("customer");
  let times = 0;
  world.on("GET /orders", () => (times++ ? { orders: [], next: null, unreadable: 0 } : problem(401, "sign-in-needed", "expired")));
  world.open("/orders");
  expect(await screen.findByText("You have not ordered yet")).toBeTruthy();
  const grants = world.calls("POST /oauth2/token").map(({ body }) => new URLSearchParams(body).get("grant_type"));
  expect(grants).toEqual(["authorization_code", "refresh_token"]);
});

it("asks to sign in again when nothing is left to refresh, and keeps the page and the basket", async () => {
  await world.signedIn("customer");
  have(MENU, MENU.dishes[0]!, 1);
  world.on("GET /orders", () => problem(401, "sign-in-needed", "expired")).on("POST /oauth2/token", () => json({ error: "invalid_grant" }, 400));
  const page = world.open("/orders");
  expect(await screen.findByText("Your sign-in has run out")).toBeTruthy();
  expect(screen.getByRole("heading", { name: "Your orders" })).toBeTruthy();
  expect(screen.queryByText(/expired/)).toBeNull();
  expect(basket.get()?.lines).toHaveLength(1);
  await mustBeAccessible(page.container);
});

it("asks for nothing once a sign-in has run out, but for what is there for everybody", async () => {
  await world.signedIn("customer");
  world
    .on("POST /oauth2/token", () => json({ error: "invalid_grant" }, 400))
    .on("GET /orders", () => problem(401, "sign-in-needed", "expired"))
    .on("GET /restaurants", () => ({ restaurants: [MENU], next: null }))
    .on("GET /promo-codes", () => ({ promo_codes: [], next: null }));
  vi.useFakeTimers({ shouldAdvanceTime: true });
  world.open("/orders");
  expect(await screen.findByText("Your sign-in has run out")).toBeTruthy();
  await act(() => vi.advanceTimersByTimeAsync(60_000));
  expect(world.calls("GET /orders")).toHaveLength(1);
  act(() => screen.getByRole("link", { name: "Codes" }).click());
  expect(await screen.findByText(/this was not done/)).toBeTruthy();
  expect(world.calls("GET /promo-codes")).toEqual([]);
  act(() => screen.getByRole("link", { name: "Restaurants" }).click());
  expect(await screen.findByRole("link", { name: /Bella Napoli/ })).toBeTruthy();
  vi.useRealTimers();
});

describe("while the pool is busy", () => {
  const MINUTE = 60_000;

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    await world.signedIn("customer");
    world.on("POST /oauth2/token", () => json({ error: "too many requests" }, 429));
  });

  afterEach(() => vi.useRealTimers());

  it("nobody is signed out: a token is good to its end, and is refreshed once that can be", async () => {
    const first = await idToken();
    vi.setSystemTime(Date.now() + 14.5 * MINUTE);
    expect(await idToken()).toBe(first);
    vi.setSystemTime(Date.now() + MINUTE);
    await expect(idToken()).rejects.toMatchObject({ kind: "sign-in-unavailable", passes: true });
    expect(current().is).toBe("in");
    world.on("POST /oauth2/token", () => ({ id_token: token("customer", { jti: "2" }), expires_in: 900 }));
    expect(await idToken()).toBe(token("customer", { jti: "2" }));
  });

  it("a request that would need another token says so", async () => {
    vi.setSystemTime(Date.now() + 16 * MINUTE);
    world.open("/orders");
    expect(await screen.findByText("The sign-in cannot be reached just now.")).toBeTruthy();
    expect(screen.queryByText("Your sign-in has run out")).toBeNull();
    expect(world.calls("GET /orders")).toEqual([]);
  });
});

describe("when somebody's role is another at the next refresh", () => {
  /** Somebody at their page, for whom the pool then has another token. */
  async function changed(path: string, role: string, before: object, after: object) {
    await world.signedIn(role, before);
    world
      .on("GET /restaurants", () => ({ restaurants: [], next: null }))
      .on("GET /kitchen/orders", ({ headers }) => ({ orders: [], next: null, unreadable: headers.get("Authorization")!.includes(token(role, before)) ? 1 : 2 }))
      .on("POST /oauth2/token", () => ({ id_token: token(role, after), expires_in: 900 }));
    world.open(path);
  }

  it("and is none, it is said, and no more is asked", async () => {
    await changed("/kitchen", "restaurant", { "custom:restaurant_id": "r-1" }, { "cognito:groups": [] });
    await screen.findByText("1 order cannot be read");
    await act(refresh);
    expect(await screen.findByText(/This account has no role here/)).toBeTruthy();
    expect(screen.getByRole("heading", { name: "Sign in first" })).toBeTruthy();
    expect(current().is).toBe("out");
    await act(refresh);
    expect(world.calls("POST /oauth2/token")).toHaveLength(2);
  });

  it("the page is for others", async () => {
    await changed("/kitchen", "restaurant", { "custom:restaurant_id": "r-1" }, { "cognito:groups": ["courier"] });
    await screen.findByText("1 order cannot be read");
    await act(refresh);
    expect(await screen.findByRole("heading", { name: "This page is for others" })).toBeTruthy();
  });

  it("and is at another restaurant, its orders are read", async () => {
    await changed("/kitchen", "restaurant", { "custom:restaurant_id": "r-1" }, { "custom:restaurant_id": "r-2" });
    await screen.findByText("1 order cannot be read");
    await act(refresh);
    // Sooner than a page asks by itself.
    expect(await screen.findByText("2 orders cannot be read", {}, { timeout: 5_000 })).toBeTruthy();
  });
});

it("shows a page of another role to nobody, and asks nothing for it", async () => {
  await world.signedIn("customer");
  world.open("/support");
  expect(await screen.findByRole("heading", { name: "This page is for others" })).toBeTruthy();
  expect(world.calls("GET /support/orders")).toEqual([]);
  const assign = vi.fn();
  vi.stubGlobal("location", { origin: "https://console.example", assign });
  await userEvent.click(screen.getByRole("button", { name: "Sign in as somebody else" }));
  expect(current().is).toBe("out");
  expect(assign.mock.calls[0]![0]).toContain("https://pages.example/logout?");
  vi.unstubAllGlobals();
});
