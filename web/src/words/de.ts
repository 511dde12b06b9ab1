import type { Words } from './en';
import type { Formats } from './formats';

const MEANINGS: Record<string, string> = {
  closed: 'Der Server hat die Verbindung beendet.',
  conflict: 'Das ist schon vergeben.',
  forbidden: 'Das ist hier nicht erlaubt.',
  invalid: 'Der Server nimmt das so nicht an.',
  too_large: 'Das ist zu groß.',
  unauthenticated: 'Du bist nicht angemeldet.',
};

export function de({ number, atMost99, list, plural }: Formats): Words {
  const some = (names: readonly string[]) =>
    list(names.length <= 4 ? names : [...names.slice(0, 3), `${number(names.length - 3)} andere`]);
  const are = (names: readonly string[]) => plural(names.length, { one: 'ist', other: 'sind' });
  const count = (unread: number) => `${atMost99(unread)} neue`;
  const roomRule = 'Nur Buchstaben von A bis Z, Ziffern und . _ : - | @, am Anfang ein Buchstabe oder eine Ziffer.';

  return {
    entry: {
      title: 'Komm herein',
      ask: 'Wähle einen Namen, den die anderen sehen.',
      name: 'Dein Name',
      enter: 'Loslegen',
      connecting: 'Verbindung wird aufgebaut …',
      refused: 'Du kannst noch nicht herein',
      taken: (name) => `Der Name „${name}“ ist vergeben oder reserviert. Wähle einen anderen.`,
      impossible: (reason) => `Das kann kein Name sein (${reason}).`,
    },
    me: {
      otherName: 'Anderen Namen wählen',
      language: (name) => `Sprache: ${name}`,
      languages: 'Sprache',
      theme: { system: 'Farben: wie das Gerät', light: 'Farben: hell', dark: 'Farben: dunkel' },
      state: {
        idle: 'Nicht verbunden',
        connecting: 'Verbindet',
        live: 'Verbunden',
        waiting: 'Verbindet neu',
        offline: 'Offline',
        refused: 'Nicht verbunden',
        closed: 'Nicht verbunden',
      },
    },
    connection: {
      connecting: 'Verbindung wird aufgebaut …',
      lost: 'Verbindung verloren. Neuer Versuch',
      unreachable: 'Der Server antwortet nicht. Neuer Versuch',
      inSeconds: (seconds) => `in ${number(seconds)} s`,
      now: 'Jetzt verbinden',
      offline: 'Du bist offline. Hubbub kommt mit deinem Netz zurück.',
      tryAgain: 'Noch einmal versuchen',
    },
    rooms: {
      title: 'Räume',
      mine: 'Meine Räume',
      find: 'Raum oder Person finden',
      menu: (room) => `Aktionen für ${room}`,
      favourite: 'Zu den Favoriten',
      notFavourite: 'Aus den Favoriten entfernen',
      leave: 'Raum verlassen',
      sections: { favourites: 'Favoriten', rooms: 'Andere Räume' },
      sort: 'Räume sortieren',
      order: { name: 'Nach Namen', activity: 'Nach letzter Nachricht' },
      browse: 'Alle Räume ansehen',
      unseen: (unseen, isMentioned) => `${number(unseen)} neue${isMentioned ? ', du wurdest erwähnt' : ''}`,
      join: 'Beitreten',
      joinOrCreate: 'Beitreten oder anlegen',
      rule: roomRule,
      none: 'Du bist in keinem Raum. Betritt einen, um mitzureden.',
      wrong: 'Diesen Raum gibt es nicht',
      noneNamed: (room) => `Es gibt keinen Raum „${room}“. Wähle einen aus der Liste.`,
      ruleForNames: `So kann ein Raum heißen: ${roomRule}`,
    },
    browser: {
      title: 'Alle Räume',
      search: 'Räume suchen',
      loading: 'Wird geladen …',
      nothing: 'Kein Raum heißt so.',
      joined: 'beigetreten',
      trouble: {
        unknown:
          'Dieser Server ist älter als diese Seite und kann seine Räume nicht auflisten. Betritt einen Raum über seinen Namen.',
        failed: 'Die Räume können gerade nicht aufgelistet werden.',
      },
    },
    finder: {
      title: 'Finden',
      nothing: 'Nichts heißt so.',
      mention: 'erwähnen',
      join: 'betreten oder anlegen',
      unseen: (unseen) => `${number(unseen)} neue`,
    },
    people: {
      title: 'Personen',
      search: 'Personen suchen',
      showAll: 'Alle zeigen',
      nobody: 'Niemand hier heißt so.',
      trouble: 'Die Personen können gerade nicht aufgelistet werden.',
      here: 'Wer hier ist',
      online: (online) => `${number(online)} online`,
      you: 'du',
      guest: 'Gast',
    },
    timeline: {
      label: (room) => `Nachrichten in ${room}`,
      beginning: (room) => `Das ist ${room}`,
      beginsHere: 'Hier fängt alles an.',
      nothingYet: 'Noch hat niemand etwas gesagt. Sag Hallo!',
      nothingSince: 'Seit du da bist, hat niemand etwas gesagt. Sag Hallo!',
      earlier: 'Frühere Nachrichten',
      unread: 'Neu',
      missed: 'Du warst weg. Was in der Zwischenzeit gesagt wurde, wird hier nicht gespeichert.',
      toLatest: (unread) => (unread > 0 ? `Zur letzten Nachricht, ${count(unread)}` : 'Zur letzten Nachricht'),
      count,
      moved: (came, went) =>
        [
          came.length > 0 ? `${some(came)} ${are(came)} gekommen` : '',
          went.length > 0 ? `${some(went)} ${are(went)} gegangen` : '',
        ]
          .filter((part) => part !== '')
          .join(' · '),
      noSuchMessage: 'Diese Nachricht gibt es in diesem Raum nicht.',
    },
    message: {
      deleted: 'Diese Nachricht wurde gelöscht.',
      empty: 'Diese Nachricht ist leer.',
      isEdited: 'bearbeitet',
      isPinned: 'angeheftet',
      isNotSent: 'nicht gesendet',
      sending: 'Wird gesendet',
      waiting: 'Wartet auf die Verbindung',
      notSent: (why) => `Nicht gesendet. ${why}`,
      tryAgain: 'Noch einmal versuchen',
      discard: 'Verwerfen',
      toQuoted: 'Zur Nachricht, auf die das antwortet',
      quotedEarlier: 'Eine frühere Nachricht',
      more: 'Mehr zeigen',
      less: 'Weniger zeigen',
      copy: 'Kopieren',
      copied: 'Kopiert',
      spoken: ({ who, text, time, marks, answers }) =>
        `${answers === undefined ? who : `${who} antwortet ${answers}`}: ${[text, time, ...marks].join(', ')}`,
    },
    actions: {
      title: 'Aktionen für die Nachricht',
      react: 'Reagieren',
      reply: 'Antworten',
      pin: 'Anheften',
      unpin: 'Nicht mehr anheften',
      copyLink: 'Link kopieren',
      linkCopied: 'Link kopiert',
      edit: 'Bearbeiten',
      delete: 'Löschen',
    },
    deletion: {
      title: 'Diese Nachricht löschen?',
      warning: 'Sie verschwindet bei allen und kommt nicht zurück.',
      keep: 'Behalten',
      delete: 'Löschen',
    },
    pins: {
      title: 'Angeheftete Nachrichten',
      count: (pinned) => `${number(pinned)} angeheftet`,
      toLatest: 'Zur angehefteten Nachricht',
      unpin: (name, text) => `Nicht mehr anheften: ${name}: ${text}`,
    },
    reactions: {
      title: 'Reaktionen',
      you: 'dir',
      by: (emoji, names, count) => {
        const others = count - names.length;
        const people = plural(others, { one: 'weiteren Person', other: 'weiteren Personen' });
        const rest = others > 0 ? [`${number(others)} ${people}`] : [];
        return `${emoji} ${number(count)}, von ${list([...names, ...rest])}`;
      },
      choose: 'Mit einem Emoji reagieren',
      common: 'Häufige Emojis',
      another: 'Ein anderes Emoji',
      react: 'Reagieren',
      emoji: {
        thumbsUp: 'Daumen hoch',
        heart: 'Herz',
        joy: 'Freudentränen',
        party: 'Feier',
        surprise: 'Staunen',
        sad: 'traurig',
        thanks: 'danke',
        eyes: 'Augen',
        done: 'erledigt',
        fire: 'Feuer',
        thumbsDown: 'Daumen runter',
        thinking: 'nachdenklich',
      },
    },
    composer: {
      label: (room) => `Nachricht in ${room}`,
      placeholder: (room) => `Nachricht an #${room}`,
      readOnly: 'Du kannst hier lesen. Schreiben scheint nicht erlaubt zu sein.',
      send: 'Senden',
      save: 'Speichern',
      editing: 'Du bearbeitest deine Nachricht',
      answering: (name) => `Antwort an ${name}`,
      stopEditing: 'Nicht mehr bearbeiten',
      doNotReply: 'Nicht antworten',
      typing: (names) =>
        names.length > 3
          ? 'Mehrere schreiben gerade'
          : `${list(names)} ${plural(names.length, { one: 'schreibt', other: 'schreiben' })} gerade`,
      tooManyWait: 'Hier warten zu viele Nachrichten darauf, gesendet zu werden.',
      suggestions: 'Vorschläge',
      found: (count) => `${number(count)} ${plural(count, { one: 'Vorschlag', other: 'Vorschläge' })}`,
    },
    keys: {
      title: 'Tasten',
      close: 'Schließen',
      names: { control: 'Strg', alt: 'Alt', shift: 'Umschalt', enter: 'Eingabe', escape: 'Esc' },
      previous: 'Der Raum darüber',
      next: 'Der Raum darunter',
      help: 'Diese Tasten',
      send: 'Nachricht senden',
      newLine: 'Neue Zeile beginnen',
      complete: 'Beim Schreiben: eine Person, ein Raum, ein Emoji',
      editLast: 'Im leeren Feld: deine letzte Nachricht bearbeiten',
      cancel: 'Bearbeiten oder Antworten beenden; einen Dialog schließen',
      lines: 'Im Gespräch: von Nachricht zu Nachricht',
      roomMenu: 'In der Liste der Räume: zum Menü eines Raums',
    },
    notices: {
      dismiss: 'Ausblenden',
    },
    failures: {
      fields: {
        emoji: 'Das ist kein einzelnes Emoji.',
        room: 'So kann kein Raum heißen.',
        text: 'Dieser Text ist zu lang oder enthält Zeichen, die nicht gesendet werden können.',
      },
      otherField: 'Der Server hat das nicht verstanden.',
      codes: {
        internal: 'Auf dem Server ist etwas schiefgegangen. Versuch es gleich noch einmal.',
        not_found: 'Das gibt es nicht mehr.',
        rate_limited: 'Das ging zu schnell. Warte einen Moment und versuch es noch einmal.',
        unavailable: 'Der Server kann das gerade nicht. Versuch es gleich noch einmal.',
        unknown_type: 'Diese Seite und ihr Server passen nicht zusammen. Lade die Seite neu.',
        forgotten: 'Der Server kennt dich nicht mehr, und das wurde vielleicht schon gesendet.',
      },
      refused: (code, sentence) => (MEANINGS[code] === undefined ? sentence : `${MEANINGS[code]} (${sentence})`),
      connectionLost: 'Die Verbindung brach ab, bevor der Server geantwortet hat.',
    },
  };
}
