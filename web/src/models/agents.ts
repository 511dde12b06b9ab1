/** What a browser or a program says about itself (the header User-Agent), as people call it. */

export interface Agent {
  /** Null if it does not say anything that people know. */
  program: string | null;
  system: string | null;
}

/** Tried in this order, because browsers also give the names of those that they want to be taken for. */
const PROGRAMS: readonly [RegExp, string][] = [
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\bHeadlessChrome\//, 'Chrome'],
  [/\b(?:Chrome|CriOS)\//, 'Chrome'],
  [/\bVersion\/.*\bSafari\//, 'Safari'],
];

const SYSTEMS: readonly [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac(?:intosh| OS X)\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

export function agentIn(said: string): Agent {
  const first = (known: readonly [RegExp, string][]) => known.find(([sign]) => sign.test(said))?.[1] ?? null;
  // A program that is no browser begins with its own name.
  const own = /^(?!Mozilla\/)([\w.-]+)\//.exec(said)?.[1] ?? null;
  return { program: first(PROGRAMS) ?? own, system: first(SYSTEMS) };
}
