import { useQuery } from "@tanstack/react-query";
import { type ReactNode, type RefObject, useRef, useState } from "react";
import type { KitchenOrder, KitchenSummary, RejectReason } from "../api/clients";
import { passes } from "../api/problems";
import { asItsKitchen, kitchenOrders, order as orderQuery, restaurants } from "../api/queries";
import { useSession } from "../auth/session";
import { useLive } from "../live/live";
import { useAnnounced } from "../ui/announce";
import { useFocusGoesOn } from "../ui/focus";
import { AskInTime, Button, LeftOut, Page, ProblemNote, Radios, Said, Shown, TimeBar } from "../ui/kit";
import { useNow } from "../ui/now";
import { moment, plural, sentence, shortId, span, timeToAnswer, TO_ANSWER, tooLate, underWay } from "../ui/words";
import { type Say, THE_REST, useMove, useSaid } from "./moves";
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
  const [rejecting, reject] = useState<Rejecting | null>(null);
  const query = useLive(kitchenOrders());
  // Until the list is read again, an order that was just accepted is still to answer there.
  const [said, say] = useSaid((id) => query.data?.orders.some((each) => each.order_id === id && each.status !== "OUT_FOR_DELIVERY") ?? true);
  const waiting = query.data?.orders.filter(({ status }) => status === "AWAITING_RESTAURANT").length;
  useAnnounced(waiting === undefined ? null : `${plural(waiting, "order")} to answer.`);
  return (
    <Page title={name ?? "Kitchen"} lead={`An order that nobody answers within ${span(TO_ANSWER)} is rejected by itself.`}>
      <Shown query={query} what="orders">
        {({ orders, next, unreadable }) => (
          <>
            <LeftOut unreadable={unreadable} more={!!next}>{THE_REST}</LeftOut>
            <div className={css.lanes}>
              {LANES.map(({ status, title, none }) => {
                const here = orders.filter((each) => each.status === status);
                return (
                  <Lane key={status} title={title} none={none} number={here.length} urgent={status === "AWAITING_RESTAURANT"}>
                    {(heading) =>
                      here.map((each) => <Slip key={each.order_id} summary={each} say={say} reject={reject} heading={heading} />)
                    }
                  </Lane>
                );
              })}
            </div>
          </>
        )}
      </Shown>
      {rejecting && <Reject {...rejecting} say={say} onClose={() => reject(null)} />}
      <Said {...said} />
    </Page>
  );
}

type Heading = RefObject<HTMLElement | null>;

interface LaneProps {
  title: string;
  none: string;
  number: number;
  urgent: boolean;
  children: (heading: Heading) => ReactNode;
}

function Lane({ title, none, number, urgent, children }: LaneProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  return (
    <section className={`${css.lane} ${urgent && number > 0 ? css.urgent : ""}`} aria-label={title}>
      <h2 ref={heading} tabIndex={-1}>
        {title} <span className={css.count}>{number}</span>
      </h2>
      {number === 0 && <p className={css.none}>{none}</p>}
      {children(heading)}
    </section>
  );
}

interface SlipProps {
  summary: KitchenSummary;
  say: Say;
  reject: (which: Rejecting) => void;
  heading: Heading;
}

function Slip({ summary, ...rest }: SlipProps) {
  const query = useLive(orderQuery(summary.order_id, asItsKitchen));
  const order = query.data;
  return (
    <article className={css.slip} aria-label={`Order ${shortId(summary.order_id)}`}>
      <div className={css.top}>
        <strong>{shortId(summary.order_id)}</strong>
        <span className={css.soft}>placed {moment(summary.placed_at)}</span>
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
          {summary.status === "AWAITING_RESTAURANT" ? <Answer order={order} {...rest} /> : <Age order={order} />}
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
      {order.status === "PREPARING" ? "Since" : "Left"} {moment(since)}, {span(now - Date.parse(since))} ago.{" "}
      {sentence(`Given up at ${moment(order.deadline_at)}`)}
    </p>
  );
}

function Answer({ order, say, reject, heading }: { order: KitchenOrder } & Omit<SlipProps, "summary">) {
  const now = useNow();
  const move = useMove(order.order_id, say);
  const goesOn = useFocusGoesOn(heading);
  const { since, until } = timeToAnswer(order);
  const left = until - now;
  if (order.pending_move) return <p className={css.soft}>The order {underWay(order.pending_move)}.</p>;
  return (
    <>
      <TimeBar label={`Of the ${span(TO_ANSWER)}`} from={since} until={until} now={now} />
      <p className={left < TO_ANSWER / 5 ? css.late : css.soft}>{left > 0 ? `${span(left)} to answer` : "The time is over"}</p>
      {move.passing && <ProblemNote error={move.passing} />}
      <div className={css.two} ref={goesOn}>
        <Button look="primary" isPending={move.isPending} onPress={() => move.mutate("accept")}>
          Accept
        </Button>
        <Button onPress={({ target }) => reject({ orderId: order.order_id, by: target, heading })}>Reject …</Button>
      </div>
    </>
  );
}

interface Rejecting {
  orderId: string;
  /** The button that asked for it. */
  by: Element;
  heading: Heading;
}

/** Asks for a reason. It is the page's and not the slip's: it stays when its order goes, and whoever answers is told so. */
function Reject({ orderId, by, heading, say, onClose }: Rejecting & { say: Say; onClose: () => void }) {
  const [reason, setReason] = useState<RejectReason | null>(null);
  const move = useMove(orderId, say);
  const order = useLive(orderQuery(orderId, asItsKitchen)).data;
  const is = order && tooLate(order, order.status === "AWAITING_RESTAURANT");
  return (
    <AskInTime
      // While the answer is awaited, what the order has become may be what was asked for.
      late={is && !move.isPending ? `It is too late to reject. ${is}` : null}
      by={by}
      on={heading}
      onClose={onClose}
      title={`Reject order ${shortId(orderId)}?`}
      action={
        <Button
          look="danger"
          isPending={move.isPending}
          isDisabled={!reason}
          onPress={() => reason && move.mutate({ reject: reason }, { onSettled: (_, error) => (error && passes(error) ? undefined : onClose()) })}
        >
          {reason ? "Reject the order" : "Choose a reason"}
        </Button>
      }
    >
      <Radios label="Why? The customer is told." value={reason} onChange={setReason} options={REASONS} />
      {move.passing && <ProblemNote error={move.passing} />}
    </AskInTime>
  );
}
