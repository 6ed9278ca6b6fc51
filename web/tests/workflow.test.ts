/** Workflows as their definitions say. */
import { expect, it } from "vitest";
import order from "../../statemachines/order.asl.json";
import unwind from "../../statemachines/unwind.asl.json";
import { graph, title, wayOf } from "../src/workflow/asl";
import { layout } from "../src/workflow/layout";

it.each([
  ["order", order],
  ["unwind", unwind],
])("every state of the %s workflow is drawn, and every way between them", (_, definition) => {
  const { nodes, edges } = graph(definition);
  expect(nodes.map(({ name }) => name)).toEqual(Object.keys(definition.States));
  // Each state but the first is led to.
  expect(new Set(edges.map(({ to }) => to)).size).toBe(nodes.length - 1);
  const placed = layout({ nodes: nodes.map(({ name }) => ({ name, width: 200, height: 40 })), edges });
  expect([...placed.lines.keys()].sort()).toEqual(edges.map(({ from, to }) => `${from}→${to}`).sort());
  const boxes = [...placed.boxes.values()];
  for (const [index, a] of boxes.entries()) {
    for (const b of boxes.slice(index + 1)) {
      expect(Math.abs(a.x - b.x) >= 200 || Math.abs(a.y - b.y) >= 40).toBe(true);
    }
  }
});

it("a way is called by what is asked, and by what went wrong", () => {
  const label = (from: string, to: string) => graph(order).edges.find((edge) => edge.from === from && edge.to === to);
  expect(label("IsAuthorized", "RecordDeclined")).toMatchObject({ label: "declined", caught: false });
  expect(label("RestaurantDecision", "ReleasePayment")?.label).toBe("silence, reject");
  expect(label("AwaitRestaurant", "ClaimSilence")).toMatchObject({ label: "no answer in time", caught: true });
});

it("a way that is taken for too many reasons to be named says once that there are more", () => {
  const [way] = graph(unwind).edges.filter(({ from, to }) => from === "HasEnded" && to === "AnnounceEnd");
  expect(way?.label).toBe("delivered, declined, …");
});

it("a definition that is none is drawn as nothing", () => {
  expect(graph(null)).toEqual({ start: "", nodes: [], edges: [] });
});

it("a way counts how often a state was tried, and by which edges it went", () => {
  const attempt = { at: "", service: "", operation: "", duration_ms: 1, error: null, cause: null };
  const visit = (state: string, attempts: number) => ({
    state,
    type: "Task",
    entered: "2026-01-31T12:00:00Z",
    left: null,
    outcome: "succeeded" as const,
    attempts: Array(attempts).fill(attempt),
    error: null,
    cause: null,
  });
  const way = wayOf([visit("A", 1), visit("B", 3), visit("A", 1)]);
  expect(way.taken).toEqual(new Set(["A→B", "B→A"]));
  expect([way.stays.get("A")?.attempts, way.stays.get("B")?.attempts]).toEqual([2, 3]);
});

it("a state's name is written as words", () => {
  expect(title("AwaitRestaurant")).toBe("Await restaurant");
});
