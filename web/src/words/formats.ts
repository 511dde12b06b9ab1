/** Numbers, lists, plurals and dates as one locale writes them. It knows no words: `Intl` does. */

const DAY = 86_400_000;
/** What a badge and a button show of a count. */
const COUNTED = 99;

export type Formats = ReturnType<typeof formatsIn>;

type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

export function formatsIn(locale: string) {
  const numbers = once(() => new Intl.NumberFormat(locale));
  const lists = once(() => new Intl.ListFormat(locale, { type: 'conjunction' }));
  const plurals = once(() => new Intl.PluralRules(locale));
  const days = once(() => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }));
  const dated = (options: Intl.DateTimeFormatOptions) => once(() => new Intl.DateTimeFormat(locale, options));
  const times = dated({ hour: '2-digit', minute: '2-digit' });
  const weekdays = dated({ weekday: 'long' });
  const dates = dated({ weekday: 'long', day: 'numeric', month: 'long' });
  const datesWithYear = dated({ day: 'numeric', month: 'long', year: 'numeric' });
  const full = dated({ dateStyle: 'full', timeStyle: 'medium' });

  function shortDay(at: number, now: number): string {
    const ago = Math.round((midnight(now) - midnight(at)) / DAY);
    if (ago === 0 || ago === 1) return days().format(-ago, 'day');
    if (ago > 1 && ago < 7) return weekdays().format(at);
    const isOfThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
    return (isOfThisYear ? dates() : datesWithYear()).format(at);
  }

  return {
    number: (value: number) => numbers().format(value),
    /** "99+" for more: where there is little space. */
    atMost99: (count: number) => (count > COUNTED ? `${numbers().format(COUNTED)}+` : numbers().format(count)),
    list: (items: readonly string[]) => lists().format(items),
    /** The form that the language uses for so many. */
    plural: (count: number, forms: Plural) => forms[plurals().select(count)] ?? forms.other,
    timeOf: (at: number) => times().format(at),
    fullTimeOf: (at: number) => full().format(at),
    /** "Today", "Yesterday", "Tuesday", "Tuesday, 3 March", "3 March 2024": as short as possible. */
    dayOf(at: number, now: number): string {
      const [first = '', ...rest] = shortDay(at, now);
      return first.toLocaleUpperCase(locale) + rest.join('');
    },
  };
}

/** A browser takes up to 10 ms to make one of them, and a page needs few before it shows the first message. */
function once<Made>(make: () => Made): () => Made {
  let made: Made | undefined;
  return () => (made ??= make());
}

function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
