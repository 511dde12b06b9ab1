/** What proves who the user is. It is never part of an address, because proxies log addresses. */
export interface Credentials {
  /** Proves that this is the guest of an earlier connection; null for a new guest. */
  secret?: () => string | null;
  /** For the login of the application in which the server is mounted. */
  token?: () => string | null;
}

export interface Presented {
  /** A page cannot set headers of a WebSocket. */
  subprotocols: string[];
  /** For other requests. */
  headers: Record<string, string>;
}

/** Asks for the credentials, which may have changed. */
export function present({ secret, token }: Credentials): Presented {
  const presented: Presented = { subprotocols: [], headers: {} };
  const proof = secret?.() ?? null;
  if (proof !== null) {
    presented.subprotocols.push(`secret.${encoded(proof)}`);
    presented.headers['Hubbub-Secret'] = encoded(proof);
  }
  const bearer = token?.() ?? null;
  if (bearer !== null) {
    presented.subprotocols.push(`bearer.${bearer}`);
    presented.headers['Authorization'] = `Bearer ${bearer}`;
  }
  return presented;
}

/** base64url without padding: a secret may hold characters that subprotocols and headers may not. */
function encoded(secret: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(secret));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
