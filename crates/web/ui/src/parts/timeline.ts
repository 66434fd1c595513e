// Status intervals on a stretch of time. Pure functions.
import type { StatusCode, StatusInterval } from '@/api/types'

export interface Segment {
  /** `null`: nothing is recorded there. */
  status: StatusCode | null
  from: number
  until: number
  /** Share of the stretch before it and of its own, 0–1. */
  left: number
  width: number
  interval: StatusInterval | null
}

/** The stretch cut into statuses, without holes: what no interval covers is told as not recorded. */
export function segments(intervals: readonly StatusInterval[], from: number, until: number): Segment[] {
  const span = until - from
  if (span <= 0) return []
  const found: Segment[] = []
  const push = (status: StatusCode | null, start: number, end: number, interval: StatusInterval | null) => {
    if (end > start) found.push({ status, from: start, until: end, left: (start - from) / span, width: (end - start) / span, interval })
  }
  let at = from
  for (const interval of [...intervals].sort((a, b) => a.from - b.from)) {
    const start = Math.max(interval.from, at)
    const end = Math.min(interval.until ?? until, until)
    if (end <= start) continue
    push(null, at, start, null)
    push(interval.status, start, end, interval)
    at = end
  }
  push(null, at, until, null)
  return found
}

/** Marks on the axis: round steps of hours, at most so many. */
export function marks(from: number, until: number, most = 8): number[] {
  const hour = 3_600_000
  const zone = 8 * hour
  const steps = [1 / 6, 1 / 2, 1, 2, 3, 6, 12, 24, 48, 96, 168].map((hours) => hours * hour)
  const step = steps.find((s) => (until - from) / s <= most) ?? (steps.at(-1) as number)
  const found: number[] = []
  // Aligned to the county's midnight.
  for (let at = Math.ceil((from + zone) / step) * step - zone; at <= until; at += step) found.push(at)
  return found
}
