import { Link } from "react-router";
import orderWorkflow from "../../../statemachines/order.asl.json";
import unwindWorkflow from "../../../statemachines/unwind.asl.json";
import { useSession } from "../auth/session";
import { type Change, useChanges, useConnection } from "../live/live";
import { Note, Page, TabbedPages } from "../ui/kit";
import { useNow } from "../ui/now";
import { later, Part } from "../ui/part";
import { MINUTE, shortId, span } from "../ui/words";
import ServicesMap, { services, untold } from "./services-map";
import css from "./teacher.module.css";

const WorkflowDrawing = later(() => import("../workflow/drawing"));
const REMEMBERED = 5 * MINUTE;
const LISTED = 12;

const AND = new Intl.ListFormat("en");
const optionals = services.filter((each) => each.optional).map(({ name }) => name);

export default function HowItWorksPage() {
  const now = useNow(5_000);
  const changes = useChanges().filter(({ seenAt }) => now - seenAt < REMEMBERED);
  return (
    <Page
      title="How it works"
      lead="Inside a bounded context, orchestrate; between bounded contexts, choreograph. A workflow takes one order through its life; what happens to it goes out as events, and whoever cares listens."
    >
      <section className={css.block} aria-label="Services and events">
        <h2>Between services: events</h2>
        <div className={css.split}>
          <div className={css.block}>
            <ServicesMap changes={changes} />
            {untold.length > 0 && (
              <p className={css.soft}>
                Dotted: {untold.join(", ")}. They are announced like the others, and no page is told of them, as none changes by them: the order&apos;s own event comes with
                each. So they are not counted here.
              </p>
            )}
            {optionals.length > 0 && (
              <p className={css.soft}>
                Dashed: {AND.format(optionals)}, which hear in a stack that is asked for it. Whether this one is, is not known here, so no event is drawn as heard there.
              </p>
            )}
          </div>
          <Feed changes={changes} now={now} />
        </div>
        <ul className={css.services}>
          {services.map(({ name, does, announces, hears, through, optional }) => (
            <li key={name} className={css.card}>
              <h3>{name}</h3>
              {does.map((each) => (
                <p key={each} className={css.soft}>
                  {each}
                </p>
              ))}
              <dl>
                {announces.length > 0 && (
                  <div>
                    <dt>Announces</dt>
                    <dd>{announces.join(", ")}</dd>
                  </div>
                )}
                {hears.length > 0 && (
                  <div>
                    <dt>
                      Hears, by a {through}
                      {optional && ", if the stack is asked for it"}
                    </dt>
                    <dd>{hears.join(", ")}</dd>
                  </div>
                )}
              </dl>
            </li>
          ))}
        </ul>
      </section>
      <section className={css.block} aria-label="Workflows">
        <h2>Inside orders: a workflow</h2>
        <Part what="the drawing" rows={4}>
          <TabbedPages
            label="Workflows"
            tabs={[
              { id: "order", title: "An order's life", content: <WorkflowDrawing definition={orderWorkflow} label="Order workflow" /> },
              { id: "unwind", title: "What follows its death", content: <WorkflowDrawing definition={unwindWorkflow} label="Unwind workflow" /> },
            ]}
          />
        </Part>
      </section>
    </Page>
  );
}

/** The events of the last minutes, as the live socket told of them. */
function Feed({ changes, now }: { changes: readonly Change[]; now: number }) {
  const session = useSession();
  const connection = useConnection();
  const support = session.is !== "out" && session.session.role === "support";
  return (
    <section className={css.block} aria-label="The last minutes">
      <h3>The last five minutes</h3>
      <p className={css.soft}>
        Counted since the console was opened in this tab.
        {changes.length > LISTED && ` Listed are the newest ${LISTED} of ${changes.length}.`}
      </p>
      {!support && <Note title="Whose events you see">Somebody of support hears of all orders; everybody else, of their own.</Note>}
      {connection !== "live" && support && <p className={css.soft}>No live connection just now, so no event can be told of.</p>}
      {connection === "live" && changes.length === 0 && <p className={css.soft}>Quiet. Place an order, and watch.</p>}
      <ol className={css.feed}>
        {changes
          .slice(-LISTED)
          .reverse()
          .map(({ orderId, event, occurredAt, seenAt }) => (
            <li key={orderId + event + seenAt}>
              <strong>{event}</strong>
              <span className={css.soft}>{span(now - occurredAt)} ago</span>
              {support ? <Link to={`/support/orders/${orderId}`}>{shortId(orderId)}</Link> : <span className={css.soft}>{shortId(orderId)}</span>}
            </li>
          ))}
      </ol>
    </section>
  );
}
