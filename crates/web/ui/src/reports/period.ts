// Which time a report is about, in the address and in steps forward and back. Days are the county's.
import { dateTime, fromCountyText } from '@/format'

export const PERIODS = ['day', 'week', 'month', 'range'] as const
export type PeriodCode = (typeof PERIODS)[number]

const DAY = 86_400_000

/** `2026-01-31` of an instant. */
export function dayOf(at: number): string {
  return dateTime(at).slice(0, 10)
}

/** The day in the middle of the same step before (-1) or after (+1): a date within the neighbouring period. */
export function step(period: PeriodCode, date: string, by: -1 | 1): string {
  const at = fromCountyText(date)
  if (at === null) return date
  if (period === 'week') return dayOf(at + by * 7 * DAY)
  if (period !== 'month') return dayOf(at + by * DAY)
  const [year, month] = date.split('-').map(Number) as [number, number]
  const next = year * 12 + (month - 1) + by
  return `${String(Math.floor(next / 12)).padStart(4, '0')}-${String((next % 12) + 1).padStart(2, '0')}-01`
}

/** A range as people write it; its end is not part of it. */
export function spanText(from: number, until: number): string {
  const whole = (at: number) => dateTime(at).endsWith('00:00:00')
  if (!whole(from) || !whole(until)) return `${dateTime(from).slice(0, 16)} – ${dateTime(until).slice(0, 16)}`
  const [first, last] = [dayOf(from), dayOf(until - 1)]
  return first === last ? first : `${first} – ${last}`
}
