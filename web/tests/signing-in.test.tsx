/** Who is signed in, and what becomes of a page whose sign-in ends. */
import { screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { challenge } from "../src/auth/pkce";
import { current, idToken, signOut, takeUp } from "../src/auth/session";
import { basket, have } from "../src/customer/basket";
import { json, MENU, mustBeAccessible, problem, token, World } from "./world";

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
  sessionStorage.setItem("tiffin.sign-in", JSON.stringify({ state: "mine", verifier: "v", from: "/" }));
  await expect(takeUp(new URLSearchParams({ state: "other", code: "c" }))).rejects.toThrow("no attempt");
  expect(world.asked).toEqual([]);
  expect(current().is).toBe("out");
});

it.each([
  { what: "no role", groups: [] },
  { what: "two", groups: ["customer", "support"] },
])("lets nobody in with $what", async ({ groups }) => {
  await expect(world.signedIn("customer", { "cognito:groups": groups })).rejects.toThrow("role");
  expect(current().is).toBe("out");
  expect(await idToken()).toBeNull();
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
  expect(basket.get()?.lines).toHaveLength(1);
  await mustBeAccessible(page.container);
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

it("shows a page of another role to nobody, and asks nothing for it", async () => {
  await world.signedIn("customer");
  world.open("/support");
  expect(await screen.findByRole("heading", { name: "This page is for others" })).toBeTruthy();
  expect(world.calls("GET /support/orders")).toEqual([]);
});
