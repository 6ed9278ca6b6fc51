/** Where the focus goes when what has it goes: on to what stays, instead of to the top of the page. */
import { type RefObject, useCallback, useEffect } from "react";

type Stays = RefObject<HTMLElement | null>;

/**
 * For what is taken from the page while it has the focus, as a button is once it was pressed.
 *
 * @param on what stays, such as the heading above.
 * @returns a `ref` for what may go.
 */
export function useFocusGoesOn(on: Stays) {
  return useCallback(
    (leaving: HTMLElement | null) => () => {
      if (leaving?.contains(document.activeElement)) on.current?.focus({ preventScroll: true });
    },
    [on],
  );
}

/**
 * For a dialog, whose focus comes back to the button that asked for it: that may be gone by then.
 *
 * @param by the button.
 * @param on what has the focus then.
 */
export function useFocusComesBack(by: Element, on: Stays) {
  useEffect(
    () => () => {
      // Until the dialog has let go of the page, nothing of that takes the focus.
      if (!by.isConnected) requestAnimationFrame(() => on.current?.focus({ preventScroll: true }));
    },
    [by, on],
  );
}
