import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type RefObject, useRef, useState } from "react";
import { useNavigate, useParams } from "react-router";
import { apis, type Order } from "../api/clients";
import { answered, passes } from "../api/problems";
import { asItsCustomer, order as orderQuery } from "../api/queries";
import { useLive } from "../live/live";
import { announce, useAnnounced } from "../ui/announce";
import { useFocusGoesOn } from "../ui/focus";
import { AskInTime, Button, Card, LinkButton, Note, Page, ProblemNote, Shown, Status, TimeBar } from "../ui/kit";
import { useNow } from "../ui/now";
import { ENDS, moment, momentSeconds, money, shortId, span, STATUS, timeToAnswer, tooLate, underWay, whyNot } from "../ui/words";
import { again, basket } from "./basket";
import { cardName } from "./cards";
import css from "./customer.module.css";
import { life } from "./life";
import { NewBasket } from "./new-basket";
import { declined, why } from "./reasons";

export function OrderPage() {
  const { orderId = "" } = useParams();
  const query = useLive(orderQuery(orderId, asItsCustomer));
  useAnnounced(query.data ? `The order is now: ${STATUS[query.data.status]}.` : null);
  return (
    <Page
      title={query.data ? `Your order from ${query.data.restaurant_name}` : "Your order"}
      lead={query.data && `No. ${shortId(orderId)}, placed ${moment(query.data.placed_at)}`}
      aside={query.data && <Status status={query.data.status} />}
    >
      <Shown query={query} what="the order" otherwise={<LinkButton to="/orders">To your orders</LinkButton>}>
        {(order) => <TheOrder order={order} />}
      </Shown>
    </Page>
  );
}

function TheOrder({ order }: { order: Order }) {
  const steps = useRef<HTMLOListElement>(null);
  return (
    <div className={css.split}>
      <div className={css.stack}>
        <Ending order={order} />
        <Card label="Where it is">
          <div className={css.block}>
            <ol className={css.life} aria-label="The life of the order" ref={steps} tabIndex={-1}>
              {life(order).map((step) => (
                <li key={step.is + step.title} data-is={step.is} aria-current={step.is === "now" ? "step" : undefined}>
                  <span className={css.dot} aria-hidden>
                    {step.is === "done" ? "✓" : step.is === "dead" ? "✕" : ""}
                  </span>
                  <span>
                    {step.is === "now" ? <strong>{step.title}</strong> : step.title}
                    {step.is === "later" && <span className="visually-hidden"> (to come)</span>}
                  </span>
                  {step.at ? (
                    <span>
                      {step.is === "now" && "since "}
                      <time dateTime={step.at}>{momentSeconds(step.at)}</time>
                    </span>
                  ) : (
                    <span />
                  )}
                </li>
              ))}
            </ol>
            {order.status === "AWAITING_RESTAURANT" && <ToAnswer order={order} />}
            {!ENDS.has(order.status) && <Remaining order={order} />}
            <Cancel order={order} on={steps} />
          </div>
        </Card>
      </div>
      <Receipt order={order} />
    </div>
  );
}

function ToAnswer({ order }: { order: Order }) {
  const now = useNow();
  const { until } = timeToAnswer(order);
  return (
    <p className={css.soft}>
      {until > now
        ? `${order.restaurant_name} has until ${moment(until)} to answer, ${span(until - now)} from now. If nobody does, the order is rejected and the money goes back.`
        : "The restaurant’s time to answer is over: the order is being rejected, and the money goes back."}
    </p>
  );
}

function Remaining({ order }: { order: Order }) {
  const now = useNow();
  const until = Date.parse(order.deadline_at);
  return (
    <div className={css.block}>
      <TimeBar label="Of the three hours" from={Date.parse(order.placed_at)} until={until} now={now} />
      <p className={css.soft}>
        {until > now
          ? `If it has not arrived by ${moment(until)}, it is given up and the money goes back: in ${span(until - now)}.`
          : "The three hours are over: it is being given up, and the money goes back."}
      </p>
    </div>
  );
}

const mayBeCancelled = ({ status }: Order) => status === "PLACED" || status === "AWAITING_RESTAURANT";

/** Until the restaurant accepts. The dialog stays when that happens, and says so: whoever answers it is told that it is too late. */
function Cancel({ order, on }: { order: Order; on: RefObject<HTMLElement | null> }) {
  const [by, askedBy] = useState<Element | null>(null);
  const goesOn = useFocusGoesOn(on);
  return (
    <>
      {mayBeCancelled(order) &&
        (order.pending_move ? (
          <p className={css.soft}>The order {underWay(order.pending_move)}.</p>
        ) : (
          <div ref={goesOn}>
            <Button look="danger" onPress={({ target }) => askedBy(target)}>
              Cancel the order
            </Button>
          </div>
        ))}
      {by && <AskToCancel order={order} by={by} on={on} onClose={() => askedBy(null)} />}
    </>
  );
}

function AskToCancel({ order, by, on, onClose }: { order: Order; by: Element; on: RefObject<HTMLElement | null>; onClose: () => void }) {
  const queries = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => answered(apis.orders.POST("/orders/{order_id}/cancel", { params: { path: { order_id: order.order_id } } })),
    onSuccess: () => {
      announce("The order is being cancelled.");
      onClose();
    },
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["order", order.order_id] });
      void queries.invalidateQueries({ queryKey: ["orders"] });
    },
  });
  const { error } = cancel;
  const refused = error && !passes(error) ? `Nothing was done. ${whyNot(error)}` : null;
  const is = tooLate(order, mayBeCancelled(order));
  return (
    <AskInTime
      // While the answer is awaited, what the order has become may be what was asked for.
      late={refused ?? (is && !cancel.isPending ? `It is too late to cancel. ${is}` : null)}
      by={by}
      on={on}
      onClose={onClose}
      title="Cancel this order?"
      action={
        <Button look="danger" isPending={cancel.isPending} onPress={() => cancel.mutate()}>
          Cancel the order
        </Button>
      }
    >
      <p>The hold on your card is released, and a promo code that you spent on it is yours again.</p>
      {error && <ProblemNote error={error} />}
    </AskInTime>
  );
}

/** A code is spent on an order that is delivered, and on no other. */
const codeBack = ({ promo_code: code }: Order) => (code ? ` The promo code ${code} is yours again.` : "");

/** How it ended, and what one can do about it. */
function Ending({ order }: { order: Order }) {
  const navigate = useNavigate();
  const inBasket = basket.use();
  const [asking, setAsking] = useState(false);
  const begin = () => {
    again(order);
    void navigate("/basket");
  };
  const repeat = (label: string) => (
    <>
      <Button look="primary" onPress={() => (inBasket ? setAsking(true) : begin())}>
        {label}
      </Button>
      <NewBasket open={asking} onClose={() => setAsking(false)} onBegin={begin} />
    </>
  );
  switch (order.status) {
    case "DELIVERED":
      return (
        <Note tone="good" title="Enjoy your meal">
          <p>{money(order.total)} was taken from your card.</p>
          {repeat("Order the same again")}
        </Note>
      );
    case "DECLINED":
      return (
        <Note tone="bad" title={why(order) ?? "The card was declined."}>
          <p>
            {declined(order)} Nothing was taken, and nothing is cooked.{codeBack(order)}
          </p>
          {repeat("Try another card")}
        </Note>
      );
    case "REJECTED":
    case "CANCELLED":
    case "EXPIRED":
    case "FAILED":
      return (
        <Note tone="warn" title={why(order) ?? STATUS[order.status]}>
          <p>
            {order.payment?.status === "RELEASED" || order.payment?.status === "AUTHORIZED" ? "The hold on your card is released." : "Nothing was taken."}
            {codeBack(order)}
          </p>
          {repeat("Order it again")}
        </Note>
      );
    default:
      return null;
  }
}

function Receipt({ order }: { order: Order }) {
  return (
    <div className={css.stay}>
      <Card>
        <div className={css.block}>
          <h2>What you ordered</h2>
          <ul className={css.lines}>
            {order.lines.map((line) => (
              <li key={line.dish_id} className={`${css.line} ${css.printed}`}>
                <span>
                  {line.quantity} × {line.name}
                </span>
                <span className={css.price}>{money(line.price)}</span>
              </li>
            ))}
          </ul>
          <dl className={css.sums}>
            <div>
              <dt>Delivery</dt>
              <dd>{money(order.delivery_fee)}</dd>
            </div>
            {order.discount.amount > 0 && (
              <div className={css.off}>
                <dt>Promo code {order.promo_code}</dt>
                <dd>−{money(order.discount)}</dd>
              </div>
            )}
            <div className={css.total}>
              <dt>Total</dt>
              <dd>{money(order.total)}</dd>
            </div>
            <div>
              <dt>Card</dt>
              <dd>{cardName(order.payment_method)}</dd>
            </div>
            {order.delivery && (
              <div>
                <dt>To</dt>
                <dd>
                  {order.delivery.name}, {order.delivery.address}
                </dd>
              </div>
            )}
            {order.note && (
              <div>
                <dt>Note</dt>
                <dd>{order.note}</dd>
              </div>
            )}
          </dl>
        </div>
      </Card>
    </div>
  );
}
