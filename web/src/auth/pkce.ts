/** What makes a code worthless to whoever sees it on its way: RFC 7636. */

const base64url = (octets: Uint8Array) =>
  btoa(String.fromCharCode(...octets))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

/** A secret of so many random bytes. */
export const secret = (bytes: number) => base64url(crypto.getRandomValues(new Uint8Array(bytes)));

/** The challenge of a verifier, by S256. */
export async function challenge(verifier: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}
