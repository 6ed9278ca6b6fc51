/** Why an order ended, as it is said to its customer; codes are for programs, and for support. */
import type { Order } from "../api/clients";

type Ended = Pick<Order, "reason">;

/** What the API's sentence would say of the customer as of somebody else, or only to those who know the workflow. */
const SAID: Record<string, string> = {
  cancelled_by_customer: "You cancelled the order.",
  workflow_failed: "Something failed on our side, and the order could not be completed.",
};

const NETWORKS: Record<string, string> = {
  visa: "Visa",
  mastercard: "Mastercard",
  amex: "American Express",
  discover: "Discover",
  diners: "Diners Club",
  jcb: "JCB",
  unionpay: "UnionPay",
};

/** One sentence, or null: no reason is known. */
export const why = ({ reason }: Ended): string | null => (reason ? (SAID[reason.code] ?? reason.message) : null);

/** Which card network declined: why is said by the bank's sentence. Nothing, if it is not known. */
export const declined = ({ reason }: Ended): string => (reason?.network ? `${NETWORKS[reason.network] ?? reason.network} declined it.` : "");
