/** What the server says about itself to everybody. The page asks later than it shows the first messages. */

export interface ServerNames {
  name?: string;
  /** Only accounts have colours. */
  accounts?: boolean;
  /** Keys of the rooms that the page opens for who comes the first time. */
  default_rooms?: readonly string[];
}

let known = $state.raw<ServerNames>({});

export const server = {
  /** That of the program until the server has said its own. */
  get name(): string {
    return known.name ?? 'Hubbub';
  },
  get firstRooms(): readonly string[] {
    const rooms = known.default_rooms ?? [];
    return rooms.length > 0 ? rooms : ['general'];
  },
  get hasAccounts(): boolean {
    return known.accounts === true;
  },
  learn(names: ServerNames): void {
    known = names;
  },
};
