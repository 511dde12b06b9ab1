/** Messages of a room that somebody has reported, the latest first. It knows no connection: `request` is an argument. */
export interface Report {
  id: string | number;
  at: string;
  room: string;
  seq: number;
  author: string;
  text: string;
  by: string;
  reason: string;
  state: 'open' | 'closed';
}

interface Page {
  reports: Report[];
  next?: string | number;
}

export type State = Report['state'];

/** Rejects with CommandRefused or ConnectionLost. */
export type Request = <Answer>(method: string, path: string, body?: object) => Promise<Answer>;

export class Reports {
  readonly #room: string;
  readonly #request: Request;
  #state: State = 'open';
  #list = $state.raw<readonly Report[]>([]);
  #next = $state<string | number | undefined>();

  constructor(room: string, request: Request) {
    this.#room = room;
    this.#request = request;
  }

  get list(): readonly Report[] {
    return this.#list;
  }

  get hasMore(): boolean {
    return this.#next !== undefined;
  }

  async read(state: State): Promise<void> {
    this.#state = state;
    this.#list = [];
    this.#next = undefined;
    await this.more();
  }

  async more(): Promise<void> {
    const state = this.#state;
    const query = new URLSearchParams({ room: this.#room, state });
    if (this.#next !== undefined) query.set('before', String(this.#next));
    const { reports, next } = await this.#request<Page>('GET', `reports?${query.toString()}`);
    // The user looks at the others meanwhile.
    if (state !== this.#state) return;
    this.#list = [...this.#list, ...reports];
    this.#next = next;
  }

  async close({ id }: Report): Promise<void> {
    await this.#request('PATCH', `reports/${id}`, { state: 'closed' });
    this.#list = this.#list.filter((other) => other.id !== id);
  }
}
