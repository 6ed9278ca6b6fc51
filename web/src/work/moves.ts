/** Moves of those who work on orders. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { apis, type RejectReason } from "../api/clients";
import { answered } from "../api/problems";
import { shortId } from "../ui/words";

export type Move = "accept" | "dispatch" | "deliver";

const SAID: Record<Move | "reject", string> = {
  accept: "is accepted: see “In the kitchen”.",
  reject: "is rejected.",
  dispatch: "is on the road: see that tab.",
  deliver: "is delivered.",
};

/**
 * Make a move; what it was for is read again, whether it was possible or not.
 *
 * @param say is told what was done, to show it: the order itself goes from where the eye is.
 */
export function useMove(orderId: string, say: (said: string) => void) {
  const queries = useQueryClient();
  return useMutation({
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
    onSuccess: (made) => say(`Order ${shortId(orderId)} ${SAID[made]}`),
    onSettled: async () => {
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["order", orderId] }),
        queries.invalidateQueries({ queryKey: ["orders"] }),
      ]);
    },
  });
}
