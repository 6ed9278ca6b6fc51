import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { apis, type Basket, type PlaceOrder, type PromoCode, type Quote } from "../api/clients";
import { answered, Problem } from "../api/problems";
import { myCodes, quote } from "../api/queries";
import { signIn, useSession } from "../auth/session";
import { Button, Card, Choice, Empty, Field, LinkButton, Loading, Note, Page, ProblemNote } from "../ui/kit";
import { useOnline } from "../ui/online";
import { money } from "../ui/words";
import { anew, basket, type BasketLine, type BasketState, change, lastPlaced, own, placed } from "./basket";
import { CARDS } from "./cards";
import { offText } from "./codes-page";
import css from "./customer.module.css";
import { Quantity } from "./quantity";

export function BasketPage() {
  const state = basket.use();
  const last = lastPlaced.use();
  const session = useSession();
  const subject = session.is === "out" ? null : session.session.subject;
  const orders = session.is !== "out" && session.session.role === "customer";
  // First it is theirs: what another left in it is neither shown nor priced.
  useEffect(() => {
    if (orders && subject) own(subject);
  }, [orders, subject, state?.owner]);
  if (!state) {
    return (
      <Page title="Basket">
        <Empty title="There is nothing in it">
          <LinkButton to="/" look="primary">
            To the restaurants
          </LinkButton>
          {last && last.owner === subject && <LinkButton to={`/orders/${last.orderId}`}>Your last order</LinkButton>}
        </Empty>
      </Page>
    );
  }
  return (
    <Page title="Basket" lead={`From ${state.restaurantName}`}>
      {!subject ? <Preview state={state} /> : !orders ? <NotYours /> : state.owner === subject && <Checkout state={state} />}
    </Page>
  );
}

function NotYours() {
  return <Note title="Customers order">You are signed in as somebody else. The basket stays here for a customer of this browser.</Note>;
}

/** @param quoted what the server says that each costs: a basket may be older than the menu. */
function Dishes({ state, quoted }: { state: BasketState; quoted?: Quote["lines"] }) {
  const list = useRef<HTMLUListElement>(null);
  const lines = useRef(state.lines.length);
  // A line that is gone had the focus: the list has it then.
  useEffect(() => {
    if (state.lines.length < lines.current) list.current?.focus();
    lines.current = state.lines.length;
  }, [state.lines.length]);
  const price = ({ dishId, price, quantity }: BasketLine) =>
    quantity * (quoted?.find(({ dish_id }) => dish_id === dishId)?.unit_price.amount ?? price);
  return (
    <ul className={css.lines} ref={list} tabIndex={-1} aria-label="Dishes in the basket">
      {state.lines.map((line) => (
        <li key={line.dishId} className={css.line}>
          <span>{line.name}</span>
          <Quantity
            of={line.name}
            value={line.quantity}
            onChange={(quantity) =>
              change({
                lines: state.lines
                  .map((each) => (each.dishId === line.dishId ? { ...each, quantity } : each))
                  .filter((each) => each.quantity > 0),
              })
            }
          />
          <span className={css.price}>{money({ amount: price(line), currency: state.currency })}</span>
        </li>
      ))}
    </ul>
  );
}

function Preview({ state }: { state: BasketState }) {
  return (
    <Card label="Dishes">
      <div className={css.block}>
        <Dishes state={state} />
        <p className={css.soft}>Delivery and promo codes come on top once it is known who orders.</p>
        <Button look="primary" onPress={() => void signIn()}>
          Sign in to order
        </Button>
      </div>
    </Card>
  );
}

/** What is asked to be priced: the part of the basket that decides a price. */
export const priced = (state: BasketState): Basket => ({
  restaurant_id: state.restaurantId,
  lines: state.lines.map(({ dishId, quantity }) => ({ dish_id: dishId, quantity })),
  promo_code: state.promoCode || null,
  menu_version: state.menuVersion,
});

function Checkout({ state }: { state: BasketState }) {
  const price = useQuery({ ...quote(priced(state)), placeholderData: (before: Quote | undefined) => before });
  const isPriced = price.isSuccess && !price.isPlaceholderData;
  const navigate = useNavigate();
  const queries = useQueryClient();
  const seen = isPriced ? price.data.menu_version : null;
  // A basket that was made of an order knows no menu yet: it is ordered by the one whose prices are shown.
  useEffect(() => {
    if (state.menuVersion || !seen) return;
    queries.setQueryData(quote({ ...priced(state), menu_version: seen }).queryKey, price.data);
    change({ menuVersion: seen });
  }, [queries, state, seen, price.data]);
  const form = useRef<HTMLFormElement>(null);
  // The way to another page is a transition: this one is still shown when it has begun.
  const left = useRef<() => void>(undefined);
  useEffect(() => () => left.current?.(), []);
  const [looked, setLooked] = useState(false);
  const place = useMutation({
    mutationFn: (now: BasketState) => {
      const body: PlaceOrder = {
        ...priced(now),
        payment_method: now.paymentMethod,
        delivery: { name: now.name, address: now.address },
        note: now.note,
      };
      return answered(apis.orders.POST("/orders", { body, params: { header: { "idempotency-key": now.key } } }));
    },
    onSuccess: async (order, now) => {
      // The basket goes last: until then this page is of it.
      queries.setQueryData(["order", order.order_id], order);
      void queries.invalidateQueries({ queryKey: ["orders", "mine"] });
      await navigate(`/orders/${order.order_id}`);
      if (form.current) await new Promise<void>((resolve) => (left.current = resolve));
      placed(now.key, order);
    },
  });
  const code = useCode(state);
  const isOrdering = place.isPending || code.attempt.isPending;
  const missing = { name: state.name.trim() ? null : "Enter a name: who shall get it?", address: state.address.trim() ? null : "Enter an address." };
  const focus = (field: string) => form.current?.querySelector<HTMLElement>(field)?.focus();
  useEffect(() => {
    if (code.attempt.error) focus("[name=promo-code]");
  }, [code.attempt.error]);
  const order = () => {
    setLooked(true);
    // Once they are marked: to the first that is missing.
    if (missing.name || missing.address) requestAnimationFrame(() => focus("[aria-invalid=true]"));
    // A code that stands in its field is meant: it counts, or nothing is ordered.
    else if (!state.promoCode && code.typed.trim()) {
      code.attempt.mutate(code.typed, { onSuccess: (promoCode) => place.mutate({ ...state, promoCode }) });
    } else place.mutate(state);
  };
  return (
    <form
      ref={form}
      className={css.split}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (isPriced && !isOrdering) order();
      }}
    >
      <div className={css.stack}>
        <Card label="Dishes">
          <div className={css.block}>
            <Dishes state={state} quoted={price.data?.lines} />
            <LinkButton to={`/restaurants/${state.restaurantId}`}>Add more</LinkButton>
          </div>
        </Card>
        <Card>
          <div className={css.block}>
            <h2>Where to</h2>
            <Field
              label="Name"
              name="name"
              autoComplete="name"
              required
              maxLength={200}
              value={state.name}
              onChange={(name) => change({ name })}
              error={looked ? missing.name : null}
            />
            <Field
              label="Address"
              name="address"
              autoComplete="street-address"
              required
              maxLength={200}
              value={state.address}
              onChange={(address) => change({ address })}
              error={looked ? missing.address : null}
            />
            <Field label="Note for the kitchen (optional)" long maxLength={500} value={state.note} onChange={(note) => change({ note })} />
          </div>
        </Card>
      </div>
      <div className={`${css.stack} ${css.stay}`}>
        <Card label="Price and payment">
          <div className={css.block}>
            <Codes state={state} quoted={price.data} {...code} />
            <Choice
              label="Card"
              value={state.paymentMethod}
              onChange={(paymentMethod) => change({ paymentMethod })}
              hint="Cards of the sandbox: each does what its name says."
            >
              {CARDS.map(({ group, cards }) => (
                <optgroup key={group} label={group}>
                  {cards.map(({ method, name }) => (
                    <option key={method} value={method}>
                      {name}
                    </option>
                  ))}
                </optgroup>
              ))}
            </Choice>
            {price.data ? <Sums quote={price.data} stale={price.isPlaceholderData} /> : !price.error && <Loading what="the price" rows={1} />}
            {price.error && <PriceProblem error={price.error} state={state} retry={() => void price.refetch()} />}
            {place.error && <PlaceProblem error={place.error} state={state} />}
            <Button type="submit" look="primary" wide isPending={isOrdering} isDisabled={!isPriced}>
              {place.isPending ? "Ordering …" : isPriced ? `Order for ${money(price.data.total)}` : "Order"}
            </Button>
            <p className={css.soft}>The money is held now, and taken when the food has arrived.</p>
          </div>
        </Card>
      </div>
    </form>
  );
}

function Sums({ quote: { subtotal, delivery_fee, discount, total, promo_code }, stale }: { quote: Quote; stale: boolean }) {
  return (
    <dl className={css.sums} aria-busy={stale}>
      <div>
        <dt>Dishes</dt>
        <dd>{money(subtotal)}</dd>
      </div>
      <div>
        <dt>Delivery</dt>
        <dd>{money(delivery_fee)}</dd>
      </div>
      {discount.amount > 0 && (
        <div className={css.off}>
          <dt>Promo code {promo_code}</dt>
          <dd>−{money(discount)}</dd>
        </div>
      )}
      <div className={css.total}>
        <dt>Total</dt>
        <dd>{money(total)}</dd>
      </div>
    </dl>
  );
}

/** A code that somebody types. It is tried when they say so, not while they type: wrong ones are counted. */
function useCode(state: BasketState) {
  const [typed, type] = useState("");
  const queries = useQueryClient();
  const attempt = useMutation({
    mutationFn: async (code: string) => {
      const asked = { ...priced(state), promo_code: code.trim().toUpperCase() };
      const answer = await answered(apis.orders.POST("/quotes", { body: asked }));
      queries.setQueryData(quote(asked).queryKey, answer);
      return asked.promo_code;
    },
    onSuccess: (promoCode) => {
      change({ promoCode });
      type("");
    },
  });
  return { typed, type, attempt };
}

function Codes({ state, quoted, typed, type, attempt }: { state: BasketState; quoted?: Quote } & ReturnType<typeof useCode>) {
  const codes = useQuery(myCodes());
  const available = codes.data?.promo_codes.filter(({ status }) => status === "available") ?? [];
  const apply = () => {
    if (typed.trim() && !attempt.isPending) attempt.mutate(typed);
  };
  if (state.promoCode) {
    return (
      <div className={css.codefield}>
        <span>
          <span className={css.soft}>Promo code</span>
          <br />
          <strong>{state.promoCode}</strong>
        </span>
        <Button onPress={() => change({ promoCode: "" })}>Take it off</Button>
      </div>
    );
  }
  return (
    <div className={css.block}>
      <div className={css.codefield}>
        <Field
          label="Promo code"
          name="promo-code"
          maxLength={32}
          autoComplete="off"
          value={typed}
          onChange={(value) => {
            type(value);
            attempt.reset();
          }}
          onEnter={apply}
          error={attempt.error instanceof Problem ? attempt.error.detail : null}
        />
        <Button isDisabled={!typed.trim()} isPending={attempt.isPending} onPress={apply}>
          Apply
        </Button>
      </div>
      {available.length > 0 && (
        <div className={css.codes} role="group" aria-label="Your codes">
          {available.map((code: PromoCode) => {
            const missing = !!quoted && code.minimum_order.amount > quoted.subtotal.amount && code.minimum_order.currency === state.currency;
            return (
              <Button key={code.code} isDisabled={missing} onPress={() => attempt.mutate(code.code)}>
                {code.code} · {offText(code)}
                {missing && `, from ${money(code.minimum_order)} on`}
              </Button>
            );
          })}
        </div>
      )}
    </div>
  );
}

/** A price that there is not, and what would mend it. */
function PriceProblem({ error, state, retry }: { error: Error; state: BasketState; retry?: () => void }) {
  const kind = error instanceof Problem ? error.kind : "";
  const more = error instanceof Problem ? error.more : {};
  return (
    <>
      <ProblemNote error={error} retry={retry} />
      {kind === "menu-changed" && (
        <Button onPress={() => change({ menuVersion: typeof more.menu_version === "string" ? more.menu_version : null })}>
          Price it by the menu of now
        </Button>
      )}
      {kind === "unknown-dish" && (
        <Button onPress={() => change({ lines: state.lines.filter(({ dishId }) => dishId !== more.dish_id) })}>Take that dish out</Button>
      )}
      {kind.includes("promo-code") && <Button onPress={() => change({ promoCode: "" })}>Go on without the code</Button>}
    </>
  );
}

function PlaceProblem({ error, state }: { error: Error; state: BasketState }) {
  const online = useOnline();
  if (!(error instanceof Problem)) return <ProblemNote error={error} />;
  if (error.kind === "not-sent") return online ? null : <Note tone="bad">You are offline: nothing was ordered. Try again once you are back.</Note>;
  if (error.kind === "idempotency-key-reused") {
    return (
      <Note tone="warn" title="This basket was ordered already">
        <p>An order was placed with it before something was changed. It is among your orders.</p>
        <LinkButton to="/orders">To your orders</LinkButton>
        <Button onPress={anew}>Make this another order</Button>
      </Note>
    );
  }
  return (
    <>
      <PriceProblem error={error} state={state} />
      {error.passes && <p className={css.soft}>Trying again is safe: it stays one order.</p>}
    </>
  );
}
