/** How the server receives a visitor who has not said a name yet. */
import { Connection, type ConnectionOptions, type Failure } from 'hubbub-client';

export interface Reception {
  /** The name by which the host app's own login knows the visitor. */
  account: string | null;
  /** Why nobody gets in this way. */
  refusal: Failure | null;
}

export type Door = Pick<ConnectionOptions, 'network' | 'clock'> & { address: URL };

/** Connects without a name, looks who one is there, and goes again. */
export function knock({ address, network, clock }: Door): Promise<Reception> {
  return new Promise((resolve) => {
    const connection = new Connection({
      address: () => address.href,
      network,
      clock,
      onState: (state) => {
        if (state.name === 'refused') resolve({ account: null, refusal: state.failure });
        // Nobody is at home: a guest who has chosen a name meanwhile can wait as well as one who hasn't.
        if (state.name === 'waiting') connection.close();
        if (state.name === 'closed') resolve({ account: null, refusal: null });
      },
      onEvent: (event) => {
        if (event.type !== 'welcome') return;
        resolve({ account: event.guest === true ? null : event.name, refusal: null });
        connection.close();
      },
    });
    connection.open();
  });
}
