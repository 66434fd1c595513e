import { describe, expect, it } from 'vitest'
import type { CameraState, Ladder } from '@/api/types'
import { failingRung, rungsOf, rungsOfState } from './ladder'
import { marks, segments } from './timeline'

const outcomes = (rungs: { outcome: string }[]) => rungs.map((rung) => rung.outcome[0]).join('')
const state = (more: Partial<CameraState>) => ({ status: 'online', layer: null, cause: null, detail: '', ...more }) as CameraState

describe('the ladder', () => {
  it('of a probe that fails: what lies above is unreached, told or not', () => {
    const ladder = {
      rungs: [
        { layer: 'address', outcome: 'passed', ms: 0, cause: null, evidence: 'a' },
        { layer: 'network', outcome: 'passed', ms: 1, cause: null, evidence: '' },
        { layer: 'port', outcome: 'failed', ms: 4, cause: 'port_closed', evidence: 'RST' },
        { layer: 'rtsp', outcome: 'skipped', ms: null, cause: null, evidence: '' },
      ],
    } as unknown as Ladder
    const rungs = rungsOf(ladder)
    expect(rungs).toHaveLength(10)
    expect(outcomes(rungs)).toBe('ppfuuuuuuu')
    expect(failingRung(rungs)).toMatchObject({ layer: 'port', cause: 'port_closed', evidence: 'RST' })
  })
  it('keeps a rung that was skipped below', () => {
    const ladder = {
      rungs: [
        { layer: 'network', outcome: 'skipped', ms: null, cause: null, evidence: 'no ping' },
        { layer: 'port', outcome: 'passed', ms: 1, cause: null, evidence: '' },
      ],
    } as unknown as Ladder
    expect(rungsOf(ladder)[1]?.outcome).toBe('skipped')
  })
  it('from a state alone', () => {
    expect(outcomes(rungsOfState(state({})))).toBe('pppppppppp')
    expect(outcomes(rungsOfState(state({ status: 'offline', layer: 'auth', cause: 'password_refused' })))).toBe('ppppfuuuuu')
    expect(outcomes(rungsOfState(state({ status: 'unknown', layer: 'network', cause: 'own_network' })))).toBe('uuuuuuuuuu')
  })
})

describe('the time line', () => {
  const interval = (from: number, until: number | null, status: string) =>
    ({ camera: 1, from, until, status, layer: null, cause: null, detail: '' }) as never
  it('cuts to the stretch, tells holes, leaves none', () => {
    const parts = segments([interval(50, null, 'offline'), interval(-100, 10, 'online')], 0, 100)
    expect(parts.map((part) => [part.status, part.from, part.until])).toEqual([
      ['online', 0, 10],
      [null, 10, 50],
      ['offline', 50, 100],
    ])
    expect(parts.reduce((sum, part) => sum + part.width, 0)).toBeCloseTo(1)
  })
  it('does not draw overlapping records twice', () => {
    const parts = segments([interval(0, 60, 'online'), interval(40, 100, 'offline')], 0, 100)
    expect(parts.map((part) => [part.from, part.until])).toEqual([
      [0, 60],
      [60, 100],
    ])
  })
  it('marks round hours of the county', () => {
    const hour = 3_600_000
    const found = marks(Date.UTC(2026, 10, 24, 0, 30), Date.UTC(2026, 10, 24, 23, 30))
    expect(found.length).toBeLessThanOrEqual(8)
    for (const at of found) expect((at + 8 * hour) % (3 * hour)).toBe(0)
  })
})
