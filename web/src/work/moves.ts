/** Moves of those who work on orders, what is said of them, and where the focus goes. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type RefObject, useCallback, useEffect, useState } from "react";
import { apis, type RejectReason } from "../api/clients";
import { answered, Problem } from "../api/problems";
import { isStatus, shortId, STATUS, underWay } from "../ui/words";

export type Move = "accept" | "dispatch" | "deliver";

const SAID: Record<Move | "reject", string> = {
  accept: "is accepted: see “In the kitchen”.",
  reject: "is rejected.",
  dispatch: "is on the road: see that tab.",
  deliver: "is delivered.",
};

/** Of a list of more orders than one works on at a time. */
export const THE_REST = "The oldest are shown. The others come as these go.";

export interface Said {
  text: string;
  bad: boolean;
}
export type Say = (text: string, bad?: boolean) => void;

/** Long enough to be read, and then it is out of the way. */
const READ_WITHIN = 8_000;

/** What was said last of a move. Why one was not made stays until something else is said: its order may be gone from the page. */
export function useSaid(): [Said, Say] {
  const [said, set] = useState<Said>({ text: "", bad: false });
  useEffect(() => {
    if (!said.text || said.bad) return;
    const timer = setTimeout(() => set({ text: "", bad: false }), READ_WITHIN);
    return () => clearTimeout(timer);
  }, [said]);
  return [said, useCallback((text, bad = false) => set({ text, bad }), [])];
}

/**
 * Make a move; what it was for is read again, whether it was possible or not.
 *
 * A move that may do in a moment is for who pressed to repeat: `passing` says why it failed, beside the button. Of any
 * other the order may be gone from the lists before that can be read, as one is that somebody else was faster with.
 *
 * @param say is told what was done, or why it was not.
 */
export function useMove(orderId: string, say: Say) {
  const queries = useQueryClient();
  const move = useMutation({
    mutationFn: async (move: Move | { reject: RejectReason }): Promise<keyof typeof SAID> => {
      const params = { path: { order_id: orderId } };
      if (typeof move === "object") {
        await answered(apis.orders.POST("/orders/{order_id}/reject", { params, body: { reason: move.reject } }));
        return "reject";
      }
      const { POST } = apis.orders;
      if (move === "accept") await answered(POST("/orders/{order_id}/accept", { params }));
      else if (move === "dispatch") await answered(POST("/orders/{order_id}/dispatch", { params }));
      else await answered(POST("/orders/{order_id}/deliver", { params }));
      return move;
    },
    onMutate: () => say(""),
    onSuccess: (made) => say(`Order ${shortId(orderId)} ${SAID[made]}`),
    onError: (error) => {
      if (!passes(error)) say(`Order ${shortId(orderId)}: nothing was done. ${why(error)}`, true);
    },
    onSettled: async () => {
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["order", orderId] }),
        queries.invalidateQueries({ queryKey: ["orders"] }),
      ]);
    },
  });
  return { ...move, passing: move.error && passes(move.error) ? move.error : null };
}

/** Whether the same move may do in a moment. */
export const passes = (error: Error) => error instanceof Problem && error.passes;

/** Why a move was not made, to whoever was not first. */
function why(error: Error): string {
  if (!(error instanceof Problem)) return error.message;
  if (error.kind === "unknown-order") return "Somebody else has it, or it is over.";
  const { taken, order_status: status } = error.more;
  if (error.kind !== "illegal-move" || !isStatus(status)) return error.detail;
  if (taken === "deadline") return "Its three hours are over.";
  return typeof taken === "string" ? `It ${underWay(taken)} already.` : `By now it is: ${STATUS[status]}.`;
}

/**
 * For what is taken from the page while it has the focus, as a button is once it was pressed: the focus goes on to what
 * stays, instead of to the top of the page.
 *
 * @param on what stays, such as the heading above.
 * @returns a `ref` for what may go.
 */
export function useFocusGoesOn(on: RefObject<HTMLElement | null>) {
  return useCallback(
    (leaving: HTMLElement | null) => () => {
      if (leaving?.contains(document.activeElement)) on.current?.focus({ preventScroll: true });
    },
    [on],
  );
}
