/** When the page draws what has arrived: between two keys, if somebody types. */
import type { Drawing } from './models/arrivals';

/** A browser draws no frames of a page that nobody sees. */
const WITHOUT_FRAMES = 200;

/** Who has pressed a key in the last so many milliseconds probably presses the next one soon. */
const TYPING = 300;
/** So long what has arrived waits for the next key, in milliseconds. */
const NEXT_KEY = 250;
let typedAt = -Infinity;
addEventListener('keydown', () => (typedAt = performance.now()), { capture: true });

/**
 * While somebody types, the page draws what has arrived right after a key was painted, so that the next key need not wait.
 * The lines are made in a task of their own, between two frames: a key waits for that task or for a frame, not for both.
 */
export const drawing: Drawing = {
  next(draw, drawn) {
    afterKey(() => {
      const start = performance.now();
      // Also after an error, so that later events are drawn; a task after the layout and painting of the frame.
      onFrame(() => setTimeout(() => drawn(performance.now() - start)));
      draw();
    });
  },
  make(make, made) {
    setTimeout(() => {
      const start = performance.now();
      try {
        make();
      } finally {
        // Svelte changes the document in a microtask.
        queueMicrotask(() => made(performance.now() - start));
      }
    });
  },
};

function afterKey(act: () => void): void {
  const isTyping = performance.now() - typedAt < TYPING;
  const pressed = () => {
    clearTimeout(timer);
    onFrame(() => setTimeout(act));
  };
  const notPressed = () => {
    removeEventListener('keydown', pressed, { capture: true });
    act();
  };
  const timer = setTimeout(notPressed, isTyping ? NEXT_KEY : 0);
  if (isTyping) addEventListener('keydown', pressed, { capture: true, once: true });
}

function onFrame(act: () => void): void {
  const begin = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    act();
  };
  const frame = requestAnimationFrame(begin);
  const timer = setTimeout(begin, WITHOUT_FRAMES);
}
