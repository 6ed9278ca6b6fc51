/** Where a graph's nodes and edges go: dagre's layered layout, loaded with the first drawing. */
import { Graph as Dagre, layout as lay } from "@dagrejs/dagre";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Line {
  points: { x: number; y: number }[];
  label: { x: number; y: number } | null;
}

export interface Layout {
  width: number;
  height: number;
  boxes: Map<string, Box>;
  lines: Map<string, Line>;
}

export interface Wanted {
  nodes: { name: string; width: number; height: number }[];
  edges: { from: string; to: string; label?: string }[];
}

/** From top to bottom. @param wanted its nodes with their sizes; their middle is what `boxes` have. */
export function layout({ nodes, edges }: Wanted): Layout {
  const dagre = new Dagre();
  dagre.setGraph({ rankdir: "TB", ranksep: 34, nodesep: 28, marginx: 12, marginy: 12 });
  dagre.setDefaultEdgeLabel(() => ({}));
  for (const { name, width, height } of nodes) dagre.setNode(name, { width, height });
  for (const { from, to, label } of edges) {
    dagre.setEdge(from, to, label ? { width: label.length * 7, height: 16, labelpos: "c" } : {});
  }
  lay(dagre);
  const size = dagre.graph() as { width?: number; height?: number };
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    boxes: new Map(dagre.nodes().map((name) => [name, dagre.node(name) as Box])),
    lines: new Map(
      dagre.edges().map((edge) => {
        const drawn = dagre.edge(edge) as { points: { x: number; y: number }[]; x?: number; y?: number };
        return [`${edge.v}→${edge.w}`, { points: drawn.points, label: drawn.x === undefined ? null : { x: drawn.x, y: drawn.y ?? 0 } }];
      }),
    ),
  };
}

/** A soft line through points. */
export function through(points: { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first || rest.length === 0) return "";
  let path = `M${first.x},${first.y}`;
  for (let index = 0; index < rest.length - 1; index++) {
    const [at, next] = [rest[index]!, rest[index + 1]!];
    path += ` Q${at.x},${at.y} ${(at.x + next.x) / 2},${(at.y + next.y) / 2}`;
  }
  const last = rest.at(-1)!;
  return `${path} L${last.x},${last.y}`;
}
