/** English, and the shape of all languages: in another one TypeScript allows no entry too many and none too few. */
import type { Formats } from './formats';

export type Words = ReturnType<typeof en>;

export type Catalogue = (formats: Formats) => Words;

/** A message as a screen reader says it. */
export interface Spoken {
  who: string;
  text: string;
  time: string;
  /** Remarks about it: "edited", "not sent". */
  marks: readonly string[];
  /** Whose message it answers. */
  answers?: string;
}

export function en({ number, atMost99, list, plural }: Formats) {
  const some = (names: readonly string[]) =>
    list(names.length <= 4 ? names : [...names.slice(0, 3), `${number(names.length - 3)} others`]);
  const count = (unread: number) => `${atMost99(unread)} new`;
  const roomRule = 'Letters, digits and . _ : - | @ only, beginning with a letter or digit.';

  return {
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
    me: {
      otherName: 'Use another name',
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
    connection: {
      connecting: 'Connecting…',
      lost: 'Connection lost. Reconnecting',
      unreachable: 'The server does not answer. Trying again',
      inSeconds: (seconds: number) => `in ${number(seconds)} s`,
      now: 'Reconnect now',
      offline: 'You are offline. Hubbub comes back with your network.',
      tryAgain: 'Try again',
    },
    rooms: {
      title: 'Rooms',
      mine: 'My rooms',
      find: 'Go to a room or a person',
      menu: (room: string) => `Actions for ${room}`,
      favourite: 'Add to favourites',
      notFavourite: 'Remove from favourites',
      leave: 'Leave the room',
      sections: { favourites: 'Favourites', rooms: 'Other rooms', direct: 'Direct messages' },
      kinds: { private: 'Private room', direct: 'Direct messages' },
      make: 'New room',
      about: 'About this room',
      removed: (room: string) => `You are no longer in ${room}.`,
      sort: 'Sort rooms',
      order: { name: 'By name', activity: 'By latest message' },
      browse: 'Browse all rooms',
      unseen: (unseen: number, isMentioned: boolean) =>
        `${number(unseen)} new${isMentioned ? ', you were mentioned' : ''}`,
      join: 'Join',
      joinOrCreate: 'Join or create a room',
      rule: roomRule,
      none: 'You are in no room. Join one to start talking.',
      wrong: 'No such room',
      noneNamed: (room: string) => `There is no room “${room}”. Choose one from the list.`,
      ruleForNames: `The name of a room: ${roomRule}`,
    },
    dialogs: {
      invite: 'Invite people',
      leave: 'Leave this room?',
      reports: 'Reports',
      report: 'Report this message',
      blocked: 'Blocked people',
      removed: 'You are out of this room',
    },
    browser: {
      title: 'All rooms',
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
      title: 'Go to',
      nothing: 'Nothing has such a name.',
      mention: 'mention',
      message: 'message',
      join: 'join or create',
      unseen: (unseen: number) => `${number(unseen)} new`,
    },
    people: {
      title: 'People',
      search: 'Search people',
      showAll: 'Show everybody',
      nobody: 'Nobody here has such a name.',
      trouble: 'The people cannot be listed now.',
      here: 'Who is here',
      online: (online: number) => `${number(online)} online`,
      you: 'you',
      guest: 'guest',
      roles: { owner: 'owner', moderator: 'moderator' },
      muted: 'muted',
      blocked: 'blocked',
    },
    timeline: {
      label: (room: string) => `Messages in ${room}`,
      beginning: (room: string) => `This is ${room}`,
      beginsHere: 'It begins here.',
      nothingYet: 'Nobody has said anything yet. Say hello!',
      nothingSince: 'Nobody has said anything since you came. Say hello!',
      earlier: 'Earlier messages',
      unread: 'New',
      missed: 'You were away. What was said meanwhile is not kept here.',
      toLatest: (unread: number) => (unread > 0 ? `To the latest message, ${count(unread)}` : 'To the latest message'),
      count,
      moved: (came: readonly string[], went: readonly string[]) =>
        [came.length > 0 ? `${some(came)} joined` : '', went.length > 0 ? `${some(went)} left` : '']
          .filter((part) => part !== '')
          .join(' · '),
      noSuchMessage: 'There is no such message in this room.',
    },
    message: {
      deleted: 'This message was deleted.',
      empty: 'This message is empty.',
      isEdited: 'edited',
      isPinned: 'pinned',
      isNotSent: 'not sent',
      sending: 'Sending',
      waiting: 'Waiting for the connection',
      notSent: (why: string) => `Not sent. ${why}`,
      tryAgain: 'Try again',
      discard: 'Discard',
      toQuoted: 'To the message that this answers',
      quotedEarlier: 'An earlier message',
      more: 'Show more',
      less: 'Show less',
      folded: (count: number) => `${number(count)} blocked ${plural(count, { one: 'message', other: 'messages' })}`,
      show: 'Show',
      copy: 'Copy',
      copied: 'Copied',
      spoken: ({ who, text, time, marks, answers }: Spoken) =>
        `${answers === undefined ? who : `${who}, answering ${answers}`}: ${[text, time, ...marks].join(', ')}`,
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
      title: 'Delete this message?',
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
    reactions: {
      title: 'Reactions',
      you: 'you',
      /** `names` are some of the `count` who reacted. */
      by: (emoji: string, names: readonly string[], count: number) => {
        const others = count - names.length;
        const rest = others > 0 ? [`${number(others)} ${plural(others, { one: 'other', other: 'others' })}`] : [];
        return `${emoji} ${number(count)}, by ${list([...names, ...rest])}`;
      },
      choose: 'React with an emoji',
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
      label: (room: string) => `Message in ${room}`,
      placeholder: (room: string) => `Message ${room}`,
      readOnly: 'You can read here. Writing does not seem to be allowed.',
      send: 'Send',
      save: 'Save',
      editing: 'Editing your message',
      answering: (name: string) => `Reply to ${name}`,
      stopEditing: 'Stop editing',
      doNotReply: 'Do not reply',
      typing: (names: readonly string[]) =>
        names.length > 3
          ? 'Several people are typing'
          : `${list(names)} ${plural(names.length, { one: 'is', other: 'are' })} typing`,
      tooManyWait: 'Too many messages here wait to be sent.',
      suggestions: 'Suggestions',
      found: (count: number) => `${number(count)} ${plural(count, { one: 'suggestion', other: 'suggestions' })}`,
    },
    keys: {
      title: 'Keys',
      close: 'Close',
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
    notices: {
      dismiss: 'Dismiss',
    },
    failures: {
      /** For a wrong field that the user typed. */
      fields: {
        emoji: 'That is not one emoji.',
        room: 'No room can have that name.',
        text: 'This text is too long, or holds characters that cannot be sent.',
      },
      otherField: 'The server did not understand that.',
      notAllowed: 'You may not do that here.',
      codes: {
        internal: 'Something went wrong on the server. Try again in a moment.',
        not_found: 'That is not there any more.',
        rate_limited: 'That was too fast. Wait a moment and try again.',
        unavailable: 'The server cannot do that right now. Try again in a moment.',
        unknown_type: 'This page and its server do not fit together. Reload the page.',
        forgotten: 'The server does not know you any more, and this may have been sent already.',
      },
      /** The sentence is the server's or an application's. Other languages add what the code means. */
      refused: (_code: string, sentence: string) => sentence,
      connectionLost: 'The connection was lost before the server answered.',
    },
  };
}
