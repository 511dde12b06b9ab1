/** Numbers, lists, plurals and dates as one locale writes them. It knows no words: `Intl` does. */

const DAY = 86_400_000;
/** What a badge and a button show of a count. */
const COUNTED = 99;

export type Formats = ReturnType<typeof formatsIn>;

type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

export function formatsIn(locale: string) {
  const numbers = new Intl.NumberFormat(locale);
  const lists = new Intl.ListFormat(locale, { type: 'conjunction' });
  const plurals = new Intl.PluralRules(locale);
  const days = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const times = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  const weekdays = new Intl.DateTimeFormat(locale, { weekday: 'long' });
  const dates = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' });
  const datesWithYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric' });
  const full = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' });

  function shortDay(at: number, now: number): string {
    const ago = Math.round((midnight(now) - midnight(at)) / DAY);
    if (ago === 0 || ago === 1) return days.format(-ago, 'day');
    if (ago > 1 && ago < 7) return weekdays.format(at);
    return (new Date(at).getFullYear() === new Date(now).getFullYear() ? dates : datesWithYear).format(at);
  }

  return {
    number: (value: number) => numbers.format(value),
    /** "99+" for more: where there is little space. */
    atMost99: (count: number) => (count > COUNTED ? `${numbers.format(COUNTED)}+` : numbers.format(count)),
    list: (items: readonly string[]) => lists.format(items),
    /** The form that the language uses for so many. */
    plural: (count: number, forms: Plural) => forms[plurals.select(count)] ?? forms.other,
    timeOf: (at: number) => times.format(at),
    fullTimeOf: (at: number) => full.format(at),
    /** "Today", "Yesterday", "Tuesday", "Tuesday, 3 March", "3 March 2024": as short as possible. */
    dayOf(at: number, now: number): string {
      const [first = '', ...rest] = shortDay(at, now);
      return first.toLocaleUpperCase(locale) + rest.join('');
    },
  };
}

function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
