import { type ReactNode, useMemo, useState } from "react";
import { Link, useParams } from "react-router";
import rules from "../../generated/rules.json";
import { type AnnouncedEvent, config, type OrderStory, type PaymentAttempt, type TimelineEntry, type WorkflowRun } from "../api/clients";
import { asSupport, order as orderQuery, story } from "../api/queries";
import { cardName } from "../customer/cards";
import { useLive } from "../live/live";
import { useAnnounced } from "../ui/announce";
import { Card, Empty, LinkButton, Note, Page, Shown, Status, TabbedPages } from "../ui/kit";
import { later, Part } from "../ui/part";
import { inOwnTime, moment, momentSeconds, money, newDay, plural, sentence, shortId, span, took } from "../ui/words";
import { title, wayOf } from "../workflow/asl";
import { orderIdIn } from "./order-id";
import css from "./support.module.css";

const WorkflowDrawing = later(() => import("../workflow/drawing"));

const CALLED = { order: "Order workflow", unwind: "Unwind workflow" } as const;

export default function StoryPage() {
  const orderId = orderIdIn(useParams().orderId ?? "");
  if (!orderId) {
    return (
      <Page title="Unknown order">
        <Empty title="There is no such order">
          What this address ends with is not the id of an order.
          <LinkButton to="/support">To the orders</LinkButton>
        </Empty>
      </Page>
    );
  }
  return (
    <Page title={`Order ${shortId(orderId)}`} lead={<span className={css.mono}>{orderId}</span>}>
      {config.apis.support ? <Story orderId={orderId} /> : <Empty title="No story here">This deployment has no support API.</Empty>}
    </Page>
  );
}

function Story({ orderId }: { orderId: string }) {
  const query = useLive(story(orderId));
  useAnnounced(query.data ? inOwnTime(query.data.headline, query.data.moments) : null);
  return (
    <Shown query={query} what="the story of the order" otherwise={<LinkButton to="/support">To the orders</LinkButton>}>
      {(told) => (
        <>
          <Headline told={told} />
          {told.missing.length > 0 && (
            <Note tone="warn" title="Something is missing">
              <ul>
                {told.missing.map(({ part, reason, detail }) => (
                  <li key={part + reason + detail}>
                    {part.replaceAll("_", " ")}: {detail}
                  </li>
                ))}
              </ul>
            </Note>
          )}
          <div className={told.workflows.length > 1 ? css.block : css.split}>
            <Workflows runs={told.workflows} />
            <div id={HAPPENED} className={css.happened}>
              <TabbedPages
                label="What happened"
                tabs={[
                  { id: "timeline", title: "Timeline", content: <Timeline entries={told.timeline} /> },
                  { id: "events", title: `Events (${told.events.length})`, content: <Events events={told.events} /> },
                  { id: "payments", title: `Payments (${told.payments.length})`, content: <Payments payments={told.payments} /> },
                  { id: "order", title: "Order", content: <TheOrder orderId={orderId} /> },
                ]}
              />
            </div>
          </div>
        </>
      )}
    </Shown>
  );
}

const HAPPENED = "what-happened";
const KEPT = rules.story_kept;

/** For how many seconds all who ask are told the same. */
function keptFor({ ended_at: end, told_at: told }: OrderStory) {
  if (!end) return KEPT.open;
  return Date.parse(told) - Date.parse(end) < 1000 * KEPT.late ? KEPT.just_ended : KEPT.ended;
}

function Headline({ told }: { told: OrderStory }) {
  return (
    <Card label="In one sentence">
      <p className={css.headline}>{sentence(inOwnTime(told.headline, told.moments))}</p>
      <dl className={css.facts}>
        <div>
          <dt className="visually-hidden">Status</dt>
          <dd>
            <Status status={told.status} />
          </dd>
        </div>
        <div>
          <dt>Placed</dt>
          <dd className="num">{moment(told.placed_at)}</dd>
        </div>
        {told.ended_at ? (
          <div>
            <dt>Ended</dt>
            <dd className="num">
              {moment(told.ended_at)}, after {took(Date.parse(told.ended_at) - Date.parse(told.placed_at))}
            </dd>
          </div>
        ) : (
          told.deadline_at && (
            <div>
              <dt>Given up at</dt>
              <dd className="num">{moment(told.deadline_at)}</dd>
            </div>
          )
        )}
        <div>
          <dt>As of</dt>
          <dd>
            <span className="num">{momentSeconds(told.told_at)}</span>
            <span className={css.soft}>, read anew at most every {span(1000 * keptFor(told))}</span>
          </dd>
        </div>
      </dl>
      {/* Below the drawings, where they are not beside it. */}
      <a className={css.jump} data-two={told.workflows.length > 1} href={`#${HAPPENED}`}>
        To the timeline, events and payments
      </a>
      {told.dead && <p className={css.soft}>Its workflow is dead, and no end is recorded yet: it is about to be unwound.</p>}
    </Card>
  );
}

/** An order's life, and below it what unwound it, if something did: no window has room for two drawings that can be read. */
function Workflows({ runs }: { runs: WorkflowRun[] }) {
  if (runs.length === 0) return <Empty title="No workflow has run yet" />;
  return (
    <div className={css.block}>
      {runs.map((run) => (
        <Run key={run.execution_arn} run={run} />
      ))}
    </div>
  );
}

/** What is said of a state that an error led on from, as its definition foresees. */
const GAVE_UP = "gave up, and went on";
const errorOf = (outcome: string | null) => (outcome === "caught" ? css.caught : css.error);

function Run({ run }: { run: WorkflowRun }) {
  const way = useMemo(() => wayOf(run.path), [run.path]);
  return (
    <section className={css.block} aria-label={CALLED[run.kind]}>
      <h2>{CALLED[run.kind]}</h2>
      <p className={css.soft}>
        {run.status.toLowerCase().replace("_", " ")} · began {moment(run.started_at)}
        {run.waiting_in && <> · waits in {title(run.waiting_in)}</>}
        {run.error && <span className={css.error}>{[run.error, run.cause].filter(Boolean).join(": ")}</span>}
      </p>
      <Part what="the drawing" rows={4}>
        <WorkflowDrawing definition={run.definition} way={way} label={CALLED[run.kind]} />
      </Part>
      <details>
        <summary>The way it took, as text: {plural(run.path.length, "state")}</summary>
        <div className={css.table} tabIndex={0} role="group" aria-label="States, a table">
          <table>
            <thead>
              <tr>
                <th scope="col">State</th>
                <th scope="col">Entered</th>
                <th scope="col">Took</th>
                <th scope="col">Outcome</th>
                <th scope="col">Attempts</th>
              </tr>
            </thead>
            <tbody>
              {run.path.map((visit, index) => (
                <tr key={index}>
                  <td>{title(visit.state)}</td>
                  <td className="num">
                    <At moment={visit.entered} below={run.path[index - 1]?.entered} />
                  </td>
                  <td className="num">{visit.left ? took(Date.parse(visit.left) - Date.parse(visit.entered)) : "—"}</td>
                  <td>
                    {visit.outcome === "caught" ? GAVE_UP : visit.outcome}
                    {visit.error && <span className={errorOf(visit.outcome)}>{[visit.error, visit.cause].filter(Boolean).join(": ")}</span>}
                  </td>
                  <td className="num">{visit.attempts.length || "—"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}

/** To the millisecond: much of an order happens within the same second. */
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

/** When something in a list happened; with its day where that is another than above, or, at the top, than today. */
function At({ moment: at, below }: { moment: string; below?: string }) {
  const day = newDay(at, below);
  return (
    <time dateTime={at}>
      {day && <span className={css.day}>{day} </span>}
      {CLOCK.format(new Date(at))}
    </time>
  );
}

type EntryKind = TimelineEntry["kind"];

const KINDS: Record<EntryKind, string> = {
  state: "state",
  event: "event",
  consumer: "heard",
  payment_attempt: "payment",
  log: "log",
  segment: "work",
  call: "call",
  initialization: "start",
};
const GROUPS: { name: string; kinds: EntryKind[]; shown: boolean }[] = [
  { name: "States", kinds: ["state"], shown: true },
  { name: "Events, and who heard them", kinds: ["event", "consumer"], shown: true },
  { name: "Payments", kinds: ["payment_attempt"], shown: true },
  { name: "Logs", kinds: ["log"], shown: true },
  { name: "Functions and calls", kinds: ["segment", "call", "initialization"], shown: false },
];

function toggled(set: ReadonlySet<string>, name: string): Set<string> {
  const next = new Set(set);
  if (!next.delete(name)) next.add(name);
  return next;
}

/** How deep each entry stands among those that are shown. One comes after what it happened in. */
function depthsOf(entries: TimelineEntry[], shown: ReadonlySet<string>): Map<string, number> {
  const depths = new Map<string, number>();
  for (const { id, parent } of entries) {
    const above = parent === null ? undefined : depths.get(parent);
    depths.set(id, above === undefined ? 0 : above + (shown.has(parent!) ? 1 : 0));
  }
  return depths;
}

function Timeline({ entries }: { entries: TimelineEntry[] }) {
  const [shown, setShown] = useState(() => new Set(GROUPS.filter((group) => group.shown).map(({ name }) => name)));
  const kinds = new Set(GROUPS.filter(({ name }) => shown.has(name)).flatMap((group) => group.kinds));
  const visible = entries.filter(({ kind }) => kinds.has(kind));
  const depths = depthsOf(entries, new Set(visible.map(({ id }) => id)));
  return (
    <div className={css.block}>
      <fieldset className={css.filters}>
        <legend className="visually-hidden">What to show</legend>
        {GROUPS.map(({ name }) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={shown.has(name)}
              onChange={() => setShown((now) => toggled(now, name))}
            />
            {name}
          </label>
        ))}
      </fieldset>
      <p className={css.soft}>What came of something stands below it. Each moment is by the clock of whoever noted it.</p>
      {visible.length === 0 ? (
        <Empty title="Nothing of it is known" />
      ) : (
        <ol className={css.timeline} tabIndex={0} aria-label="Timeline">
          {visible.map((entry, index) => (
            <li key={entry.id} className={css.entry} data-kind={entry.kind}>
              <At moment={entry.at} below={visible[index - 1]?.at} />
              <span className={`${css.what} ${css[`d${Math.min(depths.get(entry.id)!, 3)}`] ?? ""}`}>
                <span className={css.kind}>{KINDS[entry.kind]}</span>
                {entry.kind === "state" ? title(entry.label) : entry.label}
                {entry.workflow === "unwind" && <span className={css.soft}> · of the unwind</span>}
                {entry.service && entry.kind !== "state" && entry.kind !== "consumer" && <span className={css.soft}> · {entry.service}</span>}
                {entry.status && entry.kind !== "log" && <span className={css.soft}> · {entry.status === "caught" ? GAVE_UP : entry.status}</span>}
                {entry.error && <span className={errorOf(entry.status)}>{entry.error}</span>}
              </span>
              <span className={css.took}>{entry.duration_ms === null ? "" : took(entry.duration_ms)}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

function Events({ events }: { events: AnnouncedEvent[] }) {
  if (events.length === 0) return <Empty title="No event is known yet" />;
  return (
    <ol className={css.timeline}>
      {events.map((event, index) => (
        <li key={event.event_id} className={css.entry} data-kind="event">
          <At moment={event.occurred_at} below={events[index - 1]?.occurred_at} />
          <span className={css.what}>
            <strong>{event.name}</strong> <span className={css.soft}>from {event.source}</span>
            {event.consumers.length === 0 ? (
              <span className={css.soft}>, no listener is known to have taken it in</span>
            ) : (
              <ul className={css.heard} aria-label={`Who heard ${event.name}`}>
                {event.consumers.map((consumer) => (
                  <li key={consumer.service + consumer.at}>
                    {consumer.service} · {took(consumer.delay_ms)}
                    {consumer.outcome !== "consumed" && ` · ${consumer.outcome}`}
                  </li>
                ))}
              </ul>
            )}
          </span>
          <span />
        </li>
      ))}
    </ol>
  );
}

/** What was ordered, by whom, and who made which move. */
function TheOrder({ orderId }: { orderId: string }) {
  return (
    <Shown query={useLive(orderQuery(orderId, asSupport))} what="the order">
      {(order) => (
        <Card label="The order">
          <dl className={css.list}>
            <Row term="Restaurant">{order.restaurant_name}</Row>
            <Row term="Customer">
              <Link to={`/support?customer=${encodeURIComponent(order.customer_id)}`} className={css.mono}>
                {order.customer_id}
              </Link>
            </Row>
            {order.courier_id && (
              <Row term="Courier">
                <span className={css.mono}>{order.courier_id}</span>
              </Row>
            )}
            <Row term="Dishes">{order.lines.map((line) => `${line.quantity} × ${line.name}`).join(", ")}</Row>
            <Row term="Total">
              {money(order.total)}
              {order.promo_code && (
                <>
                  , with {order.promo_code} <span className={css.whole}>(−{money(order.discount)})</span>
                </>
              )}
            </Row>
            <Row term="Card">
              {cardName(order.payment_method)}, {(order.payment?.status ?? "unknown").toLowerCase()}
            </Row>
            {order.reason && <Row term="Ended because">{order.reason.message}</Row>}
            {Object.entries(order.claims).map(([status, claim]) => (
              <Row key={status} term={`“${claim.move}”`}>
                at {momentSeconds(claim.at)}
                {claim.reason && `, ${claim.reason.replaceAll("_", " ")}`}
                {claim.by && <span className={css.mono}> by {claim.by}</span>}
              </Row>
            ))}
          </dl>
        </Card>
      )}
    </Shown>
  );
}

function Row({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Payments({ payments }: { payments: PaymentAttempt[] }) {
  if (payments.length === 0) return <Empty title="Nobody asked for money yet" />;
  return (
    <ol className={css.timeline}>
      {payments.map((payment, index) => (
        <li key={index} className={css.entry} data-kind="payment_attempt">
          <At moment={payment.at} below={payments[index - 1]?.at} />
          <span className={css.what}>
            <strong>{payment.operation}</strong>{" "}
            <span className={css.soft}>
              in {title(payment.state)} of the {payment.workflow} workflow
            </span>
            <br />
            {payment.answer ? (
              <>
                {payment.answer.toLowerCase()}
                {payment.network && `, ${payment.network}`}
                {payment.code && `: ${payment.code}`}
              </>
            ) : (
              !payment.error && "no answer yet"
            )}
            {payment.error && <span className={css.error}>{[payment.error, payment.cause].filter(Boolean).join(": ")}</span>}
          </span>
          <span className={css.took}>{payment.duration_ms === null ? "" : took(payment.duration_ms)}</span>
        </li>
      ))}
    </ol>
  );
}
