/** A customer's order: one, whatever becomes of the page. */
import { onlineManager } from "@tanstack/react-query";
import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { signOut } from "../src/auth/session";
import { basket, change, have } from "../src/customer/basket";
import { moment } from "../src/ui/words";
import { json, MENU, mustBeAccessible, ORDER, problem, QUOTE, World } from "./world";

let world: World;
const user = userEvent.setup();

beforeEach(() => {
  signOut();
  world = new World()
    .on("GET /restaurants", () => ({ restaurants: [MENU], next: null }))
    .on("GET /restaurants/r-1/menu", () => MENU)
    .on("GET /promo-codes", () => ({ promo_codes: [], next: null }))
    .on("POST /quotes", () => QUOTE)
    .on("POST /orders", () => ORDER)
    .on("GET /orders/ord_abcdef", () => ORDER)
    .on("GET /orders", () => ({ orders: [], next: null, unreadable: 0 }));
});

function fill() {
  have(MENU, MENU.dishes[0]!, 1);
  basket.set({ ...basket.get()!, name: "Ada", address: "Harbour Street 1" });
}

describe("the basket", () => {
  it("is filled from a menu by somebody who is not signed in", async () => {
    const page = world.open("/restaurants/r-1");
    await user.click(await screen.findByRole("button", { name: "Add Margherita" }));
    await user.click(screen.getByRole("button", { name: "One Margherita more" }));
    expect(basket.get()?.lines).toMatchObject([{ dishId: "margherita", quantity: 2 }]);
    expect(world.asked.every(({ headers }) => !headers.has("Authorization"))).toBe(true);
    await mustBeAccessible(page.container);
  });

  it("takes a number that is typed, by Enter too, which orders nothing, and keeps it when none is", async () => {
    await world.signedIn("customer");
    fill();
    const page = world.open("/basket");
    await screen.findByRole("button", { name: "Order for €12.00" });
    const number = screen.getByRole("textbox", { name: "Margherita: how many" });
    const quantity = () => basket.get()?.lines[0]?.quantity;
    await user.clear(number);
    await user.type(number, "42{Enter}");
    expect(quantity()).toBe(42);
    await user.clear(number);
    await user.tab();
    expect(quantity()).toBe(42);
    expect(number).toHaveProperty("value", "42");
    await user.clear(number);
    await user.type(number, "2.5{Enter}");
    expect(quantity()).toBe(42);
    expect(number).toHaveProperty("value", "42");
    await user.clear(number);
    await user.type(number, "100{Enter}{Enter}");
    expect(quantity()).toBe(99);
    await waitFor(() => expect(screen.getByRole("button", { name: /^Order for/ })).toHaveProperty("disabled", false));
    await user.type(number, "{Enter}");
    expect(world.calls("POST /orders")).toEqual([]);
    await mustBeAccessible(page.container);
    await user.clear(number);
    await user.type(number, "0{Enter}");
    expect(basket.get()).toBeNull();
  });

  it("is filled at another restaurant when one is unknown", async () => {
    world.on("GET /restaurants/r-2/menu", () => problem(404, "unknown-restaurant", "There is no such restaurant."));
    world.open("/restaurants/r-2");
    await user.click(await screen.findByRole("link", { name: "To the restaurants" }));
    expect(await screen.findByRole("link", { name: /Bella Napoli/ })).toBeTruthy();
  });

  it("is filled once there is a network: until then it is said why there are no restaurants", async () => {
    world.is("offline");
    onlineManager.setOnline(false);
    world.open("/");
    expect(await screen.findByText(/It comes by itself once the network is back/)).toBeTruthy();
    expect(screen.queryByText("Loading restaurants")).toBeNull();
    world.is("online");
    act(() => onlineManager.setOnline(true));
    expect(await screen.findByRole("link", { name: /Bella Napoli/ })).toBeTruthy();
  });

  it("is priced by the server, with the menu's version", async () => {
    await world.signedIn("customer");
    fill();
    const page = world.open("/basket");
    expect(await screen.findByText("€12.00")).toBeTruthy();
    expect(JSON.parse(world.calls("POST /quotes")[0]!.body)).toEqual({
      restaurant_id: "r-1",
      lines: [{ dish_id: "margherita", quantity: 1 }],
      promo_code: null,
      menu_version: "v1",
    });
    await mustBeAccessible(page.container);
  });

  it("shows of each dish what it is priced at, though the basket is older than the menu", async () => {
    await world.signedIn("customer");
    fill();
    const eur = (amount: number) => ({ amount, currency: "EUR" });
    const code = (minimum: number) => ({ code: `FROM-${minimum}`, status: "available", discount: { type: "free_delivery" }, minimum_order: eur(minimum) });
    world
      .on("POST /quotes", () => ({ ...QUOTE, lines: [{ ...QUOTE.lines[0], unit_price: eur(1100), price: eur(1100) }], subtotal: eur(1100), total: eur(1350) }))
      .on("GET /promo-codes", () => ({ promo_codes: [code(1000), code(1200)], next: null }));
    world.open("/basket");
    await screen.findByRole("button", { name: "Order for €13.50" });
    expect(screen.getByRole("list", { name: "Dishes in the basket" }).textContent).toContain("€11.00");
    expect(await screen.findByRole("button", { name: /FROM-1000/ })).toHaveProperty("disabled", false);
    expect(screen.getByRole("button", { name: /FROM-1200/ })).toHaveProperty("disabled", true);
  });

  it("is all of one menu, the last that something was taken from", () => {
    have({ ...MENU, dishes: [MENU.dishes[0]!, { ...MENU.dishes[0]!, dish_id: "marinara" }] }, MENU.dishes[0]!, 1);
    const dearer = MENU.dishes.map((dish) => ({ ...dish, price: 1100 }));
    const marinara = { ...MENU.dishes[0]!, dish_id: "marinara", price: 800 };
    have({ ...MENU, version: "v2", dishes: [...dearer, marinara] }, marinara, 1);
    expect(basket.get()).toMatchObject({ menuVersion: "v2", lines: [{ price: 1100 }, { price: 800 }] });
  });

  it("cannot be ordered for a price that is not its own", async () => {
    await world.signedIn("customer");
    fill();
    world.open("/basket");
    await screen.findByRole("button", { name: "Order for €12.00" });
    let answer = (_: unknown) => {};
    world.on("POST /quotes", () => new Promise((resolve) => (answer = resolve)));
    await user.click(screen.getByRole("button", { name: "One Margherita more" }));
    const button = await screen.findByRole("button", { name: "Order" });
    expect(button).toHaveProperty("disabled", true);
    await waitFor(() => expect(world.calls("POST /quotes")).toHaveLength(2));
    answer({ ...QUOTE, total: { amount: 2150, currency: "EUR" } });
    expect(await screen.findByRole("button", { name: "Order for €21.50" })).toHaveProperty("disabled", false);
  });

  it("becomes one order, however often it is ordered", async () => {
    await world.signedIn("customer");
    fill();
    const key = basket.get()!.key;
    world.open("/basket");
    await user.dblClick(await screen.findByRole("button", { name: "Order for €12.00" }));
    const heading = await screen.findByRole("heading", { name: "Your order from Bella Napoli" });
    await waitFor(() => expect(document.activeElement).toBe(heading));
    const placings = world.calls("POST /orders");
    expect(new Set(placings.map(({ headers }) => headers.get("Idempotency-Key")))).toEqual(new Set([key]));
    await waitFor(() => expect(basket.get()).toBeNull());
  });

  it("is there until the order's page is", async () => {
    await world.signedIn("customer");
    fill();
    world.open("/basket");
    const shown: string[] = [];
    const observer = new MutationObserver(() => shown.push(document.querySelector("main")!.textContent!));
    observer.observe(document.body, { childList: true, subtree: true });
    await user.click(await screen.findByRole("button", { name: "Order for €12.00" }));
    await screen.findByRole("heading", { name: "Your order from Bella Napoli" });
    await waitFor(() => expect(basket.get()).toBeNull());
    observer.disconnect();
    expect(shown.filter((text) => text.includes("There is nothing in it"))).toEqual([]);
  });

  it("keeps its key when no answer comes, so that another try is the same order", async () => {
    await world.signedIn("customer");
    fill();
    world.on("POST /orders", () => {
      throw new TypeError("the network is gone");
    });
    world.open("/basket");
    await user.click(await screen.findByRole("button", { name: "Order for €12.00" }));
    expect(await screen.findByText(/it stays one order/)).toBeTruthy();
    world.on("POST /orders", () => ORDER);
    await user.click(screen.getByRole("button", { name: "Order for €12.00" }));
    await screen.findByRole("heading", { name: "Your order from Bella Napoli" });
    const [first, second] = world.calls("POST /orders");
    expect(second!.headers.get("Idempotency-Key")).toBe(first!.headers.get("Idempotency-Key"));
  });

  it("is not ordered while there is no network, nor by itself later, and keeps its key", async () => {
    await world.signedIn("customer");
    fill();
    const key = basket.get()!.key;
    world.open("/basket");
    const button = await screen.findByRole("button", { name: "Order for €12.00" });
    world.is("offline");
    await user.click(button);
    expect(await screen.findByText("You are offline: nothing was ordered. Try again once you are back.")).toBeTruthy();
    const before = world.calls("POST /orders").length;
    world.is("online");
    expect(screen.queryByText(/You are offline/)).toBeNull();
    expect(world.calls("POST /orders")).toHaveLength(before);
    expect(basket.get()!.key).toBe(key);
    await user.click(button);
    await screen.findByRole("heading", { name: "Your order from Bella Napoli" });
    expect(world.calls("POST /orders").at(-1)!.headers.get("Idempotency-Key")).toBe(key);
  });

  it("is not ordered when the sign-in has run out: one signs in again, and it is as it was", async () => {
    await world.signedIn("customer");
    fill();
    world.open("/basket");
    const button = await screen.findByRole("button", { name: "Order for €12.00" });
    world.on("POST /oauth2/token", () => json({ error: "invalid_grant" }, 400));
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 16 * 60_000);
    await user.click(button);
    expect(await screen.findByText(/so this was not done/)).toBeTruthy();
    expect(world.calls("POST /orders")).toEqual([]);
    expect(basket.get()).toMatchObject({ name: "Ada", lines: [{ dishId: "margherita" }] });
  });

  it("may have been ordered when the network went in the middle of it", async () => {
    await world.signedIn("customer");
    fill();
    world.open("/basket");
    const button = await screen.findByRole("button", { name: "Order for €12.00" });
    world.on("POST /orders", () => {
      world.is("offline");
      throw new TypeError("Failed to fetch");
    });
    await user.click(button);
    expect(await screen.findByText(/it stays one order/)).toBeTruthy();
    expect(screen.queryByText(/nothing was ordered/)).toBeNull();
  });

  it("says that it was ordered already, and becomes another order only when asked to", async () => {
    await world.signedIn("customer");
    fill();
    const key = basket.get()!.key;
    world.on("POST /orders", () => problem(409, "idempotency-key-reused", "used"));
    world.open("/basket");
    await user.click(await screen.findByRole("button", { name: "Order for €12.00" }));
    await user.click(await screen.findByRole("button", { name: "Make this another order" }));
    expect(basket.get()!.key).not.toBe(key);
  });

  it("tries a code when asked to, once, and says why it is refused", async () => {
    await world.signedIn("customer");
    fill();
    world.open("/basket");
    await screen.findByText("€12.00");
    world.on("POST /quotes", ({ body }) =>
      JSON.parse(body).promo_code ? problem(422, "unknown-promo-code", "You have no such promo code.") : QUOTE,
    );
    await user.type(screen.getByRole("textbox", { name: "Promo code" }), "nope-1");
    expect(world.calls("POST /quotes")).toHaveLength(1);
    await user.click(screen.getByRole("button", { name: "Apply" }));
    expect(await screen.findByText("You have no such promo code.")).toBeTruthy();
    expect(world.calls("POST /quotes").map(({ body }) => JSON.parse(body).promo_code)).toEqual([null, "NOPE-1"]);
    expect(basket.get()!.promoCode).toBe("");
  });

  it("has of another person, who left without signing out, the dishes alone", async () => {
    await world.signedIn("customer", { sub: "sub-1" });
    fill();
    const first = world.open("/basket");
    await screen.findByRole("button", { name: "Order for €12.00" });
    change({ promoCode: "TEN" });
    first.unmount();
    const before = world.calls("POST /quotes").length;
    await world.signedIn("customer", { sub: "sub-2" });
    world.open("/basket");
    await screen.findByRole("button", { name: "Order for €12.00" });
    expect(basket.get()).toMatchObject({ name: "", address: "", promoCode: "", lines: [{ dishId: "margherita" }] });
    expect(world.calls("POST /quotes").slice(before).map(({ body }) => JSON.parse(body).promo_code)).toEqual([null]);
  });

  it("with a code that is refused is priced again only when somebody asks", async () => {
    await world.signedIn("customer");
    fill();
    change({ promoCode: "GONE" });
    world.on("POST /quotes", () => problem(422, "unknown-promo-code", "You have no such promo code."));
    const { unmount, queries } = world.open("/basket");
    await screen.findByText("You have no such promo code.");
    await act(() => queries.invalidateQueries());
    act(() => void dispatchEvent(new Event("visibilitychange")));
    unmount();
    world.open("/basket", queries);
    await user.click(await screen.findByRole("button", { name: "Try again" }));
    await waitFor(() => expect(world.calls("POST /quotes")).toHaveLength(2));
  });

  describe("with a code that was typed and not applied", () => {
    const REDUCED = { ...QUOTE, promo_code: "TEN", discount: { amount: 200, currency: "EUR" }, total: { amount: 1000, currency: "EUR" } };

    async function typed(answer: (code: string | null) => unknown) {
      await world.signedIn("customer");
      fill();
      world.on("POST /quotes", ({ body }) => answer(JSON.parse(body).promo_code));
      world.open("/basket");
      await screen.findByRole("button", { name: "Order for €12.00" });
      await user.type(screen.getByRole("textbox", { name: "Promo code" }), "ten");
    }

    it("is priced with it by Enter, and not ordered", async () => {
      await typed((code) => (code ? REDUCED : QUOTE));
      await user.keyboard("{Enter}");
      expect(await screen.findByRole("button", { name: "Order for €10.00" })).toBeTruthy();
      expect(basket.get()!.promoCode).toBe("TEN");
      expect(world.calls("POST /orders")).toEqual([]);
    });

    it("is ordered with it", async () => {
      await typed((code) => (code ? REDUCED : QUOTE));
      await user.click(screen.getByRole("button", { name: "Order for €12.00" }));
      await screen.findByRole("heading", { name: "Your order from Bella Napoli" });
      expect(world.calls("POST /orders").map(({ body }) => JSON.parse(body).promo_code)).toEqual(["TEN"]);
    });

    it("is not ordered where the code is refused: the field says why, and has the focus", async () => {
      await typed((code) => (code ? problem(422, "unknown-promo-code", "You have no such promo code.") : QUOTE));
      await user.click(screen.getByRole("button", { name: "Order for €12.00" }));
      expect(await screen.findByText("You have no such promo code.")).toBeTruthy();
      await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("textbox", { name: "Promo code" })));
      expect(world.calls("POST /orders")).toEqual([]);
    });
  });

  it("asks for what is missing, and goes there", async () => {
    await world.signedIn("customer");
    have(MENU, MENU.dishes[0]!, 1);
    world.open("/basket");
    await user.click(await screen.findByRole("button", { name: "Order for €12.00" }));
    expect(await screen.findByText("Enter a name: who shall get it?")).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("textbox", { name: "Name" })));
    expect(world.calls("POST /orders")).toEqual([]);
  });
});

describe("an order", () => {
  it("says where it is, and lets its customer cancel while the restaurant has not answered", async () => {
    await world.signedIn("customer");
    world.on("POST /orders/ord_abcdef/cancel", () => ORDER);
    const page = world.open("/orders/ord_abcdef");
    const steps = within(await screen.findByRole("list", { name: "The life of the order" })).getAllByRole("listitem");
    expect(steps.find((step) => step.getAttribute("aria-current"))?.textContent).toContain("The restaurant answers");
    await mustBeAccessible(page.container);
    await user.click(screen.getByRole("button", { name: "Cancel the order" }));
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Cancel the order" }));
    await waitFor(() => expect(world.calls("POST /orders/ord_abcdef/cancel")).toHaveLength(1));
  });

  it("says until when its restaurant can answer, and what comes of silence", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(ORDER.timeline[1]!.at) + 60_000 });
    await world.signedIn("customer");
    world.open("/orders/ord_abcdef");
    const until = moment(Date.parse(ORDER.timeline[1]!.at) + 15 * 60_000);
    expect(await screen.findByText(`Bella Napoli has until ${until} to answer, 14 min from now. If nobody does, the order is rejected and the money goes back.`)).toBeTruthy();
    vi.useRealTimers();
  });

  describe("whose restaurant accepts while its customer is asked whether to cancel", () => {
    let status: string;
    const is = () => ({ ...ORDER, status, timeline: [...ORDER.timeline, ...(status === "PREPARING" ? [{ status, at: "2026-01-31T12:01:00Z" }] : [])] });

    async function asked() {
      status = "AWAITING_RESTAURANT";
      await world.signedIn("customer");
      world.on("GET /orders/ord_abcdef", is);
      const page = world.open("/orders/ord_abcdef");
      await user.click(await screen.findByRole("button", { name: "Cancel the order" }));
      return { ...page, dialog: within(await screen.findByRole("dialog")) };
    }

    async function closed(dialog: ReturnType<typeof within>) {
      const close = await dialog.findByRole("button", { name: "Close" });
      await waitFor(() => expect(document.activeElement).toBe(close));
      expect(dialog.queryByRole("button", { name: "Cancel the order" })).toBeNull();
      await user.click(close);
      await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
      await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("list", { name: "The life of the order" })));
    }

    it("says that it is too late", async () => {
      const { dialog, queries } = await asked();
      status = "PREPARING";
      await act(() => queries.invalidateQueries());
      expect(await dialog.findByText("It is too late to cancel. By now it is: Being prepared.")).toBeTruthy();
      await mustBeAccessible(screen.getByRole("dialog"));
      await closed(dialog);
    });

    it("says that nothing was done", async () => {
      const { dialog } = await asked();
      world.on("POST /orders/ord_abcdef/cancel", () => {
        status = "PREPARING";
        return problem(409, "illegal-move", "Order ord_abcdef is PREPARING: it cannot take it.", { order_status: status, taken: null });
      });
      await user.click(dialog.getByRole("button", { name: "Cancel the order" }));
      expect(await dialog.findByText("Nothing was done. By now it is: Being prepared.")).toBeTruthy();
      await closed(dialog);
    });
  });

  it("of another day says of which", async () => {
    await world.signedIn("customer");
    world.open("/orders/ord_abcdef");
    expect(await screen.findByText(/placed Jan 31, 2026/)).toBeTruthy();
    expect(screen.getByRole("list", { name: "The life of the order" }).textContent).toContain("since Jan 31, 2026");
  });

  it("is not cancelled while there is no network, and can be once it is back", async () => {
    await world.signedIn("customer");
    world.on("POST /orders/ord_abcdef/cancel", () => ORDER);
    world.open("/orders/ord_abcdef");
    await user.click(await screen.findByRole("button", { name: "Cancel the order" }));
    const cancel = async () => user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Cancel the order" }));
    world.is("offline");
    await cancel();
    expect(await screen.findByText("You are offline: nothing was done. Try again once you are back.")).toBeTruthy();
    const before = world.calls("POST /orders/ord_abcdef/cancel").length;
    world.is("online");
    expect(screen.queryByText(/You are offline/)).toBeNull();
    await cancel();
    await waitFor(() => expect(world.calls("POST /orders/ord_abcdef/cancel")).toHaveLength(before + 1));
  });

  it("is among its customer's by the number that people see", async () => {
    await world.signedIn("customer");
    world.on("GET /orders", () => ({ orders: [ORDER], next: null, unreadable: 0 }));
    world.open("/orders");
    expect((await screen.findByRole("link", { name: /Bella Napoli/ })).textContent).toContain("No. ABCDEF");
  });

  it("that is nobody's or somebody else's leads to one's own", async () => {
    await world.signedIn("customer");
    world.on("GET /orders/ord_abcdef", () => problem(404, "unknown-order", "There is no such order."));
    world.open("/orders/ord_abcdef");
    expect(await screen.findByText("There is no such order.")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
    await user.click(screen.getByRole("link", { name: "To your orders" }));
    expect(await screen.findByRole("heading", { name: "Your orders" })).toBeTruthy();
  });

  it.each([
    ["CANCELLED", "cancelled_by_customer", "The customer cancelled the order.", "You cancelled the order."],
    ["FAILED", "workflow_failed", "The order could not be completed: States.Timeout.", "Something failed on our side, and the order could not be completed."],
    ["REJECTED", "restaurant_rejected", "The restaurant rejected the order: too busy.", "The restaurant rejected the order: too busy."],
  ])("that is %s says so to its customer", async (status, code, message, said) => {
    await world.signedIn("customer");
    world.on("GET /orders/ord_abcdef", () => ({ ...ORDER, status, reason: { code, message, network: null, summary: code } }));
    world.open("/orders/ord_abcdef");
    expect(await screen.findByText(said)).toBeTruthy();
  });

  it("that was declined says why, and begins anew with another card and another key", async () => {
    await world.signedIn("customer");
    const reason = { code: "insufficient_funds", message: "Your card has insufficient funds.", network: "visa", summary: "visa: insufficient_funds" };
    world.on("GET /orders/ord_abcdef", () => ({ ...ORDER, status: "DECLINED", promo_code: "TEN", reason }));
    world.open("/orders/ord_abcdef");
    expect(await screen.findByText("Your card has insufficient funds.")).toBeTruthy();
    expect(screen.getByText("Visa declined it. Nothing was taken, and nothing is cooked. The promo code TEN is yours again.")).toBeTruthy();
    expect(document.body.textContent!.match(/insufficient funds/gi)).toHaveLength(1);
    await user.click(screen.getByRole("button", { name: "Try another card" }));
    await screen.findByRole("heading", { name: "Basket" });
    expect(basket.get()).toMatchObject({ restaurantId: "r-1", address: "Harbour Street 1" });
    // By the menu whose prices are shown, which is asked for once.
    world.on("POST /orders", () => ORDER);
    await user.click(await screen.findByRole("button", { name: "Order for €12.00" }));
    await waitFor(() => expect(world.calls("POST /orders")).toHaveLength(1));
    expect(JSON.parse(world.calls("POST /orders")[0]!.body)).toMatchObject({ menu_version: "v1" });
    expect(world.calls("POST /quotes")).toHaveLength(1);
  });

  it("is ordered again in place of what is in the basket only after asking, and without the code that it was paid with", async () => {
    await world.signedIn("customer");
    fill();
    const key = basket.get()!.key;
    world.on("GET /orders/ord_abcdef", () => ({ ...ORDER, status: "DELIVERED", promo_code: "TEN" }));
    world.open("/orders/ord_abcdef");
    await user.click(await screen.findByRole("button", { name: "Order the same again" }));
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Keep the old one" }));
    expect(basket.get()!.key).toBe(key);
    await user.click(screen.getByRole("button", { name: "Order the same again" }));
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Begin a new one" }));
    await screen.findByRole("heading", { name: "Basket" });
    expect(basket.get()).toMatchObject({ promoCode: "", name: "Ada" });
    expect(basket.get()!.key).not.toBe(key);
  });
});
