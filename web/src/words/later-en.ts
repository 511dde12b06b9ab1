/** The English words that only the parts in components/later.ts show. They are loaded with these. */
import type { Formats } from './formats';

export function laterEn({ number, list, plural }: Formats) {
  return {
    me: {
      language: (name: string) => `Language: ${name}`,
      languages: 'Language',
      theme: { system: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' },
      state: {
        idle: 'Not connected',
        connecting: 'Connecting',
        live: 'Live',
        waiting: 'Reconnecting',
        offline: 'Offline',
        refused: 'Not connected',
        closed: 'Not connected',
      },
    },
    rooms: {
      favourite: 'Add to favourites',
      notFavourite: 'Remove from favourites',
      leave: 'Leave the room',
      join: 'Join',
      joinOrCreate: 'Join or create a room',
    },
    people: {
      search: 'Search people',
      showAll: 'Show everybody',
      nobody: 'Nobody here has such a name.',
      trouble: 'The people cannot be listed now.',
      here: 'Who is here',
      you: 'you',
      guest: 'guest',
      roles: { owner: 'owner', moderator: 'moderator' },
      muted: 'muted',
      blocked: 'blocked',
    },
    reactions: {
      common: 'Common emoji',
      another: 'Another emoji',
      react: 'React',
      emoji: {
        thumbsUp: 'thumbs up',
        heart: 'heart',
        joy: 'tears of joy',
        party: 'party',
        surprise: 'surprise',
        sad: 'sad',
        thanks: 'thanks',
        eyes: 'eyes',
        done: 'done',
        fire: 'fire',
        thumbsDown: 'thumbs down',
        thinking: 'thinking',
      },
    },
    composer: {
      readOnly: 'You can read here. Writing does not seem to be allowed.',
      editing: 'Editing your message',
      answering: (name: string) => `Reply to ${name}`,
      stopEditing: 'Stop editing',
      doNotReply: 'Do not reply',
      typing: (names: readonly string[]) =>
        names.length > 3
          ? 'Several people are typing'
          : `${list(names)} ${plural(names.length, { one: 'is', other: 'are' })} typing`,
      suggestions: 'Suggestions',
    },
    notices: {
      dismiss: 'Dismiss',
    },
    entry: {
      title: 'Come on in',
      ask: 'Choose a name that the others will see.',
      name: 'Your name',
      enter: 'Start chatting',
      connecting: 'Connecting…',
      refused: "You can't come in yet",
      taken: (name: string) => `The name “${name}” is in use or reserved. Choose another one.`,
      /** The reason is the server's. */
      impossible: (reason: string) => `This can't be a name: ${reason}.`,
    },
    browser: {
      search: 'Search rooms',
      loading: 'Loading…',
      nothing: 'No room has this in its name.',
      joined: 'joined',
      trouble: {
        unknown: 'This server is older than this page and cannot list its rooms. Join a room by its name.',
        failed: 'The rooms cannot be listed now.',
      },
    },
    finder: {
      nothing: 'Nothing has such a name.',
      mention: 'mention',
      message: 'message',
      join: 'join or create',
      unseen: (unseen: number) => `${number(unseen)} new`,
    },
    actions: {
      title: 'Message actions',
      react: 'React',
      reply: 'Reply',
      pin: 'Pin',
      unpin: 'Unpin',
      copyLink: 'Copy link',
      linkCopied: 'Link copied',
      edit: 'Edit',
      delete: 'Delete',
      more: 'More actions',
      person: (name: string) => `About ${name}`,
      report: 'Report…',
    },
    deletion: {
      warning: 'It goes for everybody, and does not come back.',
      keep: 'Keep it',
      delete: 'Delete',
    },
    pins: {
      title: 'Pinned messages',
      count: (pinned: number) => `${number(pinned)} pinned`,
      toLatest: 'To the pinned message',
      unpin: (name: string, text: string) => `Unpin ${name}: ${text}`,
    },
    keys: {
      /** As they are printed on a keyboard. */
      names: { control: 'Ctrl', alt: 'Alt', shift: 'Shift', enter: 'Enter', escape: 'Esc' },
      previous: 'The room above',
      next: 'The room below',
      help: 'These keys',
      send: 'Send the message',
      newLine: 'Begin a new line',
      complete: 'While writing: a person, a room, an emoji',
      editLast: 'In an empty field: edit your last message',
      cancel: 'Stop editing or replying; close a dialog',
      lines: 'In the conversation: from message to message',
      roomMenu: 'In the list of rooms: to the menu of a room',
    },
  };
}
