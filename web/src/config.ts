import { useSyncExternalStore } from "react";

/** What differs from one deployment to the next: `config.json`, beside `index.html`. The bundle is the same everywhere. */
export interface Config {
  /** Base URL of the user pool's pages. */
  signInUrl: string;
  /** Of the app client by which browsers sign in. */
  clientId: string;
  /** Base URLs of the APIs; one that a deployment has not is left out. `socket` is for the page's policy: a ticket says where it is. */
  apis: { orders: string; promotions: string; support?: string; live?: string; socket?: string };
}

/** Read it. Throws if it is not there, or not what it should be. */
export async function readConfig(): Promise<Config> {
  const answer = await fetch("/config.json", { cache: "no-cache" });
  if (!answer.ok) throw new Error(`config.json: ${answer.status}`);
  const config = (await answer.json()) as Partial<Config>;
  if (!config.signInUrl || !config.clientId || !config.apis?.orders || !config.apis.promotions) {
    throw new Error("config.json names no APIs, or no way to sign in.");
  }
  return config as Config;
}

/** Milliseconds for which it is not read again. */
const PAUSE = 15_000;
let known: Config | null = null;
let lookedAt = 0;
let moved = false;
const listeners = new Set<() => void>();

/** @param config what this page works with from now on. */
export function worksWith(config: Config) {
  [known, lookedAt, moved] = [config, 0, false];
}

/** Look whether the deployment still is where this page has it: an API that is deployed anew may have another address. For whoever got no answer. */
export async function lookWhetherMoved() {
  if (!known || moved || Date.now() - lookedAt < PAUSE) return;
  lookedAt = Date.now();
  const now = await readConfig().catch(() => null);
  if (!now || JSON.stringify(now) === JSON.stringify(known)) return;
  moved = true;
  for (const listener of listeners) listener();
}

/** Whether it is known to be elsewhere by now. */
export function useMoved(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => moved,
  );
}
