/** Moves of those who work on orders, and what is said of them. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { apis, type RejectReason } from "../api/clients";
import { answered, passes } from "../api/problems";
import { shortId, whyNot } from "../ui/words";

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
  /** The order of which it says where on the page it is. */
  finds?: string;
}
export type Say = (text: string, more?: Partial<Said>) => void;
const NOTHING: Said = { text: "", bad: false };

/** Long enough to be read, and then it is out of the way. */
const READ_WITHIN = 8_000;

/**
 * What was said last of a move. Why one was not made stays until something else is said: its order may be gone from the page.
 *
 * @param there whether an order still is where that says; else it is not said any more.
 */
export function useSaid(there: (orderId: string) => boolean = () => true): [Said, Say] {
  const [said, set] = useState(NOTHING);
  useEffect(() => {
    if (!said.text || said.bad) return;
    const timer = setTimeout(() => set(NOTHING), READ_WITHIN);
    return () => clearTimeout(timer);
  }, [said]);
  const say = useCallback<Say>((text, more) => set({ ...NOTHING, text, ...more }), []);
  return [said.finds && !there(said.finds) ? NOTHING : said, say];
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
    onSuccess: (made) => say(`Order ${shortId(orderId)} ${SAID[made]}`, { finds: made === "accept" ? orderId : undefined }),
    onError: (error) => {
      if (!passes(error)) say(`Order ${shortId(orderId)}: nothing was done. ${whyNot(error)}`, { bad: true });
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
