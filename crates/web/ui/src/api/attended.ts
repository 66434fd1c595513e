// Whether somebody is there: what a page asks for by itself does not keep his session alive once he has gone.

/** So long after the last touch of a key or the pointer somebody is still taken to be there, in ms. */
const THERE_MS = 60_000

let last = performance.now()
let wall = false

/** Tells a watcher of keys and pointer; the window, outside the tests. */
export function watchOver(target: Pick<EventTarget, 'addEventListener'>): void {
  const seen = () => (last = performance.now())
  for (const kind of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) {
    target.addEventListener(kind, seen, { capture: true, passive: true })
  }
}

/** A screen on the wall of the control room has nobody at its keys; only the longest time of a session ends it. */
export function isWall(yes: boolean): void {
  wall = yes
}

export function attended(): boolean {
  return wall || performance.now() - last < THERE_MS
}
