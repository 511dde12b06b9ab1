/** What proves who the user is. It is never part of an address, because proxies log addresses. */
export interface Credentials {
  /** Proves that this is the guest of an earlier connection; null for a new guest. */
  secret?: () => string | null;
  /** From the server or another issuer. A function is asked at each attempt, and before the token expires. */
  token?: string | (() => string | null | Promise<string | null>);
}

/** The characters of a subprotocol (RFC 9110, section 5.6.2). */
const HEADER_TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export interface Presented {
  /** A page cannot set headers of a WebSocket. */
  subprotocols: string[];
  /** For other requests. */
  headers: Record<string, string>;
}

/** The token of now. A promise only if the function makes one, or throws. */
export function askToken({ token }: Credentials): string | null | Promise<string | null> {
  if (typeof token !== 'function') return checked(token ?? null);
  try {
    const given = token();
    return given instanceof Promise ? given.then(checked) : checked(given);
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error('The function threw no error.'));
  }
}

/** A browser's own error would show the token. */
function checked(token: string | null): string | null {
  if (token === null || HEADER_TOKEN.test(token)) return token;
  throw new Error('This token cannot be sent: it has characters that no token has.');
}

/** Asks for the secret, which may have changed. */
export function present({ secret }: Credentials, token: string | null): Presented {
  const presented: Presented = { subprotocols: [], headers: {} };
  const proof = secret?.() ?? null;
  if (proof !== null) {
    presented.subprotocols.push(`secret.${encoded(proof)}`);
    presented.headers['Hubbub-Secret'] = encoded(proof);
  }
  if (token !== null) {
    presented.subprotocols.push(`bearer.${token}`);
    presented.headers['Authorization'] = `Bearer ${token}`;
  }
  return presented;
}

/** base64url without padding: a secret may hold characters that subprotocols and headers may not. */
function encoded(secret: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(secret));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
