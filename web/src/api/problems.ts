import { lookWhetherMoved } from "../config";

/** Why a request was refused (RFC 9457), or got no answer at all. */
export class Problem extends Error {
  constructor(
    /** The last part of the problem's type; `offline`: no answer; or `not-sent`: there was no network to send it by. */
    readonly kind: string,
    readonly title: string,
    readonly detail: string,
    readonly status = 0,
    /** All that the document says. */
    readonly more: Readonly<Record<string, unknown>> = {},
    /** Seconds after which it may be tried again. */
    readonly retryAfter: number | null = null,
  ) {
    super(`${title}: ${detail}`);
  }

  /** Whether the same request may do, later. */
  get passes(): boolean {
    return this.kind === "offline" || this.kind === "not-sent" || this.status === 429 || this.status >= 500;
  }
}

/** That a sign-in has run out, for whoever reads a page: the APIs say it to whoever writes a client. */
export const signInNeeded = () =>
  new Problem("sign-in-needed", "Sign in again", "Your sign-in has run out, so this was not done. The page and the basket stay as they are.", 401);

/** What was answered, or a thrown `Problem`. */
export async function answered<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  // A request that is under way when the network goes may have arrived. One that begins without it and fails has not.
  const begun = navigator.onLine;
  let came;
  try {
    came = await asked;
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (!begun && !navigator.onLine) {
      throw new Problem("not-sent", "Not sent", "You are offline: nothing was done. Try again once you are back.");
    }
    if (navigator.onLine) void lookWhetherMoved();
    throw new Problem("offline", "No answer", navigator.onLine ? "The server cannot be reached just now." : "This device is offline.");
  }
  if (came.response.ok) return came.data as T;
  throw problemOf(came.response, came.error);
}

function problemOf(response: Response, error: unknown): Problem {
  const document = typeof error === "object" && error !== null ? (error as Record<string, unknown>) : {};
  const said = (name: string, otherwise: string) => (typeof document[name] === "string" ? (document[name] as string) : otherwise);
  const kind = said("type", "unexpected").split("/").at(-1) ?? "unexpected";
  if (kind === "sign-in-needed") return signInNeeded();
  const retry = Number(response.headers.get("Retry-After"));
  return new Problem(
    kind,
    said("title", response.statusText || "Refused"),
    said("detail", `The server answered ${response.status}.`),
    response.status,
    document,
    retry > 0 ? retry : null,
  );
}

/** Whether the same may do in a moment. */
export const passes = (error: Error) => error instanceof Problem && error.passes;

const WAITS_AT_MOST = 10;

/** Whether what failed is tried again without being told to: what passes, twice, and soon. */
export function tryAgain(failures: number, error: Error): boolean {
  return failures < 2 && (!(error instanceof Problem) || (error.passes && (error.retryAfter ?? 0) <= WAITS_AT_MOST));
}

/** How long to wait before that, in milliseconds: as long as the server says, and up to half as much more by chance. */
export function waitBefore(failures: number, error: Error): number {
  const said = error instanceof Problem ? error.retryAfter : null;
  return (said ?? 2 ** failures) * 1000 * (1 + Math.random() / 2);
}
