import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import rules from "../../generated/rules.json";
import type { OrderStatus, SupportSummary } from "../api/clients";
import { customerOrders, supportOrders } from "../api/queries";
import { useLive } from "../live/live";
import { useAnnounced } from "../ui/announce";
import { Button, Card, Choice, Empty, Field, LeftOut, type Onward, Page, Pages, Shown, Status, TimeBar } from "../ui/kit";
import { useNow } from "../ui/now";
import { ENDS, isStatus, moment, plural, shortId, span, STATUS, took } from "../ui/words";
import { orderIdIn } from "./order-id";
import css from "./support.module.css";

/** Open orders by age against their three hours; or those of a status, of a customer, or both. What is asked stands in the address. */
export default function BoardPage() {
  const [asked, ask] = useSearchParams();
  const given = asked.get("status");
  const status = isStatus(given) ? given : null;
  const customer = asked.get("customer");
  return (
    <Page title="Orders" lead={`${shownOf(customer, status)} Each reading is logged.`}>
      <Find key={customer} customer={customer ?? ""} status={status ?? ""} onAsk={ask} />
      <Pages key={`${customer} ${status}`} onward="The following ones">
        {(token, more) =>
          customer ? <OfCustomer customer={customer} status={status} token={token} more={more} /> : <OfStatus status={status} token={token} more={more} />
        }
      </Pages>
    </Page>
  );
}

/** Which orders are listed, and in which sequence. */
function shownOf(customer: string | null, status: OrderStatus | null) {
  if (!customer && !status) return "Open ones, the oldest first.";
  const those = `Those${customer ? " of one customer" : ""}${status ? ` that are: ${STATUS[status]}` : ""}`;
  return `${those}, the ${customer || (status && ENDS.has(status)) ? "newest" : "oldest"} first.`;
}

/** What people see of an order's id, and what the id of an account may be. */
const SHORT = /^[A-Za-z0-9]{6}$/;
const ACCOUNT = new RegExp(rules.customer_id);

function Find({ customer, status, onAsk }: { customer: string; status: string; onAsk: (asked: Record<string, string>) => void }) {
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [order, setOrder] = useState("");
  const [who, setWho] = useState(customer);
  const [unknown, setUnknown] = useState<string | null>(null);
  const [unfit, setUnfit] = useState<string | null>(null);

  /** Open an order by its id or its page's address, or by the short number that people see, if one order that is listed has it. */
  function open(text: string) {
    const id = orderIdIn(text);
    if (id) return void navigate(`/support/orders/${id}`);
    if (!text) return setUnknown("Enter an order's id: it begins with ord_, and ends the address of the order's page.");
    if (!SHORT.test(text)) return setUnknown("Not the id of an order: it begins with ord_, and ends the address of the order's page. The whole address will do.");
    const listed = cache.getQueriesData<{ orders?: SupportSummary[] }>({ queryKey: ["orders", "support"] });
    const ids = new Set(listed.flatMap(([, page]) => page?.orders?.map((each) => each.order_id) ?? []));
    const meant = [...ids].filter((each) => shortId(each) === text.toUpperCase());
    if (meant.length === 1) return void navigate(`/support/orders/${meant[0]}`);
    if (meant.length === 0) setUnknown("No order that is listed here has this number. Choose its status, or take the whole id: it ends the address of the order's page.");
    else setUnknown("More than one order has this number: take the whole id, which ends the address of the order's page.");
  }

  /** What is not chosen is not in the address. */
  const asking = (next: { customer: string; status: string }) => onAsk(Object.fromEntries(Object.entries(next).filter(([, value]) => value)));

  /** Ask for a customer's orders, if it can be the id of an account. */
  function find(text: string) {
    const can = !text || ACCOUNT.test(text);
    setUnfit(can ? null : "Not an id of an account. An order of theirs names it, on its page under Order; an e-mail address is not known here.");
    if (can) asking({ customer: text, status });
  }
  return (
    <Card label="Find orders">
      <div className={css.find}>
        <form
          className={css.findone}
          onSubmit={(event) => {
            event.preventDefault();
            open(order.trim());
          }}
        >
          <Field
            label="Order"
            hint="By its id or its page's address; or by its number, if it is listed below"
            value={order}
            onChange={setOrder}
            error={unknown}
            maxLength={512}
            autoComplete="off"
          />
          <Button type="submit">Open</Button>
        </form>
        <form
          className={css.findone}
          onSubmit={(event) => {
            event.preventDefault();
            find(who.trim());
          }}
        >
          <Field label="Customer" hint="By the id of the account, which an order of theirs names under Order" value={who} onChange={setWho} error={unfit} maxLength={128} autoComplete="off" />
          <Button type="submit">Find</Button>
        </form>
        <Choice label="Status" value={status} onChange={(next) => asking({ customer, status: next })}>
          <option value="">{customer ? "All" : "All open ones"}</option>
          {Object.entries(STATUS).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </Choice>
      </div>
    </Card>
  );
}

interface Part {
  token: string | null;
  more: Onward;
}

function OfStatus({ status, token, more }: { status: OrderStatus | null } & Part) {
  const query = useLive(supportOrders(status, token));
  const open = status === null && query.data;
  useAnnounced(open ? `${open.cut ? "More than " : ""}${plural(open.orders.length, "open order")}.` : null);
  return (
    <Shown query={query} what="orders">
      {({ orders, next, unreadable, cut }) => (
        <>
          <LeftOut unreadable={unreadable} more={cut}>
            Shown are the {plural(orders.length, "open order")} that were placed first. Choose a status for all that are in it.
          </LeftOut>
          <Orders
            orders={orders}
            none={status ? "No order has this status" : "No order is open"}
            time={timeOf(status, THREE_HOURS)}
          />
          {more(next)}
        </>
      )}
    </Shown>
  );
}

function OfCustomer({ customer, status, token, more }: { customer: string; status: OrderStatus | null } & Part) {
  return (
    <Shown query={useLive(customerOrders(customer, status, token))} what="orders">
      {({ orders, next, unreadable }) => (
        <>
          <LeftOut unreadable={unreadable} more={false} />
          <Orders
            orders={orders}
            none={status ? "No order of this account has this status" : "No order of this account, or there is no such account"}
            time={timeOf(status, "Of its three hours, or until its end")}
          />
          {more(next)}
        </>
      )}
    </Shown>
  );
}

const THREE_HOURS = "Of its three hours";

/** @param otherwise where all statuses are listed. */
function timeOf(status: OrderStatus | null, otherwise: string) {
  if (!status) return otherwise;
  return ENDS.has(status) ? "From placing to its end" : THREE_HOURS;
}

/** @param time what the column says that tells how long they take. */
function Orders({ orders, none, time }: { orders: SupportSummary[]; none: string; time: string }) {
  const now = useNow(5_000);
  if (orders.length === 0) return <Empty title={none} />;
  return (
    <div className={css.table} tabIndex={0} role="group" aria-label="Orders, a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Order</th>
            <th scope="col">Status</th>
            <th scope="col">{time}</th>
            <th scope="col">Restaurant</th>
            <th scope="col">Placed</th>
          </tr>
        </thead>
        <tbody>
          {orders.map((order) => {
            const [from, until] = [Date.parse(order.placed_at), Date.parse(order.deadline_at)];
            return (
              <tr key={order.order_id}>
                <td>
                  <Link to={`/support/orders/${order.order_id}`} className={css.mono}>
                    {shortId(order.order_id)}
                  </Link>
                </td>
                <td>
                  <Status status={order.status} />
                </td>
                <td>
                  {ENDS.has(order.status) ? (
                    <span className={css.soft}>took {took(Date.parse(order.updated_at ?? order.placed_at) - from)}</span>
                  ) : (
                    <div className={css.age}>
                      <TimeBar label={THREE_HOURS} from={from} until={until} now={now} />
                      <span className={css.soft}>{until > now ? `${span(until - now)} left` : `over since ${span(now - until)}`}</span>
                    </div>
                  )}
                </td>
                <td>{order.restaurant_name}</td>
                <td className="num">{moment(order.placed_at)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
