// Where a live picture should be: close behind the newest frame, without a jump for every hiccup.

/** Seconds behind the newest frame that a picture is put at: enough that the next frame comes in time. */
export const BEHIND = 0.25
/** From here on the picture hurries a little. */
const HURRY = 0.8
/** From here on it jumps. */
const JUMP = 2.5

export interface Range {
  start: number
  end: number
}
export type Step = { seek: number } | { rate: number }

/** What to do with a picture at `now`, when `newest` is the range of frames that is being filled. */
export function chase(now: number, newest: Range): Step {
  const behind = newest.end - now
  // Outside: before the first frame, stuck before a gap, or beyond a stream that began anew.
  if (now < newest.start - 0.01 || behind < 0 || behind > JUMP) {
    return { seek: Math.max(newest.start, newest.end - BEHIND) }
  }
  return { rate: behind > HURRY ? 1.1 : 1 }
}

/** What may be thrown away of what has been shown; null while it is not worth it. */
export function shownLongAgo(now: number, oldest: number): number | null {
  return now - oldest > 20 ? now - 8 : null
}

/** Milliseconds before another try, after so many failures; `random` is between 0 and 1. */
export function pause(failures: number, random: number): number {
  const longest = Math.min(10_000, 500 * 2 ** Math.min(failures, 6))
  return longest / 2 + (longest / 2) * random
}
