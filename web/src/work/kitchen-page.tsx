import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { KitchenOrder, KitchenSummary, RejectReason } from "../api/clients";
import { kitchenOrders, order as orderQuery, restaurants } from "../api/queries";
import { useSession } from "../auth/session";
import { useLive } from "../live/live";
import { useAnnounced } from "../ui/announce";
import { Ask, Button, Note, Page, ProblemNote, Radios, Said, Shown, TimeBar } from "../ui/kit";
import { useNow } from "../ui/now";
import { clock, plural, sentence, shortId, span, TO_ANSWER } from "../ui/words";
import { useMove } from "./moves";
import css from "./work.module.css";

const LANES = [
  { status: "AWAITING_RESTAURANT", title: "To answer", none: "No order waits for an answer." },
  { status: "PREPARING", title: "In the kitchen", none: "Nothing is on the stove." },
  { status: "OUT_FOR_DELIVERY", title: "On the road", none: "No courier is on the way." },
] as const;

const REASONS: Record<RejectReason, string> = {
  too_busy: "Too busy",
  out_of_stock: "Something is out of stock",
  closing: "We are closing",
  outside_delivery_area: "Outside our area",
  other: "Another reason",
};

export default function KitchenPage() {
  const session = useSession();
  const own = session.is === "out" ? null : session.session.restaurantId;
  const name = useQuery(restaurants()).data?.restaurants.find((each) => each.restaurant_id === own)?.name;
  const [said, say] = useState("");
  const query = useLive(kitchenOrders());
  const waiting = query.data?.orders.filter(({ status }) => status === "AWAITING_RESTAURANT").length;
  useAnnounced(waiting === undefined ? null : `${plural(waiting, "order")} to answer.`);
  return (
    <Page title={name ?? "Kitchen"} lead="An order that nobody answers within 15 minutes is rejected by itself.">
      <Shown query={query} what="orders">
        {({ orders, unreadable }) => (
          <>
            {!!unreadable && <Note tone="warn" title={`${plural(unreadable, "order")} cannot be read`}>Support can find out why.</Note>}
            <div className={css.lanes}>
              {LANES.map(({ status, title, none }) => {
                const here = orders.filter((each) => each.status === status);
                return (
                  <section
                    key={status}
                    className={`${css.lane} ${status === "AWAITING_RESTAURANT" && here.length > 0 ? css.urgent : ""}`}
                    aria-label={title}
                  >
                    <h2>
                      {title} <span className={css.count}>{here.length}</span>
                    </h2>
                    {here.length === 0 && <p className={css.none}>{none}</p>}
                    {here.map((each) => (
                      <Slip key={each.order_id} summary={each} say={say} />
                    ))}
                  </section>
                );
              })}
            </div>
          </>
        )}
      </Shown>
      <Said>{said}</Said>
    </Page>
  );
}

type Say = (said: string) => void;

function Slip({ summary, say }: { summary: KitchenSummary; say: Say }) {
  const query = useLive(orderQuery<KitchenOrder>(summary.order_id));
  const order = query.data;
  return (
    <article className={css.slip} aria-label={`Order ${shortId(summary.order_id)}`}>
      <div className={css.top}>
        <strong>{shortId(summary.order_id)}</strong>
        <span className={css.soft}>placed {clock(summary.placed_at)}</span>
      </div>
      {query.error && !order && <ProblemNote error={query.error} retry={() => void query.refetch()} />}
      {order && (
        <>
          <ul className={css.dishes}>
            {order.lines.map((line) => (
              <li key={line.dish_id}>
                <b className="num">{line.quantity}</b> {line.name}
              </li>
            ))}
          </ul>
          {order.note && <p className={css.note}>{order.note}</p>}
          {summary.status === "AWAITING_RESTAURANT" ? <Answer order={order} say={say} /> : <Age order={order} />}
        </>
      )}
    </article>
  );
}

function Age({ order }: { order: KitchenOrder }) {
  const now = useNow(10_000);
  const since = order.timeline.at(-1)?.at ?? order.placed_at;
  return (
    <p className={css.soft}>
      {order.status === "PREPARING" ? "Since" : "Left"} {clock(since)}, {span(now - Date.parse(since))} ago.{" "}
      {sentence(`Given up at ${clock(order.deadline_at)}`)}
    </p>
  );
}

function Answer({ order, say }: { order: KitchenOrder; say: Say }) {
  const now = useNow();
  const [rejecting, setRejecting] = useState(false);
  const [reason, setReason] = useState<RejectReason>("too_busy");
  const move = useMove(order.order_id, say);
  const since = Date.parse(order.timeline.find(({ status }) => status === "AWAITING_RESTAURANT")?.at ?? order.placed_at);
  const until = since + TO_ANSWER;
  const left = until - now;
  if (order.pending_move) return <p className={css.soft}>“{order.pending_move}” is under way.</p>;
  return (
    <>
      <TimeBar label="Of the 15 minutes" from={since} until={until} now={now} />
      <p className={left < TO_ANSWER / 5 ? css.late : css.soft}>{left > 0 ? `${span(left)} to answer` : "The time is over"}</p>
      {move.error && <ProblemNote error={move.error} />}
      <div className={css.two}>
        <Button look="primary" isPending={move.isPending} onPress={() => move.mutate("accept")}>
          Accept
        </Button>
        <Button onPress={() => setRejecting(true)}>Reject …</Button>
      </div>
      <Ask
        open={rejecting}
        onClose={() => setRejecting(false)}
        title={`Reject order ${shortId(order.order_id)}?`}
        actions={
          <>
            <Button onPress={() => setRejecting(false)}>Keep it</Button>
            <Button
              look="danger"
              isPending={move.isPending}
              onPress={() => move.mutate({ reject: reason }, { onSettled: () => setRejecting(false) })}
            >
              Reject the order
            </Button>
          </>
        }
      >
        <Radios label="Why? The customer is told." value={reason} onChange={setReason} options={REASONS} />
      </Ask>
    </>
  );
}
