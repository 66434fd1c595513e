// The present shift and shifts handed over: their words and their routes.
import type { OrderState } from './desk'
import { request } from './http'
import type { CauseCode, Millis, Overview, OwnFault, Page, Scope, SeverityCode, StatusCode } from './types'

export interface ShiftReport {
  from: Millis
  until: Millis
  then: Record<StatusCode, number> | null
  now: Record<StatusCode, number>
  changed: { camera: number; before: StatusCode; now: StatusCode; cause: CauseCode | null; since: Millis }[]
  changed_in_all: number
  turned_offline: number
  turned_online: number
  incidents_opened: number
  incidents_resolved: number
  incidents: {
    id: number
    scope: Scope
    severity: SeverityCode
    cause: CauseCode
    opened: Millis
    cameras: number
    acknowledged: string | null
  }[]
  incidents_open: number
  orders_opened: number
  orders_closed: number
  orders: {
    id: number
    incident: number
    state: OrderState
    severity: SeverityCode
    assignee: string
    due: Millis | null
    overdue: boolean
  }[]
  orders_open: number
  orders_overdue: number
  windows: { id: number; scope: Scope; from: Millis; until: Millis; reason: string }[]
  own_faults: OwnFault[]
  archive: Overview['archive']
}

export interface Signature {
  by: string
  by_detail: string
  at: Millis
  note: string
}

export interface Handover {
  id: number
  from: Millis
  until: Millis
  given: Signature
  taken: Signature | null
  may_take: boolean
}

export const shift = (from?: Millis | null) => request<ShiftReport>('GET', '/shift', { query: { from } })
export const handovers = (cursor?: string | null) =>
  request<Page<Handover>>('GET', '/handovers', { query: { limit: 30, cursor } })
export const handover = (id: number) =>
  request<{ handover: Handover; report: ShiftReport }>('GET', `/handovers/${id}`)
export const giveShift = (from: Millis, note: string) => request<Handover>('POST', '/handovers', { json: { from, note } })
export const takeShift = (id: number, note: string) =>
  request<Handover>('POST', `/handovers/${id}/take`, { json: { note } })
