import { describe, expect, it } from 'vitest'
import type { Order, OrderPage } from '@/api/desk'
import { actsFor, diagnosisText, unverified } from './orders'

const order = (change: Partial<Order>): Order => ({
  id: 3,
  version: 1,
  incident: 7,
  cameras: [1, 2],
  town: 1,
  severity: 'major',
  state: 'assigned',
  opened: 0,
  assignee: { kind: 'technician', user: 4, name: '张' },
  assigned: 0,
  accepted: null,
  response_due: null,
  repair_due: null,
  overdue: false,
  recovered: null,
  acceptable: null,
  hold: null,
  waited: [],
  children: [],
  response_ms: null,
  repair_ms: null,
  closed: null,
  outcome: null,
  parent: null,
  confirmed: null,
  to_verify: [1, 2],
  verifications: [],
  history: [],
  mine: false,
  ...change,
})

describe('what can be done to an order', () => {
  it('is the usual next step first, for whoever looks', () => {
    expect(actsFor(order({ mine: true }), false)[0]).toBe('accept')
    expect(actsFor(order({ mine: true, state: 'working' }), false)[0]).toBe('finish')
    expect(actsFor(order({ state: 'confirmed' }), true)[0]).toBe('assign')
    expect(actsFor(order({ state: 'repaired' }), true)[0]).toBe('accept_repair')
  })
  it('is nothing on a closed order, and nothing for who has no part in it', () => {
    expect(actsFor(order({ state: 'closed', mine: true }), true)).toEqual([])
    expect(actsFor(order({}), false)).toEqual([])
  })
  it('lets only a third party stop the clock', () => {
    const hold = { reason: 'power_cut', since: 0, until: 1, approved_by: null, third_party: true }
    expect(actsFor(order({ state: 'on_hold', hold }), true)).toContain('approve_hold')
    expect(actsFor(order({ state: 'on_hold', hold: { ...hold, third_party: false } }), true)).not.toContain('approve_hold')
    expect(actsFor(order({ state: 'on_hold', hold: { ...hold, approved_by: 'a' } }), true)).not.toContain('approve_hold')
  })
})

describe('proof of repair', () => {
  const good = { camera: 1, at: 200, by: 't', passed: true, layer: null, cause: null, picture: 9 }
  it('needs a passed climb with a picture from after the recovery, an hour old at most', () => {
    const of = (v: object, now = 300) => unverified(order({ recovered: 100, to_verify: [1], verifications: [{ ...good, ...v }] }), now)
    expect(of({})).toEqual([])
    expect(of({ passed: false })).toEqual([1])
    expect(of({ picture: null })).toEqual([1])
    expect(of({ at: 50 })).toEqual([1])
    expect(of({}, 200 + 3_600_001)).toEqual([1])
    expect(unverified(order({ recovered: null, verifications: [good] }), 300)).toEqual([1, 2])
  })
})

describe('the diagnosis as text', () => {
  const words = {
    camera: (id: number) => `相机${id}`,
    place: () => '东镇 · 东村',
    cause: () => '无应答',
    likely: () => '停电',
    layer: () => '网络',
    next: () => '查看 ONU 电源',
    time: () => '11:05',
    label: (key: string) => key,
    evidence: (item: { zh: string }) => item.zh,
    colon: '：',
    comma: '，',
    bracket: (text: string) => `（${text}）`,
  }
  it('says what, where, why and what to do, and holds no address', () => {
    const page = {
      order: order({}),
      incident: { id: 7, opened: 5, cause: 'no_answer', likely: 'power_or_fibre', confidence: 80, evidence: [{ rule: 'r', zh: '同时中断', en: 'at once' }] },
      pictures: [],
    } as unknown as OrderPage
    const failed = { layer: 'network', outcome: 'failed', ms: 1, cause: 'no_answer', confidence: 'likely', evidence: '4 s' } as const
    const text = diagnosisText(page, [failed], words)
    for (const part of ['G3', 'E7', '无应答', '停电', '80%', '同时中断', '查看 ONU 电源', '相机1', '4 s']) expect(text).toContain(part)
    expect(text).not.toMatch(/rtsp|:\/\//)
  })
})
