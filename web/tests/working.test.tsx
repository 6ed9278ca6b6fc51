/** Those whose work orders are: kitchen, courier, support. */
import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it, vi } from "vitest";
import orderWorkflow from "../../statemachines/order.asl.json";
import { connect } from "../src/api/clients";
import { signOut } from "../src/auth/session";
import { take } from "../src/live/live";
import { announce } from "../src/ui/announce";
import { CONFIG, MENU, mustBeAccessible, ORDER, problem, World } from "./world";

let world: World;
const user = userEvent.setup();
const SUMMARY = { order_id: "ord_abcdef", restaurant_id: "r-1", restaurant_name: "Bella Napoli", placed_at: ORDER.placed_at, updated_at: ORDER.updated_at, deadline_at: ORDER.deadline_at };

beforeEach(() => {
  signOut();
  world = new World().on("GET /restaurants", () => ({ restaurants: [], next: null }));
});

/** A kitchen with one order to answer. @returns what takes the order from its list, as a customer does who cancels. */
async function aKitchenWithAnOrder(): Promise<() => void> {
  await world.signedIn("restaurant", { "custom:restaurant_id": "r-1" });
  let there = true;
  world
    .on("GET /kitchen/orders", () => ({ orders: there ? [{ ...SUMMARY, status: "AWAITING_RESTAURANT" }] : [], next: null, unreadable: 0 }))
    .on("GET /orders/ord_abcdef", () => ORDER);
  return () => {
    there = false;
  };
}

/** What a move is answered with by whose order it is no more. */
const tooLate = (gone: () => void) => () => {
  gone();
  return problem(409, "illegal-move", "Order ord_abcdef is CANCELLED: it cannot take it.", { order_status: "CANCELLED", taken: null });
};

it("a kitchen rejects an order with a reason, and is told when that is not possible any more", async () => {
  world.on("POST /orders/ord_abcdef/reject", tooLate(await aKitchenWithAnOrder()));
  const page = world.open("/kitchen");
  await user.click(await screen.findByRole("button", { name: "Reject …" }));
  const dialog = await screen.findByRole("dialog");
  // None is chosen beforehand: one press too many tells the customer nothing.
  expect(within(dialog).getByRole("button", { name: "Choose a reason" })).toHaveProperty("disabled", true);
  await user.click(within(dialog).getByRole("radio", { name: "We are closing" }));
  await user.click(within(dialog).getByRole("button", { name: "Reject the order" }));
  await waitFor(() => expect(JSON.parse(world.calls("POST /orders/ord_abcdef/reject")[0]!.body)).toEqual({ reason: "closing" }));
  await screen.findByText("No order waits for an answer.");
  expect(await screen.findByText("Order ABCDEF: nothing was done. By now it is: Cancelled.")).toBeTruthy();
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await waitFor(() => expect(document.activeElement?.textContent).toBe("To answer 0"));
  await mustBeAccessible(page.container);
});

it("a kitchen reads at whose it is signed in", async () => {
  await world.signedIn("restaurant", { "custom:restaurant_id": "r-1" });
  world.on("GET /restaurants", () => ({ restaurants: [MENU], next: null })).on("GET /kitchen/orders", () => ({ orders: [], next: null, unreadable: 0 }));
  world.open("/kitchen");
  const bar = within(screen.getByRole("banner"));
  expect(await bar.findByText("Bella Napoli")).toBeTruthy();
  expect(bar.queryByText("r-1")).toBeNull();
});

it("a kitchen has as long for an answer as the workflow waits for it", async () => {
  const waits = orderWorkflow.States.AwaitRestaurant.TimeoutSeconds;
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(ORDER.timeline[1]!.at) + 60_000 });
  await aKitchenWithAnOrder();
  world.open("/kitchen");
  expect(await screen.findByText(`${waits / 60 - 1} min to answer`)).toBeTruthy();
  expect(screen.getByText(new RegExp(`nobody answers within ${waits / 60} min `))).toBeTruthy();
  vi.useRealTimers();
});

it("a kitchen that accepts an order which its customer has just cancelled is told so", async () => {
  world.on("POST /orders/ord_abcdef/accept", tooLate(await aKitchenWithAnOrder()));
  world.open("/kitchen");
  await user.click(await screen.findByRole("button", { name: "Accept" }));
  await screen.findByText("No order waits for an answer.");
  expect(screen.getByText("Order ABCDEF: nothing was done. By now it is: Cancelled.")).toBeTruthy();
});

it("a kitchen that was asked for a reason goes on to choose one, though the order went", async () => {
  const gone = await aKitchenWithAnOrder();
  world.on("POST /orders/ord_abcdef/reject", tooLate(gone));
  world.open("/kitchen");
  await user.click(await screen.findByRole("button", { name: "Reject …" }));
  gone();
  world.is("offline");
  world.is("online");
  await screen.findByText("No order waits for an answer.");
  await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Keep it" }));
  await waitFor(() => expect(document.activeElement?.textContent).toBe("To answer 0"));
});

it("a kitchen that does not reject comes back to where it was", async () => {
  await aKitchenWithAnOrder();
  world.open("/kitchen");
  const button = await screen.findByRole("button", { name: "Reject …" });
  await user.click(button);
  await user.keyboard("{Escape}");
  await waitFor(() => expect(document.activeElement).toBe(button));
});

it("a kitchen that is asked for a reason is told that the order was accepted meanwhile", async () => {
  await aKitchenWithAnOrder();
  const page = world.open("/kitchen");
  await user.click(await screen.findByRole("button", { name: "Reject …" }));
  const dialog = within(await screen.findByRole("dialog"));
  await user.click(dialog.getByRole("radio", { name: "We are closing" }));
  world
    .on("GET /kitchen/orders", () => ({ orders: [{ ...SUMMARY, status: "PREPARING" }], next: null, unreadable: 0 }))
    .on("GET /orders/ord_abcdef", () => ({ ...ORDER, status: "PREPARING" }));
  await act(() => page.queries.invalidateQueries());
  expect(await dialog.findByText("It is too late to reject. By now it is: Being prepared.")).toBeTruthy();
  expect(dialog.queryByRole("button", { name: "Reject the order" })).toBeNull();
  await mustBeAccessible(screen.getByRole("dialog"));
  const close = dialog.getByRole("button", { name: "Close" });
  await waitFor(() => expect(document.activeElement).toBe(close));
  await user.click(close);
  await waitFor(() => expect(document.activeElement?.textContent).toBe("To answer 0"));
});

/** A kitchen that accepts its order. @returns what has the list say that it is in a status, or, of null, not have it. */
async function anAcceptingKitchen() {
  await aKitchenWithAnOrder();
  let status: string | null = "AWAITING_RESTAURANT";
  world
    .on("GET /kitchen/orders", () => ({ orders: status ? [{ ...SUMMARY, status }] : [], next: null, unreadable: 0 }))
    .on("GET /orders/ord_abcdef", () => ({ ...ORDER, status: status ?? "DELIVERED" }))
    .on("POST /orders/ord_abcdef/accept", () => {
      status = "PREPARING";
      return {};
    });
  return (next: string | null) => {
    status = next;
  };
}

it.each(["OUT_FOR_DELIVERY", null])("a kitchen is not told any more where an order is that it accepted, once that is %s", async (status) => {
  const becomes = await anAcceptingKitchen();
  const page = world.open("/kitchen");
  await user.click(await screen.findByRole("button", { name: "Accept" }));
  await screen.findByText("No order waits for an answer.");
  const said = screen.getByText("Order ABCDEF is accepted: see “In the kitchen”.");
  becomes(status);
  await act(() => page.queries.invalidateQueries());
  await screen.findByText("Nothing is on the stove.");
  expect(said.textContent).toBe("");
});

it("a kitchen that accepts is told where the order is now, and goes on among those to answer", async () => {
  await anAcceptingKitchen();
  world.open("/kitchen");
  const button = await screen.findByRole("button", { name: "Accept" });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"], shouldAdvanceTime: true });
  await user.click(button);
  const said = await screen.findByText("Order ABCDEF is accepted: see “In the kitchen”.");
  expect(said.className).not.toContain("visually-hidden");
  await screen.findByText("No order waits for an answer.");
  await waitFor(() => expect(document.activeElement?.textContent).toBe("To answer 0"));
  await act(() => vi.advanceTimersByTimeAsync(8_000));
  expect(said.textContent).toBe("");
  vi.useRealTimers();
});

it("a courier, who is told of no order by name, reads one anew that its list says has moved on", async () => {
  await world.signedIn("courier");
  let times = 0;
  const order = { ...SUMMARY, status: "PREPARING", item_count: 3, delivery: null, pending_move: "dispatch" };
  const onTheRoad = { ...order, status: "OUT_FOR_DELIVERY", delivery: { name: "Ada", address: "Harbour Street 1" }, pending_move: null };
  world
    .on("GET /courier/orders", ({ url }) => ({ orders: url.searchParams.get("which") === "mine" ? [{ ...SUMMARY, status: "OUT_FOR_DELIVERY" }] : [], next: null, unreadable: 0 }))
    .on("GET /orders/ord_abcdef", () => (times++ ? onTheRoad : order));
  world.open("/courier");
  await user.click(await screen.findByRole("tab", { name: /On the road/ }));
  expect(await screen.findByRole("button", { name: "Handed over" })).toBeTruthy();
  expect(screen.getByText("Harbour Street 1")).toBeTruthy();
  expect(times).toBe(2);
});

it("a courier leaves with an order", async () => {
  await world.signedIn("courier");
  let at = "ready";
  world
    .on("GET /courier/orders", ({ url }) => ({ orders: url.searchParams.get("which") === at ? [{ ...SUMMARY, status: "PREPARING" }] : [], next: null, unreadable: 0 }))
    .on("GET /orders/ord_abcdef", () => ({ ...SUMMARY, status: "PREPARING", item_count: 3, delivery: null, pending_move: null }))
    .on("POST /orders/ord_abcdef/dispatch", () => {
      at = "mine";
      return {};
    });
  const page = world.open("/courier");
  await user.click(await screen.findByRole("button", { name: "Leave with it" }));
  await waitFor(() => expect(world.calls("POST /orders/ord_abcdef/dispatch")).toHaveLength(1));
  // The order is gone from the tab. Where it went is to be seen, and heard.
  await screen.findByText("Nothing is to be fetched");
  const said = screen.getByText("Order ABCDEF is on the road: see that tab.");
  expect(said.getAttribute("role")).toBe("status");
  expect(said.className).not.toContain("visually-hidden");
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("region", { name: "Orders" })));
  await mustBeAccessible(page.container);
});

it("a courier is shown no order as another role sees it", async () => {
  await world.signedIn("courier");
  world
    .on("GET /courier/orders", ({ url }) => ({ orders: url.searchParams.get("which") === "ready" ? [{ ...SUMMARY, status: "PREPARING" }] : [], next: null, unreadable: 0 }))
    .on("GET /orders/ord_abcdef", () => ORDER);
  world.open("/courier");
  expect(await screen.findByText("Not for this page")).toBeTruthy();
  expect(screen.queryByText("Harbour Street 1")).toBeNull();
});

it("a courier who comes second reads that somebody else has the order", async () => {
  await world.signedIn("courier");
  let there = true;
  world
    .on("GET /courier/orders", ({ url }) => ({ orders: there && url.searchParams.get("which") === "ready" ? [{ ...SUMMARY, status: "PREPARING" }] : [], next: null, unreadable: 0 }))
    .on("GET /orders/ord_abcdef", () => ({ ...SUMMARY, status: "PREPARING", item_count: 3, delivery: null, pending_move: null }))
    .on("POST /orders/ord_abcdef/dispatch", () => {
      there = false;
      return problem(404, "unknown-order", "There is no such order.");
    });
  world.open("/courier");
  await user.click(await screen.findByRole("button", { name: "Leave with it" }));
  await screen.findByText("Nothing is to be fetched");
  expect(screen.getByText("Order ABCDEF: nothing was done. Somebody else has it, or it is over.")).toBeTruthy();
});

it("a courier without a network does not leave with an order, nor by itself later", async () => {
  await world.signedIn("courier");
  world
    .on("GET /courier/orders", ({ url }) => ({ orders: url.searchParams.get("which") === "ready" ? [{ ...SUMMARY, status: "PREPARING" }] : [], next: null, unreadable: 0 }))
    .on("GET /orders/ord_abcdef", () => ({ ...SUMMARY, status: "PREPARING", item_count: 3, delivery: null, pending_move: null }))
    .on("POST /orders/ord_abcdef/dispatch", () => ({}));
  world.open("/courier");
  const button = await screen.findByRole("button", { name: "Leave with it" });
  world.is("offline");
  await user.click(button);
  expect(await screen.findByText("You are offline: nothing was done. Try again once you are back.")).toBeTruthy();
  const before = world.calls("POST /orders/ord_abcdef/dispatch").length;
  world.is("online");
  await waitFor(() => expect(screen.queryByText("You are offline")).toBeNull());
  expect(world.calls("POST /orders/ord_abcdef/dispatch")).toHaveLength(before);
});

it("the foot of a page does not say that changes appear while there is no network, nor before the line is known to live", async () => {
  let pong = () => {};
  class Socket {
    onopen = () => {};
    onmessage = (_: { data: string }) => {};
    constructor() {
      setTimeout(() => this.onopen());
    }
    send() {
      pong = () => this.onmessage({ data: '{"type": "pong"}' });
    }
    close() {}
  }
  vi.stubGlobal("WebSocket", Socket);
  connect({ ...CONFIG, apis: { ...CONFIG.apis, live: "https://live.example/v1" } });
  world
    .on("POST /tickets", () => ({ ticket: "t", url: "wss://live.example" }))
    .on("GET /courier/orders", () => ({ orders: [], next: null, unreadable: 0 }));
  await world.signedIn("courier");
  world.open("/courier");
  const foot = screen.getByRole("contentinfo");
  await waitFor(() => expect(foot.textContent).toContain("Live: changes appear by themselves"));
  world.is("offline");
  expect(foot.textContent).toContain("Offline: changes appear once the network is back");
  expect(foot.textContent).not.toContain("Live");
  world.is("online");
  expect(foot.textContent).toContain("Asking every few seconds");
  act(pong);
  expect(foot.textContent).toContain("Live: changes appear by themselves");
});

it("support finds orders by age, by status and by customer", async () => {
  await world.signedIn("support");
  world.on("GET /support/orders", () => ({ orders: [{ ...SUMMARY, status: "PREPARING" }], next: null, unreadable: 0 }));
  const page = world.open("/support");
  await screen.findByRole("table");
  await mustBeAccessible(page.container);
  await user.selectOptions(screen.getByRole("combobox", { name: "Status" }), "Delivered");
  await user.type(screen.getByRole("textbox", { name: /Customer/ }), "sub-1{Enter}");
  await waitFor(() =>
    expect(world.calls("GET /support/orders").map(({ url }) => [url.searchParams.get("status"), url.searchParams.get("customer")])).toEqual([
      [null, null],
      ["DELIVERED", null],
      ["DELIVERED", "sub-1"],
    ]),
  );
  // What was asked stands in the fields, and one of both can be taken back.
  expect(screen.getByRole("textbox", { name: /Customer/ })).toHaveProperty("value", "sub-1");
  expect(screen.getByRole("combobox", { name: "Status" })).toHaveProperty("value", "DELIVERED");
  await user.selectOptions(screen.getByRole("combobox", { name: "Status" }), "All");
  await waitFor(() => expect(world.calls("GET /support/orders").at(-1)?.url.search).toBe("?customer=sub-1&limit=100"));
});

it("support is told that a customer without orders may be none", async () => {
  await world.signedIn("support");
  world.on("GET /support/orders", () => ({ orders: [], next: null, unreadable: 0 }));
  world.open("/support?customer=SUB-1");
  expect(await screen.findByText("No order of this account, or there is no such account")).toBeTruthy();
});

it("support reads that more orders are open than are shown, and finds all of a status page by page", async () => {
  await world.signedIn("support");
  const placed = (n: number) => ({ ...SUMMARY, order_id: `ord_${n}bcdefgh`, status: "PREPARING" });
  world.on("GET /support/orders", ({ url }) => {
    if (url.searchParams.get("next") === "t-1") return { orders: [placed(2)], next: null, unreadable: 0, cut: false };
    const all = url.searchParams.get("status") === null;
    return { orders: [placed(1)], next: all ? null : "t-1", unreadable: all ? 2 : 0, cut: all };
  });
  const page = world.open("/support");
  expect(await screen.findByText("Shown are the 1 open order that were placed first. Choose a status for all that are in it.")).toBeTruthy();
  expect(screen.getByText("2 orders cannot be read")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "The following ones" })).toBeNull();
  await user.selectOptions(screen.getByRole("combobox", { name: "Status" }), "Being prepared");
  await user.click(await screen.findByRole("button", { name: "The following ones" }));
  await screen.findByRole("link", { name: "2BCDEF" });
  expect(screen.getByRole("link", { name: "1BCDEF" })).toBeTruthy();
  expect(screen.queryByText("There are more than these")).toBeNull();
  expect(screen.queryByRole("button", { name: "The following ones" })).toBeNull();
  await mustBeAccessible(page.container);
});

it.each([["restaurant", "/kitchen", "GET /kitchen/orders"], ["courier", "/courier", "GET /courier/orders"]])(
  "a %s reads what the list leaves out",
  async (role, path, list) => {
    await world.signedIn(role, { "custom:restaurant_id": "r-1" });
    world.on(list, () => ({ orders: [], next: "t-1", unreadable: 3 }));
    world.open(path);
    expect(await screen.findByText("There are more than these")).toBeTruthy();
    expect(screen.getByText("3 orders cannot be read")).toBeTruthy();
  },
);

it("support finds an order by the number that people see, and is told what cannot be found so", async () => {
  await world.signedIn("support");
  world.on("GET /support/orders", () => ({ orders: [{ ...SUMMARY, order_id: "ord_joqf6gabcdefghijklmnopqrst", status: "PREPARING" }], next: null, unreadable: 0 }));
  world.on("GET /orders/ord_joqf6gabcdefghijklmnopqrst", () => problem(404, "unknown-order", "There is no such order."));
  const page = world.open("/support");
  await screen.findByRole("link", { name: "JOQF6G" });
  await user.type(screen.getByLabelText("Customer"), "ada@tiffin.example");
  await user.click(screen.getByRole("button", { name: "Find" }));
  expect(await screen.findByText(/Not an id of an account/)).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Open" }));
  expect(await screen.findByText(/Enter an order's id/)).toBeTruthy();
  await user.type(screen.getByLabelText("Order"), "XXXXXX");
  await user.click(screen.getByRole("button", { name: "Open" }));
  expect(await screen.findByText(/No order that is listed here has this number/)).toBeTruthy();
  await mustBeAccessible(page.container);
  await user.clear(screen.getByLabelText("Order"));
  await user.type(screen.getByLabelText("Order"), "joqf6g");
  await user.click(screen.getByRole("button", { name: "Open" }));
  await waitFor(() => expect(world.calls("GET /orders/ord_joqf6gabcdefghijklmnopqrst").length).toBeGreaterThan(0));
  expect(world.calls("GET /support/orders").every(({ url }) => !url.searchParams.get("customer"))).toBe(true);
});

it.each([
  ["the address of its page", "http://127.0.0.1:4580/orders/ord_joqf6gabcdefghijklmnopqrst"],
  ["the address of its story, with more", "https://console.example/support/orders/ord_joqf6gabcdefghijklmnopqrst/?from=mail#top"],
  ["capitals, and blanks around it", "  ORD_JOQF6GABCDEFGHIJKLMNOPQRST "],
])("support finds an order by its id, pasted as %s", async (_, pasted) => {
  await world.signedIn("support");
  world.on("GET /support/orders", () => ({ orders: [], next: null, unreadable: 0 }));
  world.on("GET /orders/ord_joqf6gabcdefghijklmnopqrst", () => problem(404, "unknown-order", "There is no such order."));
  world.open("/support");
  await user.click(await screen.findByLabelText("Order"));
  await user.paste(pasted);
  await user.click(screen.getByRole("button", { name: "Open" }));
  await waitFor(() => expect(world.calls("GET /orders/ord_joqf6gabcdefghijklmnopqrst").length).toBeGreaterThan(0));
});

it.each(["HELLO:world", "http://127.0.0.1:4580/orders", "ord_1890", "a/b"])("support is told at the field that %s is no order's id, and nothing is asked", async (text) => {
  await world.signedIn("support");
  world.on("GET /support/orders", () => ({ orders: [], next: null, unreadable: 0 }));
  world.open("/support");
  await user.type(await screen.findByLabelText("Order"), `${text}{Enter}`);
  expect(await screen.findByText(/Not the id of an order/)).toBeTruthy();
  expect(world.asked.some(({ url }) => url.pathname.startsWith("/v1/orders"))).toBe(false);
});

it.each(["HELLO", "a%2Fb", "ord_1"])("support reads of an address that ends with %s that there is no such order, and nothing is asked", async (id) => {
  await world.signedIn("support");
  world.open(`/support/orders/${id}`);
  expect(await screen.findByText("There is no such order")).toBeTruthy();
  expect(screen.getByRole("link", { name: "To the orders" })).toBeTruthy();
  expect(world.asked.some(({ url }) => url.pathname.startsWith("/v1/orders"))).toBe(false);
});

it.each([
  ["?", "Open ones, the oldest first.", "Of its three hours"],
  ["?status=PREPARING", "Those that are: Being prepared, the oldest first.", "Of its three hours"],
  ["?status=DELIVERED", "Those that are: Delivered, the newest first.", "From placing to its end"],
  ["?customer=sub-1", "Those of one customer, the newest first.", "Of its three hours, or until its end"],
  ["?customer=sub-1&status=PREPARING", "Those of one customer that are: Being prepared, the newest first.", "Of its three hours"],
])("support reads above a list (%s) which orders it shows, and over its column of durations what that says", async (asked, lead, column) => {
  await world.signedIn("support");
  world.on("GET /support/orders", () => ({ orders: [{ ...SUMMARY, status: "PREPARING" }], next: null, unreadable: 0 }));
  world.open(`/support${asked}`);
  expect(await screen.findByText(`${lead} Each reading is logged.`)).toBeTruthy();
  expect((await screen.findAllByRole("columnheader"))[2]?.textContent).toBe(column);
});

it("whoever learns how it works reads of which events no page is told", async () => {
  await world.signedIn("support");
  world.open("/how-it-works");
  expect(await screen.findByText(/Dotted: PaymentDeclined, PaymentCaptured, PaymentReleased\./)).toBeTruthy();
});

it("whoever learns how it works is not told that an optional service heard an event, and how many events are not listed", async () => {
  await world.signedIn("support");
  const page = world.open("/how-it-works");
  expect(await screen.findByText(/Dashed: notifications, estimates, and kitchens, which hear in a stack that is asked for it\./)).toBeTruthy();
  expect(screen.getAllByText("by a stream, optional")).toHaveLength(1);
  const said = (n: number) => ({ type: "changed", order_id: `ord_${n}`, event: "OrderAccepted", occurred_at: new Date().toISOString(), settled: true });
  act(() => {
    for (let n = 1; n <= 14; n++) take(page.queries, () => {}, JSON.stringify(said(n)));
  });
  expect(screen.getByText(/Counted since the console was opened in this tab\. Listed are the newest 12 of 14\./)).toBeTruthy();
  const legs = (optional: boolean) => [...page.container.querySelectorAll(`path[data-seen=true][data-optional=${optional}]`)].map((path) => path.nextElementSibling?.getAttribute("data-leg"));
  expect(legs(true)).toEqual([]);
  expect(legs(false).sort()).toEqual(["announced", "heard"]); // by live
  await mustBeAccessible(page.container);
});

it("support comes back from an order that there is not", async () => {
  await world.signedIn("support");
  world.on("GET /orders/ord_nobodyabcdefghijklmnopqrst", () => problem(404, "unknown-order", "There is no such order."));
  world.on("GET /support/orders", () => ({ orders: [], next: null, unreadable: 0 }));
  world.open("/support/orders/ord_nobodyabcdefghijklmnopqrst");
  await user.click(await screen.findByRole("link", { name: "To the orders" }));
  expect(await screen.findByText("No order is open")).toBeTruthy();
});

/** An order's story, as the API tells it of one that waits. */
const told = (more: object) => ({
  order_id: "ord_storyabcdefghijklmnopqrstu",
  headline: "still open: waiting for the restaurant",
  moments: [],
  status: "AWAITING_RESTAURANT",
  dead: false,
  placed_at: ORDER.placed_at,
  deadline_at: ORDER.deadline_at,
  ended_at: null,
  told_at: ORDER.updated_at,
  workflows: [],
  payments: [],
  events: [],
  timeline: [],
  missing: [],
  ...more,
});

it("support reads an order's story: the sentence, the way it took, the retries, what is missing", async () => {
  await world.signedIn("support");
  const attempt = { at: ORDER.placed_at, service: "lambda", operation: "invoke", duration_ms: 20, error: null, cause: null };
  const visit = (state: string, outcome: string, attempts: object[]) => ({ state, type: "Task", entered: ORDER.placed_at, left: null, outcome, attempts, error: null, cause: null });
  world.on("GET /orders/ord_storyabcdefghijklmnopqrstu", () => told({
    workflows: [
      {
        kind: "order",
        execution_arn: "arn",
        name: "ord_storyabcdefghijklmnopqrstu",
        status: "RUNNING",
        started_at: ORDER.placed_at,
        stopped_at: null,
        definition: orderWorkflow,
        path: [visit("AnnouncePlaced", "succeeded", [attempt]), visit("IsAuthorized", "succeeded", []), visit("AuthorizePayment", "retried", [attempt, attempt, attempt]), visit("AwaitRestaurant", "waiting", [attempt])],
        waiting_in: "AwaitRestaurant",
        error: null,
        cause: null,
      },
    ],
    missing: [{ part: "traces", reason: "not-yet", detail: "Traces come later." }],
  }));
  const page = world.open("/support/orders/ord_storyabcdefghijklmnopqrstu");
  expect(await screen.findByText("still open: waiting for the restaurant.")).toBeTruthy();
  expect(screen.getByText("traces: Traces come later.")).toBeTruthy();
  const drawing = await screen.findByRole("img", { name: /Order workflow/ });
  expect(drawing.querySelectorAll("[data-is=waiting]")).toHaveLength(1);
  expect(within(screen.getByRole("row", { name: /Is authorized/, hidden: true })).getAllByRole("cell", { hidden: true }).at(-1)?.textContent).toBe("—");
  expect(screen.getByText(/^, read anew at most every 5 s/)).toBeTruthy();
  expect(within(drawing as HTMLElement).getByText("3×")).toBeTruthy();
  expect(drawing.querySelectorAll("g[data-kind]")).toHaveLength(Object.keys(orderWorkflow.States).length);
  await mustBeAccessible(page.container);
});

it.each([
  [null, "5 s"],
  ["2026-01-31T12:00:00Z", "15 s"],
  ["2026-01-31T11:56:00Z", "15 s"],
  ["2026-01-31T11:55:00Z", "10 min"],
])("support reads how old the story of an order may be that ended at %s", async (end, kept) => {
  await world.signedIn("support");
  world.on("GET /orders/ord_storyabcdefghijklmnopqrstu", () => told({ ended_at: end, told_at: "2026-01-31T12:00:00Z", placed_at: "2026-01-31T11:00:00Z" }));
  world.open("/support/orders/ord_storyabcdefghijklmnopqrstu");
  expect(await screen.findByText(`, read anew at most every ${kept}`)).toBeTruthy();
  expect(screen.queryByText("Given up at") === null).toBe(end !== null);
});

it("a silence that the workflow goes on from is no failure", async () => {
  await world.signedIn("support");
  const visit = (state: string, outcome: string, error: string | null) => ({ state, type: "Task", entered: ORDER.placed_at, left: ORDER.updated_at, outcome, attempts: [], error, cause: null });
  const run = { kind: "order", execution_arn: "arn", name: "n", status: "SUCCEEDED", started_at: ORDER.placed_at, stopped_at: null, definition: orderWorkflow, waiting_in: null, error: null, cause: null };
  const entry = { id: "1", parent: null, depth: 0, at: ORDER.placed_at, duration_ms: null, kind: "state", label: "AwaitRestaurant", status: "caught", error: "States.Timeout", service: "orders" };
  world.on("GET /orders/ord_storyabcdefghijklmnopqrstu", () => told({
    workflows: [{ ...run, path: [visit("AwaitRestaurant", "caught", "States.Timeout"), visit("ClaimSilence", "succeeded", null)] }],
    timeline: [entry],
  }));
  const page = world.open("/support/orders/ord_storyabcdefghijklmnopqrstu");
  const drawing = await screen.findByRole("img", { name: /Order workflow/ });
  expect(drawing.querySelectorAll("[data-is=caught]")).toHaveLength(1);
  expect(screen.getAllByText(/gave up, and went on/)).toHaveLength(3); // under the drawing, in its text, in the timeline
  for (const error of screen.getAllByText("States.Timeout")) expect(error.className).not.toContain("error");
  await mustBeAccessible(page.container);
});

it("support reads a story's moments in their own time zone, each day once", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-01-31T18:10:00Z") }); // 23:40 in Kolkata
  await world.signedIn("support");
  const entry = (id: number, at: string) => ({ id: String(id), parent: null, depth: 0, at, duration_ms: null, kind: "event", label: `Event ${id}`, status: null, error: null, service: null });
  const at = ["2026-01-31T18:05:00Z", "2026-01-31T18:29:59Z", "2026-01-31T18:30:00Z", "2026-01-31T18:30:01.279Z", "2026-02-01T19:00:00Z"];
  world.on("GET /orders/ord_storyabcdefghijklmnopqrstu", () => told({
    headline: "still open: waiting for the restaurant to answer since 18:05:00 UTC (5 min)",
    moments: [{ text: "18:05:00 UTC (5 min)", at: at[0] }],
    timeline: at.map((moment, index) => entry(index, moment)),
  }));
  world.open("/support/orders/ord_storyabcdefghijklmnopqrstu");
  const inKolkata = (style: object) => (moment: string) => new Intl.DateTimeFormat(undefined, { ...style, timeZone: "Asia/Kolkata" }).format(Date.parse(moment));
  const [time, day] = [inKolkata({ timeStyle: "medium" }), inKolkata({ dateStyle: "medium" })];
  const headline = await screen.findByText(/^still open/);
  expect(headline.textContent).toBe(`still open: waiting for the restaurant to answer since ${time(at[0]!)}.`);
  const times = within(screen.getByRole("list", { name: "Timeline" })).getAllByRole("listitem").map((item) => item.querySelector("time")!.textContent);
  const [one, two, three, four, five] = at.map(inKolkata({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 }));
  expect(four).toContain("01.279");
  expect(times).toEqual([one, two, `${day(at[2]!)} ${three}`, four, `${day(at[4]!)} ${five}`]);
  vi.useRealTimers();
});

it("an entry of a story stands as deep as what is shown around it", async () => {
  await world.signedIn("support");
  const entry = (id: string, parent: string | null, kind: string, label: string) =>
    ({ id, parent, depth: parent ? 1 : 0, at: ORDER.placed_at, duration_ms: null, kind, label, status: null, error: null, service: null, workflow: kind === "state" ? "unwind" : null });
  world.on("GET /orders/ord_storyabcdefghijklmnopqrstu", () => told({
    timeline: [entry("1", null, "segment", "POST /orders"), entry("2", "1", "log", "Order placed"), entry("3", null, "state", "ReadOrder"), entry("4", "3", "log", "Read")],
  }));
  world.open("/support/orders/ord_storyabcdefghijklmnopqrstu");
  const deep = () => screen.getAllByText(/^(Order placed|Read|Read order|POST \/orders)$/, { selector: "[class*=what]" }).map(({ className }) => /d(\d)/.exec(className)?.[1] ?? "0");
  await screen.findByText("Order placed");
  expect(deep()).toEqual(["0", "0", "1"]);
  expect(screen.getByText("· of the unwind")).toBeTruthy();
  await user.click(screen.getByRole("checkbox", { name: "Functions and calls" }));
  expect(deep()).toEqual(["0", "1", "0", "1"]);
});

it.each([
  ["elsewhere by now", { ...CONFIG, apis: { ...CONFIG.apis, promotions: "https://elsewhere.example/v1" } }, true],
  ["where it was", CONFIG, false],
])("who gets no answer from an API that is %s is told so, if it helps to reload", async (_, config, reload) => {
  await world.signedIn("customer");
  world.on("GET /config.json", () => config);
  const page = world.open("/codes");
  expect(await screen.findByText(/The server cannot be reached just now/)).toBeTruthy();
  await waitFor(() => expect(world.calls("GET /config.json")).toHaveLength(1));
  if (reload) expect(await screen.findByRole("button", { name: "Reload" })).toBeTruthy();
  else expect(screen.queryByRole("button", { name: "Reload" })).toBeNull();
  await mustBeAccessible(page.container);
});

it("what is said twice is a change twice, so that it is read aloud twice", () => {
  new World().open("/how-it-works");
  const heard = () => document.querySelector("p[aria-live=polite]")!.textContent!;
  const times = [1, 2, 3].map(() => {
    act(() => announce("Margherita is in the basket."));
    return heard();
  });
  expect(times.map((text) => text.trim())).toEqual(Array(3).fill("Margherita is in the basket."));
  expect(times[1]).not.toBe(times[0]);
  expect(times[2]).not.toBe(times[1]);
});
