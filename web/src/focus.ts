/**
 * Keeps the focus on the page. When the focused element is removed (a deleted message's buttons, a closed dialog), a
 * browser moves the focus to the body, where keys do nothing. This module moves it to the nearest remaining place. It
 * knows the DOM, and no chat.
 */

/** An element that had the focus, then its ancestors, each with its place among its siblings. */
export type Trail = readonly { element: Element; index: number }[];

const FOCUSABLE = 'a[href], button:enabled, input:enabled, textarea:enabled, [tabindex]';
/** The search for a neighbour ends at these elements: anything outside is not a neighbour. */
const PARTS = 'aside, dialog, form, main, [role="log"]';
/** Tried in this order, if nothing near remains. */
const LAST_RESORTS = ['dialog[open] button', '[role="log"]', 'input', 'button'];

export function trailOf(from: Element | null): Trail {
  const trail = [];
  for (let element = from; element !== null; element = element.parentElement) {
    const index = [...(element.parentElement?.children ?? [])].indexOf(element);
    trail.push({ element, index });
  }
  return trail;
}

/** Focuses the trail's first element, or the element nearest to its old place. */
export function focusNear(trail: Trail): void {
  const left = trail.findIndex(({ element }) => element.isConnected && !element.matches(':disabled'));
  const places = left < 0 ? [] : trail.slice(left);
  const part = places.findIndex(({ element }) => element.matches(PARTS)) + 1 || places.length;
  /** The old place of the removed element in each of these. */
  const gaps = places.map(({ element }, level) => ({ element, index: trail[left + level - 1]?.index ?? 0 }));
  const near = gaps.flatMap(({ element, index }) => [element, ...beside(element, index)]).filter(canFocus);
  const inside = gaps
    .slice(0, part)
    .flatMap(({ element, index }) => beside(element, index))
    .flatMap((element) => [...element.querySelectorAll(FOCUSABLE)]);
  const last = LAST_RESORTS.flatMap((selector) => [...document.querySelectorAll(selector)]);
  for (const candidate of [...near, ...inside, ...last]) if (takesFocus(candidate)) return;
}

/** Watches the whole page, for as long as it lives. */
export function keepFocus(): void {
  let focused: Element | null = null;
  let trail: Trail = [];
  const isGone = () => focused !== null && (!focused.isConnected || focused.matches(':disabled'));

  document.addEventListener('focusin', ({ target }) => {
    focused = target instanceof Element ? target : null;
    trail = trailOf(focused);
  });
  document.addEventListener('focusout', ({ relatedTarget }) => {
    // The user clicked on nothing: the focus is not lost. A browser may report a removal before it happens.
    queueMicrotask(() => {
      if (relatedTarget === null && document.hasFocus() && hasNoFocus() && !isGone()) focused = null;
    });
  });

  const changed = new MutationObserver(() => {
    if (isGone() && (hasNoFocus() || document.activeElement === focused)) focusNear(trail);
  });
  changed.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['disabled'] });
}

function hasNoFocus(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}

/** An element's children from that place on, then those before it, the nearest first. */
function beside(element: Element, index: number): Element[] {
  const children = [...element.children];
  return [...children.slice(index), ...children.slice(0, index).reverse()];
}

function canFocus(element: Element): boolean {
  return element.matches(FOCUSABLE);
}

function takesFocus(element: Element): boolean {
  if (!(element instanceof HTMLElement) || !canFocus(element)) return false;
  element.focus({ preventScroll: true });
  return document.activeElement === element;
}
