import generated from "../../generated/services.json";
import type { Change } from "../live/live";
import css from "./teacher.module.css";

export interface Service {
  name: string;
  does: string[];
  announces: string[];
  hears: string[];
  through: string;
  /** It is there, or hears, if a parameter of the stack asks for it: no page knows whether one does. */
  optional: boolean;
}

export const services: Service[] = generated.services;

/** Events that no page is told of: the service that tells them does not hear those, as no page changes by them. */
export const untold = services
  .flatMap((each) => each.announces)
  .filter((event) => !services.some(({ name, hears }) => name === "live" && hears.includes(event)));

// Three columns: who announces, what, and who hears it.
const WIDTH = 900;
const ROW = 34;
const TOP = 34;
const SERVICE = { x: 12, width: 132, height: 42 };
const EVENT = { x: 300, width: 190, height: 26 };
const LISTENER = { x: 720, width: 168, height: 46 };

const announcing = services.filter((each) => each.announces.length > 0);
const events = announcing.flatMap((each) => each.announces);
const HEIGHT = TOP + events.length * ROW + 8;
const eventAt = new Map(events.map((event, index) => [event, TOP + index * ROW + ROW / 2]));
const middle = (of: string[]) => of.reduce((sum, event) => sum + (eventAt.get(event) ?? 0), 0) / of.length;
// From above to below as what they hear is, so that few lines cross.
const listening = services.filter((each) => each.hears.length > 0).sort((a, b) => middle(a.hears) - middle(b.hears));
const listenerAt = (index: number) => TOP + ((index + 0.5) * (HEIGHT - TOP)) / listening.length;

const curve = (x1: number, y1: number, x2: number, y2: number) => `M${x1},${y1} C${x1 + 90},${y1} ${x2 - 90},${y2} ${x2},${y2}`;

const edges = [
  ...announcing.flatMap(({ name, announces }) =>
    announces.map((event) => ({
      key: `${name} announces ${event}`,
      event,
      leg: "announced",
      optional: false,
      d: curve(SERVICE.x + SERVICE.width, middle(announces), EVENT.x, eventAt.get(event) ?? 0),
    })),
  ),
  ...listening.flatMap(({ name, hears, optional }, index) =>
    hears.map((event) => ({
      key: `${name} hears ${event}`,
      event,
      leg: "heard",
      optional,
      d: curve(EVENT.x + EVENT.width, eventAt.get(event) ?? 0, LISTENER.x, listenerAt(index)),
    })),
  ),
];

/** Who announces what, and who hears it; each event that comes runs along its edges, but to those that may not hear. */
export default function ServicesMap({ changes }: { changes: readonly Change[] }) {
  const seen = Map.groupBy(changes, ({ event }) => event);
  return (
    <div className={css.scroll} tabIndex={0} role="group" aria-label="Services and their events, drawn">
      <svg
        className={css.map}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label="Which service announces which events, and which services hear them. The same stands below, as text."
      >
        <g className={css.heads}>
          <text x={SERVICE.x} y={20}>
            announce
          </text>
          <text x={EVENT.x + EVENT.width / 2} y={20} textAnchor="middle">
            events on the bus
          </text>
          <text x={LISTENER.x + LISTENER.width} y={20} textAnchor="end">
            hear, each by its own rule
          </text>
        </g>
        {edges.map(({ key, event, leg, optional, d }) => {
          const last = optional ? undefined : seen.get(event)?.at(-1);
          return (
            <g key={key}>
              <path className={css.edge} d={d} data-seen={!!last} data-optional={optional} />
              {/* A new key is a new element: its animation begins anew. */}
              {last && <path key={last.seenAt} className={css.pulse} d={d} pathLength={400} data-leg={leg} />}
            </g>
          );
        })}
        {announcing.map(({ name, does, announces }) => {
          const y = middle(announces);
          return (
            <g key={name} className={css.service}>
              <title>{does.join("\n")}</title>
              <rect x={SERVICE.x} y={y - SERVICE.height / 2} width={SERVICE.width} height={SERVICE.height} rx={10} />
              <text x={SERVICE.x + SERVICE.width / 2} y={y + 4.5} textAnchor="middle">
                {name}
              </text>
            </g>
          );
        })}
        {[...eventAt].map(([event, y]) => {
          const times = seen.get(event)?.length ?? 0;
          return (
            <g key={event} className={css.event} data-seen={times > 0} data-told={!untold.includes(event)}>
              <rect x={EVENT.x} y={y - EVENT.height / 2} width={EVENT.width} height={EVENT.height} rx={13} />
              <text x={EVENT.x + 16} y={y + 4.5}>
                {event}
              </text>
              {times > 0 && (
                <text className={css.seen} x={EVENT.x + EVENT.width - 14} y={y + 4.5} textAnchor="end">
                  {times}
                </text>
              )}
            </g>
          );
        })}
        {listening.map(({ name, does, through: by, optional }, index) => {
          const [x, y] = [LISTENER.x + LISTENER.width / 2, listenerAt(index)];
          return (
            <g key={name} className={css.listener} data-optional={optional}>
              <title>{does.join("\n")}</title>
              <rect x={LISTENER.x} y={y - LISTENER.height / 2} width={LISTENER.width} height={LISTENER.height} rx={10} />
              <text x={x} y={y - 2} textAnchor="middle">
                {name}
              </text>
              <text className={css.through} x={x} y={y + 14} textAnchor="middle">
                by a {by}
                {optional && ", optional"}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}
