/** What is read again when something changed, and what is asked where nothing tells. */
import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import contract from "../../events/messages/Changed.json";
import { connect } from "../src/api/clients";
import { conditionalFetch, forgetAnswers } from "../src/api/conditional";
import { Problem, tryAgain, waitBefore } from "../src/api/problems";
import { refresh } from "../src/auth/session";
import { listen, rereading, take } from "../src/live/live";
import { CONFIG, problem, token, World } from "./world";

const read = (queries: QueryClient) =>
  queries.getQueryCache().getAll().filter((query) => query.state.isInvalidated).map(({ queryKey }) => queryKey.join(" "));

let queries: QueryClient;
let reread: ReturnType<typeof rereading>;

const KNOWN = [["order", "ord_1"], ["order", "ord_2"], ["orders", "mine", null], ["codes"], ["menu", "r-1"]];
/** As if all had been read just now. */
const know = () => KNOWN.forEach((key) => queries.setQueryData(key, {}));

beforeEach(() => {
  vi.useFakeTimers();
  forgetAnswers();
  queries = new QueryClient();
  reread = rereading(queries);
  know();
});

afterEach(() => {
  queries.clear();
  vi.useRealTimers();
});

const message = (more: object) => JSON.stringify({ type: "changed", order_id: "ord_1", event: "OrderAccepted", occurred_at: "2026-01-31T12:00:00Z", settled: true, ...more });

it("an order that changed is read again, and the lists; nothing else", () => {
  take(queries, reread, message({}));
  expect(read(queries)).toEqual(["order ord_1", "orders mine "]);
});

it("what may not be named makes the lists be read, and no order", () => {
  take(queries, reread, message({ order_id: null, event: null }));
  expect(read(queries)).toEqual(["orders mine "]);
});

it("a promo code is read again when one is issued", () => {
  take(queries, reread, message({ event: "PromoCodeIssued" }));
  expect(read(queries)).toContain("codes");
});

it("what was announced before it can be read is read once more, a second later", () => {
  take(queries, reread, message({ settled: false }));
  know();
  vi.advanceTimersByTime(999);
  expect(read(queries)).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(read(queries)).toContain("order ord_1");
});

it("many messages are one reading a second", async () => {
  let times = 0;
  const stop = new QueryObserver(queries, { queryKey: ["orders", "kitchen"], queryFn: () => ++times, staleTime: Infinity }).subscribe(() => {});
  await vi.advanceTimersByTimeAsync(0);
  times = 0;
  for (let hundredths = 0; hundredths < 300; hundredths++) {
    take(queries, reread, message({ order_id: `ord_${hundredths}` }));
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.advanceTimersByTimeAsync(5_000);
  expect(times).toBe(4); // at once, after one second and two, and what came after that
  stop();
});

it("a slow reading ends however much is told meanwhile, and another follows", async () => {
  let begun = 0;
  const queryFn = () => new Promise<number>((resolve) => setTimeout(resolve, 2_500, ++begun));
  queries.setQueryData(["orders", "support"], 0);
  const observer = new QueryObserver(queries, { queryKey: ["orders", "support"], queryFn });
  const stop = observer.subscribe(() => {});
  for (let tenths = 0; tenths < 9; tenths++) {
    take(queries, reread, message({}));
    await vi.advanceTimersByTimeAsync(100);
  }
  await vi.advanceTimersByTimeAsync(1_600);
  expect([begun, observer.getCurrentResult().data]).toEqual([1, 1]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([begun, observer.getCurrentResult().data]).toEqual([2, 2]);
  stop();
});

it("a story is read again when the copies of it have run out", () => {
  queries.setQueryData(["story", "ord_1"], {});
  take(queries, reread, message({}));
  for (const [until, due] of [[0, true], [5_999, false], [1, true], [15_999, false], [1, true]] as const) {
    vi.advanceTimersByTime(until);
    expect(read(queries).includes("story ord_1")).toBe(due);
    queries.setQueryData(["story", "ord_1"], {});
  }
});

it("what failed is tried again when the server says, unless that is long", () => {
  const busy = (retryAfter: number | null) => new Problem("too-many-requests", "Too many", "", 429, {}, retryAfter);
  expect([tryAgain(1, busy(5)), tryAgain(2, busy(5)), tryAgain(0, busy(60)), tryAgain(0, new Problem("not-found", "", "", 404))]).toEqual([true, false, false, false]);
  const wait = waitBefore(0, busy(5));
  expect(wait).toBeGreaterThanOrEqual(5_000);
  expect(wait).toBeLessThanOrEqual(7_500);
});

describe("the socket", () => {
  class Socket {
    static opened: Socket[] = [];
    said: string[] = [];
    closed = false;
    onopen = () => {};
    onclose = () => {};
    onmessage = (_: { data: string }) => {};
    constructor(readonly address: string) {
      Socket.opened.push(this);
    }
    send(text: string) {
      this.said.push(text);
    }
    close() {
      this.closed = true; // and `onclose` comes late
    }
  }
  const MINUTE = 60_000;
  let world: World;
  let stop: () => void;

  beforeEach(async () => {
    Socket.opened = [];
    world = await new World().on("POST /tickets", () => ({ ticket: "t", url: "wss://live.example/v1" })).signedIn("customer");
    connect({ ...CONFIG, apis: { ...CONFIG.apis, live: "https://live.example/v1" } });
    vi.stubGlobal("WebSocket", Socket);
    stop = listen(queries);
    await vi.advanceTimersByTimeAsync(0);
    Socket.opened[0]!.onopen();
  });

  afterEach(() => stop());

  it("is opened with a ticket, which whoever is signed in asks for", async () => {
    const [asked] = world.calls("POST /tickets");
    expect([asked!.url.host, asked!.headers.get("Authorization"), asked!.body]).toEqual(["live.example", `Bearer ${token("customer")}`, ""]);
    expect(Socket.opened.map(({ address }) => address)).toEqual(["wss://live.example/v1?ticket=t"]);
  });

  it("is opened for whose token the API did not take, once that is another", async () => {
    let times = 0;
    world
      .on("POST /tickets", () => (times++ ? { ticket: "t", url: "wss://live.example/v1" } : problem(401, "sign-in-needed", "expired")))
      .on("POST /oauth2/token", () => ({ id_token: token("customer", { jti: "2" }), expires_in: 900 }));
    Socket.opened[0]!.onclose();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(world.calls("POST /tickets").at(-1)!.headers.get("Authorization")).toBe(`Bearer ${token("customer", { jti: "2" })}`);
    expect(Socket.opened).toHaveLength(2);
  });

  it("that answers pings lives on", async () => {
    await vi.advanceTimersByTimeAsync(8 * MINUTE);
    expect(Socket.opened[0]!.said.map((text) => JSON.parse(text))).toEqual([{ type: "ping" }]);
    Socket.opened[0]!.onmessage({ data: '{"type": "pong"}' });
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(Socket.opened).toHaveLength(1);
  });

  it("is of one person in one role: when that is another, another is opened, and the old one is closed", async () => {
    const open = async (role: string, more = {}) => {
      world.on("POST /oauth2/token", () => ({ id_token: token(role, more), expires_in: 900 }));
      await refresh();
      await vi.advanceTimersByTimeAsync(0);
      return Socket.opened.map(({ closed }) => !closed);
    };
    expect(await open("customer", { jti: "2" })).toEqual([true]);
    expect(await open("restaurant", { "custom:restaurant_id": "r-1" })).toEqual([false, true]);
    expect(await open("restaurant", { "custom:restaurant_id": "r-2" })).toEqual([false, false, true]);
    expect(await open("restaurant", { "cognito:groups": [] })).toEqual([false, false, false]);
  });

  it.each(["online", "visibilitychange"])("is asked at %s whether it lives, and another is opened where it does not", async (event) => {
    dispatchEvent(new Event(event));
    document.dispatchEvent(new Event(event));
    const [first] = Socket.opened;
    expect(first!.said.map((text) => JSON.parse(text))).toEqual([{ type: "ping" }]);
    first!.onmessage({ data: '{"type": "pong"}' });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(Socket.opened).toEqual([first]);

    document.dispatchEvent(new Event(event));
    dispatchEvent(new Event(event));
    await vi.advanceTimersByTimeAsync(11_000);
    expect(Socket.opened.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it("where nothing comes after a ping is dead: another is opened, whose pings its late end leaves alone", async () => {
    await vi.advanceTimersByTimeAsync(8 * MINUTE + 9_999);
    expect(Socket.opened[0]!.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1_001);
    const [first, second] = Socket.opened;
    expect(first!.closed).toBe(true);
    second!.onopen();
    first!.onclose();
    await vi.advanceTimersByTimeAsync(8 * MINUTE);
    expect(second!.said).toHaveLength(1);
    expect(Socket.opened).toHaveLength(2);
  });
});

describe("a message", () => {
  const { examples, required } = contract;
  /** What may stand in no member; and what in some alone. */
  const unfit = required.flatMap((member) => [undefined, 1, {}].map((value) => ({ [member]: value })));
  const noText = [{ occurred_at: "soon" }, { settled: "no" }, { type: "gone" }];

  it.each(examples)("as its contract has it is heard: %o", (example) => {
    take(queries, reread, JSON.stringify({ ...example, more: 1 }));
    expect(read(queries)).toContain("orders mine ");
  });

  it.each([...unfit, ...noText])("that its contract does not have is passed over: %o", (member) => {
    take(queries, reread, JSON.stringify({ ...examples[0], ...member }));
    expect(read(queries)).toEqual([]);
  });

  it.each(["no JSON", "null", "[]", '"changed"', JSON.stringify({ type: "else" })])("that it does not know changes nothing: %s", (text) => {
    take(queries, reread, text);
    expect(read(queries)).toEqual([]);
  });
});

it("asks with the tag of the last answer, and has that answer where nothing changed", async () => {
  const tags: (string | null)[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    tags.push(request.headers.get("If-None-Match"));
    return tags.length === 1 ? new Response("first", { headers: { ETag: '"1"' } }) : new Response(null, { status: 304 });
  });
  const ask = async () => (await conditionalFetch(new Request("https://orders.example/v1/orders"))).text();
  expect([await ask(), await ask()]).toEqual(["first", "first"]);
  expect(tags).toEqual([null, '"1"']);
});
