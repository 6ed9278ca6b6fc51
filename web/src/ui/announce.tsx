/** Says what changed to whoever does not see it change: one live region for all pages. */
import { useEffect, useRef, useSyncExternalStore } from "react";

let said = "";
const listeners = new Set<() => void>();

export function announce(text: string) {
  // The same once more would be no change, and not be said: it differs by a space that nobody hears.
  said = text === said ? `${text}\u00a0` : text;
  listeners.forEach((listener) => listener());
}

export function Announcer() {
  const text = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => said,
  );
  return (
    <p className="visually-hidden" role="status" aria-live="polite">
      {text}
    </p>
  );
}

/** Announce a text whenever it becomes another; not the one that a page begins with. */
export function useAnnounced(text: string | null) {
  const before = useRef(text);
  useEffect(() => {
    if (before.current !== null && text !== null && before.current !== text) announce(text);
    before.current = text;
  }, [text]);
}
