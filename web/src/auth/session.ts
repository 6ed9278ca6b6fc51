/**
 * Who is signed in: by the user pool's own pages, with authorization code and PKCE. The APIs take the ID token.
 *
 * Tokens are in memory alone: no script that comes later, no other tab and no backup of the browser's storage finds them.
 * So a reload signs in anew. What has to survive the way to the pages and back, the verifier, the state, the nonce and where
 * one was, lies in `sessionStorage`, of this tab, and is worth nothing afterwards.
 */
import { useSyncExternalStore } from "react";
import { Problem } from "../api/problems";
import type { Config } from "../config";
import { challenge, secret } from "./pkce";

export type Role = "customer" | "restaurant" | "courier" | "support";

export interface Session {
  role: Role;
  /** What the APIs call the person: the token's `sub`. */
  subject: string;
  /** For whom an account of the role `restaurant` answers. */
  restaurantId: string | null;
}

export type State =
  /** `why`: the person did not leave by themselves. */
  | { is: "out"; why?: string }
  | { is: "in"; session: Session }
  /** The tokens ran out, and there is no refreshing them. Who it was is known, so the page can stay as it is. */
  | { is: "expired"; session: Session };

interface Tokens {
  id: string;
  refresh: string | null;
  /** Epoch milliseconds. */
  until: number;
}

interface Attempt {
  state: string;
  verifier: string;
  /** What the ID token has to repeat: OpenID Connect Core 1.0, section 3.1.3.7. */
  nonce: string;
  /** Path and query of the page that one was at. */
  from: string;
}

export class SignInFailed extends Error {}

const NOT_BEGUN_HERE = "This is of no attempt to sign in that was begun in this tab.";
const ATTEMPT = "tiffin.sign-in";
const SPARE = 60_000; // a token that is as good as spent is refreshed first
const ROLES: readonly string[] = ["customer", "restaurant", "courier", "support"];

let config: Config;
let tokens: Tokens | null = null;
let state: State = { is: "out" };
let refreshing: Promise<boolean> | null = null;
const listeners = new Set<() => void>();
/** To the browser's other tabs, which have tokens of their own: the `sub` of whoever signed out. */
const tabs = new BroadcastChannel("tiffin.signed-out");
tabs.onmessage = ({ data }) => {
  if (state.is !== "out" && state.session.subject === data) signOut("You signed out in another tab.");
};

function become(next: State) {
  state = next;
  listeners.forEach((listener) => listener());
}

/** Say where people sign in. Before anything else here. */
export function signInAt(where: Config) {
  config = where;
}

export const current = () => state;

/** Who somebody is to the APIs: what was told or answered to one is nothing for another, be it the same person in another role. */
export const identity = (of: State): string => (of.is === "out" ? "" : JSON.stringify(of.session));

export function onChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useSession = () => useSyncExternalStore(onChange, current);

const callback = () => `${location.origin}/signed-in`;

/** Leave for the pool's pages, and come back to where one is. */
export async function signIn(from = location.pathname + location.search) {
  const attempt: Attempt = { state: secret(24), verifier: secret(48), nonce: secret(24), from };
  sessionStorage.setItem(ATTEMPT, JSON.stringify(attempt));
  const asked = new URLSearchParams({
    response_type: "code",
    client_id: config.clientId,
    redirect_uri: callback(),
    scope: "openid",
    state: attempt.state,
    nonce: attempt.nonce,
    code_challenge: await challenge(attempt.verifier),
    code_challenge_method: "S256",
  });
  location.assign(`${config.signInUrl}/oauth2/authorize?${asked}`);
}

/**
 * Take up what the pool's pages brought back.
 *
 * @returns the page to go on at.
 * @throws SignInFailed: it, or the token, is of no attempt of this tab's; or it is no code; or the code was not taken.
 */
export async function takeUp(query: URLSearchParams): Promise<string> {
  const stored = sessionStorage.getItem(ATTEMPT);
  sessionStorage.removeItem(ATTEMPT);
  const attempt = stored ? (JSON.parse(stored) as Attempt) : null;
  const code = query.get("code");
  if (!attempt || query.get("state") !== attempt.state) {
    throw new SignInFailed(NOT_BEGUN_HERE);
  }
  if (!code) throw new SignInFailed(query.get("error_description") ?? query.get("error") ?? "No code came back.");
  const given = await ask({ grant_type: "authorization_code", code, redirect_uri: callback(), code_verifier: attempt.verifier }, attempt.nonce);
  if (!given) throw new SignInFailed("The code was not taken. It is good once, and for a few minutes.");
  return attempt.from;
}

/**
 * Forget who it is; and have the pool take no refresh token of theirs any more. What of it fails is let go: it runs out within a day.
 *
 * @param why it is done, here alone, for somebody who did not ask for it here. Whoever asks is signed out in all their tabs.
 */
export function signOut(why?: string) {
  if (!why && state.is !== "out") tabs.postMessage(state.session.subject);
  if (tokens?.refresh) {
    fetch(`${config.signInUrl}/oauth2/revoke`, {
      method: "POST",
      body: new URLSearchParams({ client_id: config.clientId, token: tokens.refresh }),
      keepalive: true, // the page is left right afterwards
      mode: "no-cors", // nobody reads the answer
    }).catch(() => {});
  }
  tokens = null;
  become({ is: "out", why });
}

/**
 * An ID token that is good for a while yet, or null: nobody is signed in, or not any more.
 *
 * @throws what `refresh` throws, once the token has really run out.
 */
export async function idToken(): Promise<string | null> {
  if (tokens && tokens.until - Date.now() < SPARE) {
    await refresh().catch((error: unknown) => {
      if (!tokens || tokens.until <= Date.now()) throw error;
    });
  }
  return tokens?.id ?? null;
}

/**
 * Get new tokens; once, however many ask at the same time. False: one has to sign in again.
 *
 * @throws Problem, or what `fetch` throws: it cannot be asked for just now, and may be later.
 */
export function refresh(): Promise<boolean> {
  refreshing ??= renew().finally(() => (refreshing = null));
  return refreshing;
}

async function renew(): Promise<boolean> {
  const before = tokens;
  try {
    if (before?.refresh && (await ask({ grant_type: "refresh_token", refresh_token: before.refresh }))) return true;
  } catch (error) {
    if (!(error instanceof SignInFailed)) throw error;
    signOut(error.message);
  }
  if (tokens === before) {
    tokens = null;
    if (state.is === "in") become({ is: "expired", session: state.session });
  }
  return false;
}

/** Have the pool's pages forget the person, too: else whoever signs in next in this browser is asked for no password. */
export function signOutThere() {
  location.assign(`${config.signInUrl}/logout?${new URLSearchParams({ client_id: config.clientId, logout_uri: callback() })}`);
}

/**
 * Ask the token endpoint. False: it refuses, as it does with 400 or 401 (RFC 6749, section 5.2). That it is busy or down, or
 * does not answer at all, says nothing of what was shown to it: that is thrown, and changes nothing.
 *
 * @param nonce of an attempt to sign in; a refreshed token need not have it.
 */
async function ask(grant: Record<string, string>, nonce?: string): Promise<boolean> {
  const before = tokens;
  const answer = await fetch(`${config.signInUrl}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({ client_id: config.clientId, ...grant }),
  });
  if (answer.status === 400 || answer.status === 401) return false;
  if (!answer.ok) throw new Problem("sign-in-unavailable", "No answer", "The sign-in cannot be reached just now.", answer.status);
  const given = (await answer.json()) as { id_token: string; refresh_token?: string; expires_in: number };
  if (tokens !== before) return tokens !== null; // somebody signed out meanwhile
  const claims = claimsOf(given.id_token);
  if (nonce !== undefined && claims.nonce !== nonce) throw new SignInFailed(NOT_BEGUN_HERE);
  const session = sessionOf(claims);
  tokens = {
    id: given.id_token,
    // A refresh brings no new refresh token (Amazon Cognito developer guide, "Token endpoint").
    refresh: given.refresh_token ?? before?.refresh ?? null,
    until: Date.now() + given.expires_in * 1000,
  };
  become({ is: "in", session });
  return true;
}

/** What a token says. It is not verified: the APIs do that, and what a page shows gives nobody a right. */
function claimsOf(token: string): Record<string, unknown> {
  const payload = token.split(".")[1] ?? "";
  const octets = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(octets)) as Record<string, unknown>;
}

/** Whom a token is of. */
function sessionOf(claims: Record<string, unknown>): Session {
  const groups = ([] as unknown[]).concat(claims["cognito:groups"] ?? []).map(String);
  const roles = groups.filter((group) => ROLES.includes(group));
  if (roles.length !== 1) throw new SignInFailed("This account has no role here, or more than one. An administrator can change that.");
  return { role: roles[0] as Role, subject: String(claims.sub), restaurantId: (claims["custom:restaurant_id"] as string) ?? null };
}
