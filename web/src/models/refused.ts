import type { Failure } from 'hubbub-client';

/** The server said no to a request, or nothing: then the code is `closed`. */
export class Refused extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}
