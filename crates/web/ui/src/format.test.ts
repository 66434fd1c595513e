import { describe, expect, it } from 'vitest'
import { brief, bytes, dateTime, evidence, fromCountyText, offset, rate, startOfDay, toCountyText } from './format'

const at = Date.UTC(2026, 10, 24, 17, 5, 9) // the next day already in the county

describe('times', () => {
  it('are the county’s, whatever the zone of this machine', () => {
    expect(dateTime(at)).toBe('2026-11-25 01:05:09')
    expect(dateTime(null)).toBe('—')
    expect(dateTime(Date.UTC(2026, 10, 24, 16))).toBe('2026-11-25 00:00:00')
  })
  it('are read back', () => {
    expect(fromCountyText(toCountyText(at))).toBe(at)
    expect(fromCountyText('2026-11-25 01:05')).toBe(at - 9000)
    expect(fromCountyText('soon')).toBeNull()
    expect(startOfDay(at)).toBe(Date.UTC(2026, 10, 24, 16))
  })
  it('say the day only when it is another', () => {
    expect(brief(at, at + 1000)).toBe('01:05:09')
    expect(brief(at, at + 86_400_000)).toBe('11-25 01:05')
  })
})

describe('figures', () => {
  it('never round up to a full hundred', () => {
    expect(rate(0.99999)).toBe('99.99%')
    expect(rate(1)).toBe('100%')
    expect(rate(0.9)).toBe('90.00%')
    expect(rate(null)).toBe('—')
  })
  it('have a sign where there is a difference', () => {
    expect([offset(-13), offset(210), offset(-1500), offset(null)]).toEqual(['0.0 s', '+0.2 s', '-1.5 s', '—'])
  })
  it('are told with the county’s time', () => {
    expect(evidence('keyframe of 2026-11-24T04:49:10.604Z, 41 kB')).toBe('keyframe of 2026-11-24 12:49:10, 41 kB')
    expect(evidence(`works (until_ms=${at})`)).toBe('works (→ 2026-11-25 01:05:09)')
  })
  it('are short', () => {
    expect(bytes(999)).toBe('999 B')
    expect(bytes(91e9)).toBe('91.0 GB')
    expect(bytes(120e9)).toBe('120 GB')
  })
})
