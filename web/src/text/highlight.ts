/**
 * Colours for code: highlight.js through lowlight, which gives a tree, not HTML. This module is loaded with the first
 * block of code that has a language, and each language when it is needed.
 */
import type { LanguageFn } from 'highlight.js';
import type { Nodes } from 'hast';

export interface Piece {
  text: string;
  /** highlight.js's name of what it is: keyword, string. */
  scope: string | null;
}

type Module = Promise<{ default: LanguageFn }>;

const LANGUAGES: Record<string, () => Module> = {
  bash: () => import('highlight.js/lib/languages/bash'),
  c: () => import('highlight.js/lib/languages/c'),
  cpp: () => import('highlight.js/lib/languages/cpp'),
  csharp: () => import('highlight.js/lib/languages/csharp'),
  css: () => import('highlight.js/lib/languages/css'),
  diff: () => import('highlight.js/lib/languages/diff'),
  go: () => import('highlight.js/lib/languages/go'),
  ini: () => import('highlight.js/lib/languages/ini'),
  java: () => import('highlight.js/lib/languages/java'),
  javascript: () => import('highlight.js/lib/languages/javascript'),
  json: () => import('highlight.js/lib/languages/json'),
  python: () => import('highlight.js/lib/languages/python'),
  ruby: () => import('highlight.js/lib/languages/ruby'),
  rust: () => import('highlight.js/lib/languages/rust'),
  sql: () => import('highlight.js/lib/languages/sql'),
  typescript: () => import('highlight.js/lib/languages/typescript'),
  xml: () => import('highlight.js/lib/languages/xml'),
  yaml: () => import('highlight.js/lib/languages/yaml'),
};

const ALIASES: Record<string, string> = {
  'c++': 'cpp',
  'c#': 'csharp',
  cs: 'csharp',
  html: 'xml',
  js: 'javascript',
  jsx: 'javascript',
  py: 'python',
  rb: 'ruby',
  rs: 'rust',
  sh: 'bash',
  shell: 'bash',
  svg: 'xml',
  toml: 'ini',
  ts: 'typescript',
  tsx: 'typescript',
  yml: 'yaml',
};

/** Null if the language is not known. */
export async function highlighted(language: string, text: string): Promise<Piece[] | null> {
  const name = ALIASES[language] ?? language;
  const load = Object.hasOwn(LANGUAGES, name) ? LANGUAGES[name] : undefined;
  if (load === undefined) return null;
  const [{ createLowlight }, { default: grammar }] = await Promise.all([import('./lowlight'), load()]);
  return piecesOf(createLowlight({ [name]: grammar }).highlight(name, text), null);
}

function piecesOf(node: Nodes, scope: string | null): Piece[] {
  if (node.type === 'text') return [{ text: node.value, scope }];
  if (!('children' in node)) return [];
  const own = node.type === 'element' ? scopeOf(node.properties['className']) : null;
  return node.children.flatMap((child) => piecesOf(child, own ?? scope));
}

function scopeOf(names: unknown): string | null {
  return Array.isArray(names) ? String(names[0]).replace(/^hljs-/, '') : null;
}
