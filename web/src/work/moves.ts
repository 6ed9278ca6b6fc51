/** Moves of those who work on orders. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { apis, type RejectReason } from "../api/clients";
import { answered } from "../api/problems";
import { announce } from "../ui/announce";

export type Move = "accept" | "dispatch" | "deliver";

const SAID: Record<Move | "reject", string> = {
  accept: "Accepted.",
  reject: "Rejected.",
  dispatch: "You are on the road with it.",
  deliver: "Delivered.",
};

/** Make a move; what it was for is read again, whether it was possible or not. */
export function useMove(orderId: string) {
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
    onSuccess: (made) => announce(SAID[made]),
    onSettled: async () => {
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["order", orderId] }),
        queries.invalidateQueries({ queryKey: ["orders"] }),
      ]);
    },
  });
}
