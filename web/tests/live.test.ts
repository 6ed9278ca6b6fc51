/** What is read again when something changed, and what is asked where nothing tells. */
import { QueryClient } from "@tanstack/react-query";
import { beforeEach, expect, it, vi } from "vitest";
import { conditionalFetch, forgetAnswers } from "../src/api/conditional";
import { take } from "../src/live/live";

const read = (queries: QueryClient) =>
  queries.getQueryCache().getAll().filter((query) => query.state.isInvalidated).map(({ queryKey }) => queryKey.join(" "));

let queries: QueryClient;

beforeEach(() => {
  forgetAnswers();
  queries = new QueryClient();
  for (const key of [["order", "ord_1"], ["order", "ord_2"], ["orders", "mine", null], ["codes"], ["menu", "r-1"]]) queries.setQueryData(key, {});
});

const message = (more: object) => JSON.stringify({ type: "changed", order_id: "ord_1", event: "OrderAccepted", occurred_at: "2026-01-31T12:00:00Z", settled: true, ...more });

it("an order that changed is read again, and the lists; nothing else", () => {
  take(queries, message({}));
  expect(read(queries)).toEqual(["order ord_1", "orders mine "]);
});

it("what may not be named makes all orders that are shown be read", () => {
  take(queries, message({ order_id: null, event: null }));
  expect(read(queries)).toEqual(["order ord_1", "order ord_2", "orders mine "]);
});

it("a promo code is read again when one is issued", () => {
  take(queries, message({ event: "PromoCodeIssued" }));
  expect(read(queries)).toContain("codes");
});

it("what was announced before it can be read is read once more, a second later", () => {
  vi.useFakeTimers();
  take(queries, message({ settled: false }));
  queries.setQueryData(["order", "ord_1"], {});
  expect(read(queries)).not.toContain("order ord_1");
  vi.advanceTimersByTime(1000);
  expect(read(queries)).toContain("order ord_1");
  vi.useRealTimers();
});

it.each(["no JSON", JSON.stringify({ type: "else" })])("a message that it does not know changes nothing: %s", (text) => {
  take(queries, text);
  expect(read(queries)).toEqual([]);
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
