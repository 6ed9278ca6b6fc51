import { useState } from "react";
import { Link } from "react-router";
import { myOrders } from "../api/queries";
import { useLive } from "../live/live";
import { Actions, Button, Empty, LinkButton, Page, Shown, Status } from "../ui/kit";
import { moment, money } from "../ui/words";
import css from "./customer.module.css";

export function OrdersPage() {
  // The tokens of the pages so far: each page knows only the one behind it.
  const [pages, setPages] = useState<(string | null)[]>([null]);
  return (
    <Page title="Your orders">
      {pages.map((token, index) => (
        <OrdersOf
          key={token}
          token={token}
          onMore={index === pages.length - 1 ? (next) => setPages([...pages, next]) : null}
        />
      ))}
    </Page>
  );
}

function OrdersOf({ token, onMore }: { token: string | null; onMore: ((next: string) => void) | null }) {
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
                  <span className={css.soft}>{moment(order.placed_at)}</span>
                  <span className={css.price}>{money(order.total)}</span>
                </Link>
              </li>
            ))}
          </ul>
          {next && onMore && (
            <Actions>
              <Button onPress={() => onMore(next)}>Earlier ones</Button>
            </Actions>
          )}
        </>
      )}
    </Shown>
  );
}
