import { useLayoutEffect, useMemo, useRef } from "react";
import { graph, type Kind, title, type Way } from "./asl";
import { layout, through } from "./layout";
import css from "./workflow.module.css";

const WIDTH = 240;
const HEIGHT = 40;
/** Drawn in a square of 12: a font may not have the sign. */
const ICON: Record<Kind, string> = {
  choice: "M6,1 L11,6 L6,11 L1,6 Z",
  wait: "M6,1 A5,5 0 1 1 5.99,1 Z M6,3.2 L6,6.2 L8,7.4",
  announce: "M1.5,4.5 L1.5,7.5 L4,7.5 L10,10.5 L10,1.5 L4,4.5 Z",
  pay: "M1,3 H11 V9.5 H1 Z M1,5.4 H11",
  fail: "M2,2 L10,10 M10,2 L2,10",
  end: "M2.5,2.5 H9.5 V9.5 H2.5 Z",
  task: "M2,3 H10 M2,6 H10 M2,9 H7",
};
const SAYS: Record<Kind, string> = {
  choice: "decides",
  wait: "waits for somebody",
  announce: "announces an event",
  pay: "calls payments",
  fail: "fails",
  end: "ends",
  task: "writes or reads the order",
};

/** A workflow as its definition says, and the way of one execution through it, where there is one. */
export default function WorkflowDrawing({ definition, way, label }: { definition: unknown; way?: Way; label: string }) {
  const { nodes, edges } = useMemo(() => graph(definition), [definition]);
  const placed = useMemo(
    () => layout({ nodes: nodes.map(({ name }) => ({ name, width: WIDTH, height: HEIGHT })), edges }),
    [nodes, edges],
  );
  const scroll = useRef<HTMLDivElement>(null);
  const last = way && [...way.stays.keys()].at(-1);
  // Where there is no room for all of it, what is looked for is where the execution is, or ended.
  useLayoutEffect(() => {
    const [box, frame] = [last && placed.boxes.get(last), scroll.current];
    if (box && frame) frame.scrollLeft = (box.x / placed.width) * frame.scrollWidth - frame.clientWidth / 2;
  }, [last, placed]);
  const marker = `arrow-${label.replace(/\W+/g, "-")}`;
  return (
    <figure className={css.figure}>
      {/* It scrolls, so that somebody without a mouse must reach it. */}
      <div className={css.scroll} ref={scroll} tabIndex={0} role="group" aria-label={`${label}, drawn`}>
        <svg className={css.drawing} viewBox={`0 0 ${placed.width} ${placed.height}`} role="img" aria-label={`${label}. What it went through stands below, as text.`}>
          <defs>
            {["", "-taken"].map((kind) => (
              <marker key={kind} id={marker + kind} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">
                <path d="M0,0 L8,4 L0,8 Z" fill={kind ? "var(--accent)" : "var(--edge)"} />
              </marker>
            ))}
          </defs>
          {edges.map(({ from, to, label: text, caught }) => {
            const key = `${from}→${to}`;
            const line = placed.lines.get(key);
            const taken = way?.taken.has(key);
            return (
              line && (
                <g key={key} className={way && !taken ? css.dim : undefined}>
                  <path
                    className={`${css.edge} ${caught ? css.caught : ""} ${taken ? css.taken : ""}`}
                    d={through(line.points)}
                    markerEnd={`url(#${marker}${taken ? "-taken" : ""})`}
                  />
                  {text && line.label && (
                    <text className={css.label} x={line.label.x} y={line.label.y + 4} textAnchor="middle">
                      {text}
                    </text>
                  )}
                </g>
              )
            );
          })}
          {nodes.map(({ name, kind, comment }) => {
            const box = placed.boxes.get(name);
            const stay = way?.stays.get(name);
            if (!box) return null;
            const [left, top] = [box.x - WIDTH / 2, box.y - HEIGHT / 2];
            return (
              <g key={name} className={`${css.node} ${way && !stay ? css.dim : ""}`} data-kind={kind} data-is={stay?.outcome}>
                <title>{[`${title(name)}: ${SAYS[kind]}.`, comment, stay?.error].filter(Boolean).join("\n")}</title>
                <rect className={css.box} x={left} y={top} width={WIDTH} height={HEIGHT} rx={kind === "choice" || kind === "wait" ? HEIGHT / 2 : 7} />
                <text x={box.x + 8} y={box.y + 5} textAnchor="middle">
                  {title(name)}
                </text>
                <path className={css.icon} d={ICON[kind]} transform={`translate(${left + 9} ${box.y - 6})`} />
                {stay && stay.attempts > 1 && (
                  <>
                    <rect className={css.badge} x={left + WIDTH - 29} y={top - 9} width={34} height={19} rx={9.5} />
                    <text className={css.badgetext} x={left + WIDTH - 12} y={top + 5} textAnchor="middle">
                      {stay.attempts}×
                    </text>
                  </>
                )}
              </g>
            );
          })}
        </svg>
      </div>
      {way && (
        <figcaption className={css.legend}>
          <span>
            <i data-is="succeeded" /> done
          </span>
          <span>
            <i data-is="retried" /> done after retries
          </span>
          <span>
            <i data-is="waiting" /> it is here
          </span>
          <span>
            <i data-is="caught" /> gave up, and went on
          </span>
          <span>
            <i data-is="failed" /> failed, or stopped here
          </span>
        </figcaption>
      )}
    </figure>
  );
}
