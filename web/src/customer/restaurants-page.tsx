import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { restaurants } from "../api/queries";
import { Empty, type Onward, Page, Pages, Shown } from "../ui/kit";
import { money } from "../ui/words";
import css from "./customer.module.css";

export function RestaurantsPage() {
  return (
    <Page title="What shall it be today?" lead="Pick a restaurant. What you order is cooked, carried and paid for before your eyes, or undone.">
      <Pages onward="More restaurants">{(token, more) => <RestaurantsOf token={token} more={more} />}</Pages>
    </Page>
  );
}

function RestaurantsOf({ token, more }: { token: string | null; more: Onward }) {
  return (
    <Shown query={useQuery(restaurants(token))} what="restaurants">
      {({ restaurants: found, next }) => (
        <>
          {found.length === 0 && !token && <Empty title="No restaurant is open">Menus are put into a bucket; none is there yet.</Empty>}
          <ul className={css.grid}>
            {found.map((each) => (
              <li key={each.restaurant_id}>
                <Link to={`/restaurants/${each.restaurant_id}`} className={css.place}>
                  <span className={css.plate} aria-hidden>
                    {each.name.slice(0, 1)}
                  </span>
                  <strong>{each.name}</strong>
                  <span className={css.soft}>{each.cuisine}</span>
                  <span className={css.soft}>
                    {each.delivery_fee === 0 ? "Free delivery" : `Delivery ${money({ amount: each.delivery_fee, currency: each.currency })}`}
                  </span>
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
