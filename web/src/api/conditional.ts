/**
 * Requests that cost nothing where nothing changed: what was answered with an `ETag` is asked for with `If-None-Match`.
 *
 * A browser's cache would do that, but what is behind the sign-in is `no-store`, so that no disk keeps it. Here it is
 * kept in memory, and forgotten when somebody else signs in.
 */
interface Remembered {
  tag: string;
  body: string;
  headers: [string, string][];
}

const MOST = 200;
const remembered = new Map<string, Remembered>();

export const forgetAnswers = () => remembered.clear();

export async function conditionalFetch(request: Request): Promise<Response> {
  if (request.method !== "GET") return fetch(request);
  const known = remembered.get(request.url);
  if (known) request.headers.set("If-None-Match", known.tag);
  const answer = await fetch(request);
  if (answer.status === 304 && known) return new Response(known.body, { status: 200, headers: known.headers });
  const tag = answer.headers.get("ETag");
  remembered.delete(request.url);
  if (!answer.ok || !tag) return answer;
  const body = await answer.text();
  const headers = [...answer.headers];
  remembered.set(request.url, { tag, body, headers });
  if (remembered.size > MOST) remembered.delete(remembered.keys().next().value as string);
  return new Response(body, { status: answer.status, headers });
}
