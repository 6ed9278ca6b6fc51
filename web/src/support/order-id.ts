import rules from "../../generated/rules.json";

const ORDER = new RegExp(rules.order_id);

/** An order's id, as somebody has it: with blanks around it, in capitals, or at the end of its page's address; null if it is none. */
export function orderIdIn(text: string): string | null {
  const id = text.trim().toLowerCase().replace(/[?#].*/, "").split("/").findLast(Boolean) ?? "";
  return ORDER.test(id) ? id : null;
}
