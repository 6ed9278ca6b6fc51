import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useParams } from "react-router";
import type { Dish, Restaurant } from "../api/clients";
import { menu } from "../api/queries";
import { announce } from "../ui/announce";
import { Button, Empty, LinkButton, Page, Shown } from "../ui/kit";
import { money, plural } from "../ui/words";
import { basket, count, have } from "./basket";
import css from "./customer.module.css";
import { NewBasket } from "./new-basket";
import { Quantity } from "./quantity";

export function MenuPage() {
  const { restaurantId = "" } = useParams();
  const query = useQuery(menu(restaurantId));
  return (
    <Page title={query.data?.name ?? "Menu"} lead={query.data && `${query.data.cuisine} · ${delivery(query.data)}`}>
      <Shown query={query} what="the menu" otherwise={<LinkButton to="/">To the restaurants</LinkButton>}>
        {(restaurant) => <Menu restaurant={restaurant} />}
      </Shown>
    </Page>
  );
}

const delivery = ({ delivery_fee: amount, currency }: Restaurant) =>
  amount === 0 ? "free delivery" : `delivery ${money({ amount, currency })}`;

function Menu({ restaurant }: { restaurant: Restaurant }) {
  const inBasket = basket.use();
  const [wanted, setWanted] = useState<Dish | null>(null);
  const own = inBasket?.restaurantId === restaurant.restaurant_id ? inBasket : null;
  const categories = Map.groupBy(restaurant.dishes, (dish) => dish.category || "Dishes");

  const add = (dish: Dish) => {
    if (inBasket && !own) return setWanted(dish);
    have(restaurant, dish, 1);
    announce(`${dish.name} is in the basket.`);
  };
  if (restaurant.dishes.length === 0) return <Empty title="This menu is empty" />;
  return (
    <>
      <div className={css.categories}>
        {[...categories].map(([category, dishes]) => (
          <section key={category} className={css.category} aria-label={category}>
            <h2>{category}</h2>
            <ul className={css.dishes}>
              {dishes.map((dish) => (
                <DishRow
                  key={dish.dish_id}
                  dish={dish}
                  currency={restaurant.currency}
                  quantity={own?.lines.find((line) => line.dishId === dish.dish_id)?.quantity ?? 0}
                  onAdd={() => add(dish)}
                  onChange={(quantity) => have(restaurant, dish, quantity)}
                />
              ))}
            </ul>
          </section>
        ))}
      </div>
      {own && (
        <div className={css.dock}>
          <LinkButton to="/basket" look="primary" wide>
            <span>To the basket</span>
            <span>{plural(count(own), "dish", "dishes")}</span>
          </LinkButton>
        </div>
      )}
      <NewBasket
        open={wanted !== null}
        onClose={() => setWanted(null)}
        onBegin={() => {
          if (wanted) have(restaurant, wanted, 1);
        }}
      />
    </>
  );
}

function DishRow({
  dish,
  currency,
  quantity,
  onAdd,
  onChange,
}: {
  dish: Dish;
  currency: string;
  quantity: number;
  onAdd: () => void;
  onChange: (quantity: number) => void;
}) {
  const row = useRef<HTMLLIElement>(null);
  const acted = useRef(false);
  const has = quantity > 0;
  // The button that was pressed gives way to another one: the focus goes on to that.
  useEffect(() => {
    if (acted.current) row.current?.querySelector<HTMLElement>("button:last-of-type")?.focus();
    acted.current = false;
  }, [has]);
  const acting = (act: () => void) => {
    acted.current = true;
    act();
  };
  return (
    <li className={css.dish} ref={row}>
      <div>
        <h3>{dish.name}</h3>
        {dish.description && <p className={css.soft}>{dish.description}</p>}
        <p className={css.tags}>
          <span className={css.price}>{money({ amount: dish.price, currency })}</span>
          {dish.vegan ? <span className={css.tag}>vegan</span> : dish.vegetarian && <span className={css.tag}>vegetarian</span>}
          {(dish.allergens?.length ?? 0) > 0 && <span>contains {dish.allergens?.join(", ")}</span>}
        </p>
      </div>
      {has ? (
        <Quantity of={dish.name} value={quantity} onChange={(next) => (next > 0 ? onChange(next) : acting(() => onChange(0)))} />
      ) : (
        <Button onPress={() => acting(onAdd)} aria-label={`Add ${dish.name}`}>
          Add
        </Button>
      )}
    </li>
  );
}
