import { Link } from "react-router";
import { myOrders } from "../api/queries";
import { useLive } from "../live/live";
import { Empty, LinkButton, type Onward, Page, Pages, Shown, Status } from "../ui/kit";
import { moment, money, shortId } from "../ui/words";
import css from "./customer.module.css";

export function OrdersPage() {
  return (
    <Page title="Your orders">
      <Pages onward="Earlier ones">{(token, more) => <OrdersOf token={token} more={more} />}</Pages>
    </Page>
  );
}

function OrdersOf({ token, more }: { token: string | null; more: Onward }) {
  return (
    <Shown query={useLive(myOrders(token))} what="orders">
      {({ orders, next }) => (
        <>
          {orders.length === 0 && !token && (
            <Empty title="You have not ordered yet">
              <LinkButton to="/" look="primary">
                To the restaurants
              </LinkButton>
            </Empty>
          )}
          <ul className={css.rows}>
            {orders.map((order) => (
              <li key={order.order_id}>
                <Link to={`/orders/${order.order_id}`} className={css.row}>
                  <strong>{order.restaurant_name}</strong>
                  <Status status={order.status} />
                  <span className={css.soft}>
                    No. {shortId(order.order_id)}, {moment(order.placed_at)}
                  </span>
                  <span className={css.price}>{money(order.total)}</span>
                </Link>
              </li>
            ))}
          </ul>
          {more(next)}
        </>
      )}
    </Shown>
  );
}
