/** A state machine's definition (Amazon States Language) as a graph, and an execution's way through it. */
import type { StateVisit } from "../api/clients";

/** What a state does, in a word. */
export type Kind = "choice" | "wait" | "announce" | "pay" | "fail" | "end" | "task";

export interface Node {
  name: string;
  kind: Kind;
  comment: string;
}

export interface Edge {
  from: string;
  to: string;
  label: string;
  /** An error leads there. */
  caught: boolean;
}

export interface Graph {
  start: string;
  nodes: Node[];
  edges: Edge[];
}

interface State {
  Type: string;
  Comment?: string;
  Resource?: string;
  Next?: string;
  End?: boolean;
  Default?: string;
  Choices?: { Next: string; Condition?: string }[];
  Catch?: { Next: string; ErrorEquals: string[] }[];
}

const OTHERWISE = "otherwise";
const LONGEST = 26;
const WAITS = ".waitForTaskToken";
const DOES: [string, Kind][] = [
  ["events:putEvents", "announce"],
  ["lambda:invoke", "pay"],
];

/** @param definition the ASL, whatever it holds: a definition of long ago is drawn as far as it is understood. */
export function graph(definition: unknown): Graph {
  const { StartAt = "", States = {} } = (definition ?? {}) as { StartAt?: string; States?: Record<string, State> };
  const edges = new Map<string, Omit<Edge, "label"> & { labels: string[] }>();
  for (const [from, state] of Object.entries(States)) {
    for (const { label, ...way } of ways(state)) {
      if (!(way.to in States)) continue;
      const key = `${from}→${way.to}`;
      edges.set(key, { from, ...way, labels: [...(edges.get(key)?.labels ?? []), label] });
    }
  }
  return {
    start: StartAt,
    nodes: Object.entries(States).map(([name, state]) => ({ name, kind: kind(state), comment: state.Comment ?? "" })),
    edges: [...edges.values()].map(({ labels, ...edge }) => ({ ...edge, label: joined(labels) })),
  };
}

/** What several ways between the same two states are called. Whatever leads where all else leads needs no name. */
function joined(labels: string[]): string {
  if (labels.includes(OTHERWISE)) return OTHERWISE;
  const all = [...new Set(labels.filter(Boolean))].join(", ");
  return all.length > LONGEST ? `${all.slice(0, all.lastIndexOf(",", LONGEST)) || all.slice(0, LONGEST)}, …` : all;
}

function* ways(state: State): Generator<Omit<Edge, "from">> {
  if (state.Next) yield { to: state.Next, label: "", caught: false };
  for (const { Next, Condition = "" } of state.Choices ?? []) yield { to: Next, label: asked(Condition), caught: false };
  if (state.Default) yield { to: state.Default, label: OTHERWISE, caught: false };
  for (const { Next, ErrorEquals } of state.Catch ?? []) {
    yield { to: Next, label: ErrorEquals.map(wrong).join(", "), caught: true };
  }
}

/** What went wrong, in plain words. A write is refused if another one was first. */
function wrong(error: string): string {
  const name = error.split(".").at(-1) ?? error;
  return { Timeout: "no answer in time", ConditionalCheckFailedException: "already settled" }[name] ?? words(name);
}

/** The values that a condition asks for. */
const asked = (condition: string) =>
  [...condition.matchAll(/'([^']+)'/g)].map(([, value]) => value!.toLowerCase().replaceAll("_", " ")).join(", ");

function kind(state: State): Kind {
  if (state.Type === "Choice") return "choice";
  if (state.Type === "Fail") return "fail";
  if (state.Type === "Succeed" || state.End) return "end";
  const resource = state.Resource ?? "";
  if (resource.endsWith(WAITS)) return "wait";
  return DOES.find(([ending]) => resource.endsWith(ending))?.[1] ?? "task";
}

/** A state's name in plain words: `AwaitRestaurant` is `await restaurant`. */
export const words = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();

export const title = (name: string) => words(name).replace(/^./, (first) => first.toUpperCase());

/** What became of one state in an execution: its last stay there, and how often it was tried in all. */
export interface Stay {
  outcome: StateVisit["outcome"];
  attempts: number;
  error: string | null;
}

export interface Way {
  stays: Map<string, Stay>;
  /** `from→to` of each step. */
  taken: Set<string>;
}

export function wayOf(path: readonly StateVisit[]): Way {
  const stays = new Map<string, Stay>();
  const taken = new Set<string>();
  path.forEach((visit, index) => {
    const attempts = (stays.get(visit.state)?.attempts ?? 0) + visit.attempts.length;
    stays.set(visit.state, { outcome: visit.outcome, attempts, error: visit.error });
    const next = path[index + 1];
    if (next) taken.add(`${visit.state}→${next.state}`);
  });
  return { stays, taken };
}
