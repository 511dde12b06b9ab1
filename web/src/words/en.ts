/**
 * English, and the shape of all languages: in another one TypeScript allows no entry too many and none too few. The words
 * of components/later.ts are in `later-en.ts`.
 */
import type { Formats } from './formats';
import type { laterEn } from './later-en';

export type Words = ReturnType<typeof en> & ReturnType<typeof laterEn>;

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
    me: {
      otherName: 'Use another name',
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
    },
    finder: {
      title: 'Go to',
    },
    people: {
      title: 'People',
      online: (online: number) => `${number(online)} online`,
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
    deletion: {
      title: 'Delete this message?',
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
    },
    composer: {
      label: (room: string) => `Message in ${room}`,
      placeholder: (room: string) => `Message ${room}`,
      send: 'Send',
      save: 'Save',
      tooManyWait: 'Too many messages here wait to be sent.',
      found: (count: number) => `${number(count)} ${plural(count, { one: 'suggestion', other: 'suggestions' })}`,
    },
    keys: {
      title: 'Keys',
      close: 'Close',
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
