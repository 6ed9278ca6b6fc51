/** A part of the console that fails, or does not come, takes nothing else with it. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it, vi } from "vitest";
import { current, signOut } from "../src/auth/session";
import { later, Part } from "../src/ui/part";
import { MENU, mustBeAccessible, World } from "./world";

let world: World;
const user = userEvent.setup();

beforeEach(() => {
  signOut();
  world = new World();
  vi.spyOn(console, "error").mockImplementation(() => {}); // where React tells of what was caught
});

/** A part that comes when the network is there, and its import was not refused so many times. */
function drawing(refused: number) {
  const load = vi.fn(async () => {
    if (!navigator.onLine || refused-- > 0) throw new TypeError("Failed to fetch dynamically imported module");
    return { default: ({ of }: { of: string }) => <p>A drawing of {of}</p> };
  });
  const Drawing = later(load);
  const page = render(
    <QueryClientProvider client={new QueryClient()}>
      <Part what="the drawing">
        <Drawing of="an order" />
      </Part>
    </QueryClientProvider>,
  );
  return { page, load };
}

it("that did not come is asked for again, when somebody says so", async () => {
  const { page, load } = drawing(2);
  await user.click(await screen.findByRole("button", { name: "Try again" }));
  await waitFor(() => expect(load).toHaveBeenCalledTimes(2));
  await mustBeAccessible(page.container);
  await user.click(await screen.findByRole("button", { name: "Try again" }));
  expect(await screen.findByText("A drawing of an order")).toBeTruthy();
  expect(load).toHaveBeenCalledTimes(3);
});

it("that did not come for want of a network says so, and comes when it is back", async () => {
  world.is("offline");
  drawing(0);
  expect(await screen.findByText(/You are offline\. It comes by itself/)).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
  world.is("online");
  expect(await screen.findByText("A drawing of an order")).toBeTruthy();
});

it("that fails is one page: who is signed in stays so, other pages come, and it may do another time", async () => {
  await world.signedIn("customer");
  world
    .on("GET /restaurants", () => ({ restaurants: [MENU], next: null }))
    .on("GET /restaurants/r-1/menu", () => ({ ...MENU, dishes: null }));
  const page = world.open("/restaurants/r-1");
  const heading = await screen.findByRole("heading", { name: "This page did not come" });
  await waitFor(() => expect(document.activeElement).toBe(heading));
  expect(screen.getByText(/a defect of the console/)).toBeTruthy();
  expect(current().is).toBe("in");
  await mustBeAccessible(page.container);

  await user.click(screen.getByRole("link", { name: "Restaurants" }));
  world.on("GET /restaurants/r-1/menu", () => MENU);
  await user.click(await screen.findByRole("link", { name: /Bella Napoli/ }));
  expect(await screen.findByRole("button", { name: "Add Margherita" })).toBeTruthy();
});
