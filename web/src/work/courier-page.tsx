import { type RefObject, useEffect, useRef } from "react";
import type { CourierOrders, CourierSummary } from "../api/clients";
import { asACourier, courierOrders, order as orderQuery } from "../api/queries";
import { useLive } from "../live/live";
import { useAnnounced } from "../ui/announce";
import { useFocusGoesOn } from "../ui/focus";
import { Button, Empty, LeftOut, Page, ProblemNote, Said, Shown, TabbedPages } from "../ui/kit";
import { useNow } from "../ui/now";
import { moment, plural, shortId, span, underWay } from "../ui/words";
import { type Say, THE_REST, useMove, useSaid } from "./moves";
import css from "./work.module.css";

export default function CourierPage() {
  const ready = useLive(courierOrders("ready"));
  const mine = useLive(courierOrders("mine"));
  const [said, say] = useSaid();
  const number = ready.data?.orders.length;
  useAnnounced(number === undefined ? null : `${plural(number, "order")} to fetch.`);
  const count = (n: number | undefined) => (n === undefined ? "" : ` (${n})`);
  return (
    <Page title="Deliveries" lead="Whoever leaves with an order first has it. The address shows from then on.">
      <TabbedPages
        label="Deliveries"
        tabs={[
          {
            id: "ready",
            title: `To fetch${count(number)}`,
            content: (
              <Shown query={ready} what="orders to fetch">
                {(page) => <Slips {...page} say={say} none="Nothing is to be fetched" />}
              </Shown>
            ),
          },
          {
            id: "mine",
            title: `On the road${count(mine.data?.orders.length)}`,
            content: (
              <Shown query={mine} what="orders on the road">
                {(page) => <Slips {...page} say={say} none="You are on the road with nothing" />}
              </Shown>
            ),
          },
        ]}
      />
      <Said {...said} />
    </Page>
  );
}

function Slips({ orders, next, unreadable, say, none }: CourierOrders & { say: Say; none: string }) {
  const all = useRef<HTMLElement>(null);
  return (
    <section ref={all} tabIndex={-1} className={css.lane} aria-label="Orders">
      <LeftOut unreadable={unreadable} more={!!next}>
        {THE_REST}
      </LeftOut>
      {orders.length === 0 && <Empty title={none} />}
      <div className={css.slips}>
        {orders.map((each) => (
          <Slip key={each.order_id} summary={each} say={say} all={all} />
        ))}
      </div>
    </section>
  );
}

function Slip({ summary, say, all }: { summary: CourierSummary; say: Say; all: RefObject<HTMLElement | null> }) {
  const now = useNow(10_000);
  const query = useLive(orderQuery(summary.order_id, asACourier));
  const move = useMove(summary.order_id, say);
  const goesOn = useFocusGoesOn(all);
  const order = query.data;
  const { refetch } = query;
  const behind = !!order && order.status !== summary.status;
  // A courier is not told which order changed: the list says it.
  useEffect(() => {
    if (behind) void refetch();
  }, [behind, refetch]);
  const left = Date.parse(summary.deadline_at) - now;
  const onTheRoad = summary.status === "OUT_FOR_DELIVERY";
  return (
    <article className={css.slip} aria-label={`Order ${shortId(summary.order_id)} from ${summary.restaurant_name}`}>
      <div className={css.top}>
        <strong>{summary.restaurant_name}</strong>
        <span className={css.soft}>{shortId(summary.order_id)}</span>
      </div>
      {order?.delivery && (
        <p className={css.address}>
          <span>{order.delivery.name}</span>
          <span>{order.delivery.address}</span>
        </p>
      )}
      <p className={left < 30 * 60_000 ? css.late : css.soft}>
        {order && `${plural(order.item_count, "dish", "dishes")} · `}
        {left > 0 ? `by ${moment(summary.deadline_at)}, ${span(left)} left` : "the three hours are over"}
      </p>
      {(move.passing ?? (!order && query.error)) && <ProblemNote error={move.passing ?? query.error} />}
      {order?.pending_move ? (
        <p className={css.soft}>The order {underWay(order.pending_move)}.</p>
      ) : (
        <div ref={goesOn}>
          <Button look="primary" wide isPending={move.isPending} onPress={() => move.mutate(onTheRoad ? "deliver" : "dispatch")}>
            {onTheRoad ? "Handed over" : "Leave with it"}
          </Button>
        </div>
      )}
    </article>
  );
}
