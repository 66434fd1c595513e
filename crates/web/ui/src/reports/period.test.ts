import { describe, expect, it } from 'vitest'
import { dayOf, spanText, step } from './period'

describe('the period of a report', () => {
  it('steps by its own length', () => {
    expect(step('day', '2026-03-01', -1)).toBe('2026-02-28')
    expect(step('week', '2026-03-01', 1)).toBe('2026-03-08')
    expect(step('month', '2026-01-31', -1)).toBe('2025-12-01')
    expect(step('month', '2026-12-05', 1)).toBe('2027-01-01')
    expect(step('month', '2026-01-31', 1)).toBe('2026-02-01')
    expect(step('day', 'nonsense', 1)).toBe('nonsense')
  })
  it('is written by the county’s calendar', () => {
    const midnight = Date.UTC(2026, 0, 31, 16) // 2026-02-01 00:00 in the county
    expect(dayOf(midnight)).toBe('2026-02-01')
    expect(spanText(midnight, midnight + 86_400_000)).toBe('2026-02-01')
    expect(spanText(midnight, midnight + 28 * 86_400_000)).toBe('2026-02-01 – 2026-02-28')
    expect(spanText(midnight, midnight + 3_600_000)).toBe('2026-02-01 00:00 – 2026-02-01 01:00')
  })
})
