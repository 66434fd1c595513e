// Planned maintenance and work orders: their words and their routes.
import { answer, Problem, request, unreachable, whole } from './http'
import type { CauseCode, Incident, Ladder, LayerCode, Millis, Page, Rung, Scope, SeverityCode } from './types'

export interface Window {
  id: number
  scope: Scope
  cameras: number
  from: Millis
  until: Millis
  reason: string
  by: string
  excused: boolean
  created: Millis
  ended: Millis | null
  ended_by: string | null
}
export const windows = (from?: Millis) => whole<Window>('/windows', { from })
export const planWindow = (plan: { scope: Scope; from: Millis; until: Millis; reason: string; excused: boolean }) =>
  request<Window>('POST', '/windows', { json: plan })
export const endWindow = (id: number, reason: string) =>
  request<Window>('POST', `/windows/${id}/end`, { json: { reason } })

/** A request that a time that is past be left out of the figures. */
export interface Excuse {
  id: number
  scope: Scope
  cameras: number
  from: Millis
  until: Millis
  kind: string
  reason: string
  by: string
  at: Millis
  decision: { granted: boolean; by: string; at: Millis; note: string } | null
  may_decide: boolean
}
export const excuses = (from?: Millis) => whole<Excuse>('/excuses', { from })
export const askExcuse = (ask: { scope: Scope; from: Millis; until: Millis; kind: string; reason: string }) =>
  request<Excuse>('POST', '/excuses', { json: ask })
export const decideExcuse = (id: number, granted: boolean, reason: string) =>
  request<Excuse>('POST', `/excuses/${id}/decide`, { json: { granted, reason } })

export type OrderState =
  | 'reported'
  | 'confirmed'
  | 'assigned'
  | 'accepted'
  | 'working'
  | 'on_hold'
  | 'repaired'
  | 'closed'
export const ORDER_STATES: readonly OrderState[] = [
  'reported',
  'confirmed',
  'assigned',
  'accepted',
  'working',
  'on_hold',
  'repaired',
  'closed',
]
export const HOLD_REASONS = [
  'power_cut',
  'road_works',
  'demolition',
  'carrier_fibre',
  'parts',
  'weather',
  'no_access',
] as const
export type OrderAct =
  | 'confirm'
  | 'assign'
  | 'accept'
  | 'decline'
  | 'start'
  | 'hold'
  | 'approve_hold'
  | 'resume'
  | 'finish'
  | 'diagnose'
  | 'accept_repair'
  | 'reject'
  | 'false_alarm'
  | 'merge'
  | 'note'

export interface Assignee {
  kind: string
  user: number | null
  name: string
}
export interface Confirmed {
  suggested: string
  found: string
  note: string
  by: string
  at: Millis
}
export interface Verification {
  camera: number
  at: Millis
  by: string
  passed: boolean
  layer: LayerCode | null
  cause: CauseCode | null
  picture: number | null
}
export interface OrderStep {
  at: Millis
  by: string
  act: string
  from: OrderState
  to: OrderState
  note: string
}
export interface OrderHold {
  reason: string
  since: Millis
  until: Millis
  approved_by: string | null
  third_party: boolean
}

export interface Order {
  id: number
  version: number
  incident: number
  cameras: number[]
  town: number | null
  severity: SeverityCode
  state: OrderState
  opened: Millis
  assignee: Assignee | null
  assigned: Millis | null
  accepted: Millis | null
  response_due: Millis | null
  repair_due: Millis | null
  overdue: boolean
  recovered: Millis | null
  acceptable: Millis | null
  hold: OrderHold | null
  /** Holds that ended, for which a third party may be to blame and nobody has approved it. */
  waited: OrderHold[]
  /** The orders that are dealt with under this one. */
  children: number[]
  response_ms: number | null
  repair_ms: number | null
  closed: Millis | null
  outcome: string | null
  parent: number | null
  confirmed: Confirmed | null
  to_verify: number[]
  verifications: Verification[]
  history: OrderStep[]
  mine: boolean
}
export interface OrderPicture {
  id: number
  kind: 'before' | 'after' | 'photo'
  camera: number | null
  at: Millis
  by: string
  note: string
}
export interface OrderPage {
  order: Order
  incident: Incident | null
  pictures: OrderPicture[]
}
export interface OrderFilter {
  open?: boolean
  state?: string
  camera?: number
  limit?: number
  cursor?: string | null
}
export const orders = (filter: OrderFilter) => request<Page<Order>>('GET', '/orders', { query: { ...filter } })
/** Every open one, those overdue first. */
export const openOrders = () => whole<Order>('/orders', { open: true })
export const order = (id: number) => request<OrderPage>('GET', `/orders/${id}`)
export const openOrder = (incident: number, note: string, toBeConfirmed = false) =>
  request<Order>('POST', '/orders', { json: { incident, note, to_be_confirmed: toBeConfirmed } })

export interface OrderDo {
  act: OrderAct
  version: number
  note?: string
  technician?: number
  contractor?: string
  due?: Millis
  reason?: string
  until?: Millis
  found?: string
  parent?: number
}
export const actOnOrder = (id: number, act: OrderDo) => request<Order>('POST', `/orders/${id}/act`, { json: act })
export const verifyCamera = (id: number, camera: number) =>
  request<{ ladder: Ladder; order: Order }>('POST', `/orders/${id}/verify`, { json: { camera }, limitMs: 90_000 })
export const addPhoto = (id: number, file: Blob, note: string) =>
  request<OrderPicture>('POST', `/orders/${id}/pictures`, {
    raw: { body: file, type: file.type || 'image/jpeg' },
    query: { note },
    limitMs: 120_000,
  })
export const orderPicture = (id: number, picture: number) => `/api/v1/orders/${id}/pictures/${picture}`

export interface Assignees {
  technicians: { id: number; name: string; unit: string; open: number }[]
  contractors: string[]
}
export const assignees = () => request<Assignees>('GET', '/orders/assignees')
export const ordersOfIncident = (id: number) =>
  request<{ orders: Order[]; confirmed: Confirmed | null }>('GET', `/incidents/${id}/orders`)

export interface OrderShare {
  who: Assignee | null
  town: number | null
  orders: number
  accepted: number
  open: number
  overdue: number
  response_ms: number | null
  repair_ms: number | null
  repaired: number
  in_time: number
}
export interface OrderFigures {
  from: Millis
  until: Millis
  all: OrderShare
  by_assignee: OrderShare[]
  by_contractor: OrderShare[]
  by_town: OrderShare[]
  agreement: { suggested: string; found: string; agrees: boolean; count: number }[]
  agreement_rate: number | null
}
export const orderFigures = (from: Millis, until: Millis) =>
  request<OrderFigures>('GET', '/orders/figures', { query: { from, until } })

/** Longest time of a climb on the page, in ms: the service's own limits are shorter. */
const CLIMB_MS = 90_000

/** Climbs a camera's ladder; tells each rung as it is decided and gives the whole at the end. */
export async function climb(camera: number, onRung: (rung: Rung) => void): Promise<Ladder> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), CLIMB_MS)
  try {
    const { body } = await answer('POST', `/cameras/${camera}/climb`, { signal: limit.signal, limitMs: CLIMB_MS })
    if (!body) throw unreachable()
    const reader = body.pipeThrough(new TextDecoderStream()).getReader()
    let rest = ''
    for (;;) {
      const { done, value } = await reader.read()
      rest += value ?? ''
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines.filter((text) => text.trim())) {
        const told = JSON.parse(line) as { rung?: Rung; ladder?: Ladder; problem?: string }
        if (told.rung) onRung(told.rung)
        if (told.ladder) return told.ladder
        if (told.problem) throw new Problem(500, '', '', told.problem, null)
      }
      if (done) throw unreachable()
    }
  } catch (error) {
    if (error instanceof Problem) throw error
    // The link stalled or broke on the way.
    throw unreachable()
  } finally {
    clearTimeout(timer)
    limit.abort()
  }
}
