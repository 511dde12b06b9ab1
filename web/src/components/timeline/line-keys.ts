/**
 * The keys in the conversation, which may hold hundreds of links and buttons: the arrow keys go from line to line, as in a
 * list, the Tab key through the links and buttons of the focused line and then past the conversation, and Escape one step
 * back: from a button to its line, from a line to the conversation.
 */

const CONTROLS = 'a[href], button:enabled:not([tabindex="-1"])';

/** The last element of the conversation, which has the focus for a moment on its way out or in. */
const END = '[data-end]';

export function keydown(event: KeyboardEvent): void {
  const { key, currentTarget: log, target, altKey, ctrlKey, metaKey } = event;
  if (!(log instanceof HTMLElement) || !(target instanceof HTMLElement) || altKey || ctrlKey || metaKey) return;
  const line = target.closest<HTMLElement>('[data-line]');
  if (key === 'ArrowUp') focus(event, neighbour(log, line, -1));
  else if (key === 'ArrowDown') focus(event, neighbour(log, line, 1));
  else if (key === 'Escape') focus(event, outside(log, line, target));
  else if (key === 'Tab' && event.shiftKey) backward(event, log, line, target);
  else if (key === 'Tab') forward(log, line, target);
}

/** The Tab key leads from what follows the conversation to its beginning, not to the last of its links. */
export function arrived({ currentTarget: log, target, relatedTarget }: FocusEvent): void {
  if (!(log instanceof HTMLElement) || !(target instanceof Element) || !target.matches(END)) return;
  if (!(relatedTarget instanceof Node && log.contains(relatedTarget))) log.focus({ preventScroll: true });
}

/** From the conversation itself, up leads to the latest line. */
function neighbour(log: HTMLElement, line: HTMLElement | null, step: 1 | -1): HTMLElement | undefined {
  const lines = [...log.querySelectorAll<HTMLElement>('[data-line][tabindex]')];
  return line === null ? lines.at(-1) : lines[lines.indexOf(line) + step];
}

function outside(log: HTMLElement, line: HTMLElement | null, target: HTMLElement): HTMLElement | undefined {
  if (target === log) return undefined;
  return line === null || line === target ? log : line;
}

function backward(event: KeyboardEvent, log: HTMLElement, line: HTMLElement | null, target: HTMLElement): void {
  if (line === null || controlsIn(line).indexOf(target) > 0) return;
  focus(event, outside(log, line, target), { preventScroll: true });
}

/** The browser goes on from where the focus is then. */
function forward(log: HTMLElement, line: HTMLElement | null, target: HTMLElement): void {
  const isLast = line === null || controlsIn(line).indexOf(target) === controlsIn(line).length - 1;
  if (isLast) log.querySelector<HTMLElement>(END)?.focus({ preventScroll: true });
}

function controlsIn(line: HTMLElement): HTMLElement[] {
  return [...line.querySelectorAll<HTMLElement>(CONTROLS)];
}

function focus(event: KeyboardEvent, element: HTMLElement | undefined, options?: FocusOptions): void {
  if (element === undefined) return;
  event.preventDefault();
  element.focus(options);
}
