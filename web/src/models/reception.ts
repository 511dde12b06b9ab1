/** How the server receives a visitor who has not given a name yet. */
import { Connection, type ConnectionOptions, type Failure } from 'hubbub-client';

/** Somebody who has logged in, here or to the host app. The key stays when the name is changed. */
export interface Account {
  key: string;
  name: string;
}

export interface Reception {
  account: Account | null;
  /** Why nobody is admitted in this way. */
  refusal: Failure | null;
}

export type Door = Pick<ConnectionOptions, 'network' | 'clock'> & { address: URL };

/** Connects without a name to learn who the user is, and closes. */
export function knock({ address, network, clock }: Door): Promise<Reception> {
  return new Promise((resolve) => {
    const connection = new Connection({
      address: () => address.href,
      network,
      clock,
      onState: (state) => {
        if (state.name === 'refused') resolve({ account: null, refusal: state.failure });
        // The server does not answer: let the guest choose a name in the meantime.
        if (state.name === 'waiting') connection.close();
        if (state.name === 'closed') resolve({ account: null, refusal: null });
      },
      onEvent: (event) => {
        if (event.type !== 'welcome') return;
        const account = event.guest === true ? null : { key: event.user, name: event.name };
        resolve({ account, refusal: null });
        connection.close();
      },
    });
    connection.open();
  });
}
