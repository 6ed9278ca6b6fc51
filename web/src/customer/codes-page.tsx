import type { PromoCode } from "../api/clients";
import { myCodes } from "../api/queries";
import { useLive } from "../live/live";
import { Empty, type Onward, Page, Pages, Shown } from "../ui/kit";
import { moment, money } from "../ui/words";
import css from "./customer.module.css";

/** What a code takes off, in a few words. */
export function offText({ discount }: PromoCode): string {
  switch (discount.type) {
    case "fixed":
      return `${money(discount.amount)} off`;
    case "percentage":
      return `${new Intl.NumberFormat(undefined, { style: "percent" }).format(discount.percent / 100)} off`;
    case "free_delivery":
      return "free delivery";
  }
}

const SAID: Record<string, string> = { available: "Yours to spend", redeemed: "Spent", expired: "Expired" };

export function CodesPage() {
  return (
    <Page title="Promo codes" lead="They are earned by ordering, and come a moment after an order was delivered.">
      <Pages onward="More codes">{(token, more) => <CodesOf token={token} more={more} />}</Pages>
    </Page>
  );
}

function CodesOf({ token, more }: { token: string | null; more: Onward }) {
  return (
    <Shown query={useLive(myCodes(token))} what="promo codes">
      {({ promo_codes: codes, next }) => (
        <>
          {codes.length === 0 && !token && <Empty title="No codes yet">The first order that is delivered earns one.</Empty>}
          <ul className={css.grid}>
            {codes.map((code) => (
              <li key={code.code} className={css.ticket} data-is={code.status}>
                <code>{code.code}</code>
                <strong>{offText(code)}</strong>
                <span className={css.soft}>
                  {code.minimum_order.amount > 0 && `From ${money(code.minimum_order)} on. `}
                  {SAID[code.status] ?? code.status}
                  {code.status === "available" && ` until ${moment(code.expires_at)}`}
                </span>
                {code.reason !== code.discount.type && <span className={css.soft}>For: {code.reason.replaceAll("_", " ")}</span>}
              </li>
            ))}
          </ul>
          {more(next)}
        </>
      )}
    </Shown>
  );
}
