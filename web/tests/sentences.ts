/** All sentences of a catalogue. */

/** Every entry by its path, and how many arguments it takes. Functions are called with samples. */
export function sentencesIn(
  group: object,
  sampleOf: (path: string) => unknown[],
  path = '',
): [string, string, number][] {
  return Object.entries(group).flatMap(([name, entry]: [string, unknown]): [string, string, number][] => {
    const here = path === '' ? name : `${path}.${name}`;
    if (typeof entry === 'string') return [[here, entry, 0]];
    if (typeof entry !== 'function') return sentencesIn(entry as object, sampleOf, here);
    return [[here, String(entry(...sampleOf(here))), entry.length]];
  });
}
