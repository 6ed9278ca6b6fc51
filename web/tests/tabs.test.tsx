/** Tabs of one browser, each with tokens of its own. */
import { screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { current, idToken } from "../src/auth/session";
import { CONFIG, token, World } from "./world";

it("signs somebody out in all their tabs, and nobody else", async () => {
  const world = await new World().signedIn("customer");
  world.open("/orders");
  /** Somebody's other tab: all that it has in memory is its own. */
  const tab = async (subject: string) => {
    vi.resetModules();
    const session = await import("../src/auth/session");
    session.signInAt(CONFIG);
    world.on("POST /oauth2/token", () => ({ id_token: token("customer", { sub: subject }), refresh_token: `refresh-${subject}`, expires_in: 900 }));
    sessionStorage.setItem("tiffin.sign-in", JSON.stringify({ state: "s", verifier: "v", from: "/" }));
    await session.takeUp(new URLSearchParams({ state: "s", code: "c" }));
    return session;
  };
  const [theirs, somebodyElses] = [await tab("sub-1"), await tab("sub-2")];
  somebodyElses.signOut();
  theirs.signOut();
  expect(await screen.findByText("You signed out in another tab.")).toBeTruthy();
  expect(current().is).toBe("out");
  expect(await idToken()).toBeNull();
  const revoked = () => world.calls("POST /oauth2/revoke").map(({ body }) => new URLSearchParams(body).get("token"));
  await vi.waitFor(() => expect(revoked().toSorted()).toEqual(["refresh", "refresh-sub-1", "refresh-sub-2"]));
});
