// Reports by mail: their words and their routes.
import { ifMatch, request, seen, whole } from './http'
import type { GroupCode, Millis, Page } from './types'

export const EVERY = ['day', 'week', 'month'] as const
export type Every = (typeof EVERY)[number]
export interface MailingInput {
  name: string
  enabled: boolean
  every: Every
  weekday: number
  day: number
  minute: number
  group: GroupCode
  town: number | null
  site: number | null
  contractor: string | null
  channel: number
  to: string[]
  language: string
}
export interface Mailing extends MailingInput {
  id: number
}
export interface Sending {
  id: number
  mailing: number
  from: Millis
  until: Millis
  at: Millis
  state: string
  attempts: number
  next: Millis | null
  error: string
  ended: Millis | null
}
export const mailings = () => whole<Mailing>('/mailings')
export const mailing = (id: number) => seen<Mailing>(`/mailings/${id}`)
export const addMailing = (input: MailingInput) => request<Mailing>('POST', '/mailings', { json: input })
export const changeMailing = (id: number, input: MailingInput, etag: string) =>
  request<Mailing>('PUT', `/mailings/${id}`, { json: input, ...ifMatch(etag) })
export const removeMailing = (id: number) => request<void>('DELETE', `/mailings/${id}`)
export const testMailing = (id: number) =>
  request<{ delivered: boolean; error: string | null }>('POST', `/mailings/${id}/test`)
export const sendings = (cursor: string | null) =>
  request<Page<Sending>>('GET', '/mailings/sendings', { query: { cursor, limit: 50 } })
