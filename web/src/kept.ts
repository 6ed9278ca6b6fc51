/** A value that outlives the page, in the browser's storage, and that all tabs see alike. */
import { useSyncExternalStore } from "react";

export interface Kept<T> {
  get(): T;
  set(value: T): void;
  use(): T;
}

/**
 * @param key where it lies in `localStorage`.
 * @param read makes a value of what is there, which anybody may have written; of nothing at first.
 */
export function kept<T>(key: string, read: (stored: unknown) => T): Kept<T> {
  const listeners = new Set<() => void>();
  let text: string | null | undefined;
  let value: T;

  const look = () => {
    let now: string | null = null;
    try {
      now = localStorage.getItem(key);
    } catch {
      now = text ?? null; // nothing can be kept here: it lasts as long as the page
    }
    if (now !== text) {
      text = now;
      value = read(parsed(now));
    }
    return value;
  };
  const subscribe = (listener: () => void) => {
    const elsewhere = (event: StorageEvent) => {
      if (event.key === key || event.key === null) listener();
    };
    listeners.add(listener);
    addEventListener("storage", elsewhere);
    return () => {
      listeners.delete(listener);
      removeEventListener("storage", elsewhere);
    };
  };
  return {
    get: look,
    set(next) {
      const written = JSON.stringify(next);
      try {
        localStorage.setItem(key, written);
      } catch {
        text = written;
        value = next;
      }
      listeners.forEach((listener) => listener());
    },
    use: () => useSyncExternalStore(subscribe, look),
  };
}

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
