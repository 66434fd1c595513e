// Channels of notification: their words and their routes.
import { ifMatch, request, seen, whole } from './http'
import type { Millis, Page, SeverityCode } from './types'

export const CHANNEL_KINDS = ['webhook', 'email', 'dingtalk', 'wecom', 'feishu', 'alertmanager'] as const
export type ChannelKind = (typeof CHANNEL_KINDS)[number]
export interface Route {
  least: SeverityCode
  towns: number[]
  sites: number[]
  own: boolean
  settle_s: number
  hours: number[] | null
  digest_minutes: number
  per_hour: number
  resolved: boolean
  orders: boolean
  technicians: number[]
  contractors: string[]
}
export interface Channel {
  id: number
  name: string
  kind: string
  enabled: boolean
  language: string
  route: Route
  shown: string
}
export interface ChannelInput {
  name: string
  enabled: boolean
  language: string
  route: Route
  target: Record<string, unknown> | null
}
export interface Delivery {
  id: number
  channel: number
  at: Millis
  title: string
  incidents: number[]
  orders: number[]
  state: string
  attempts: number
  next: Millis | null
  error: string
  ended: Millis | null
}
export const channels = () => whole<Channel>('/channels')
export const addChannel = (channel: ChannelInput) => request<Channel>('POST', '/channels', { json: channel })
/** A channel as it is now, to be changed. */
export const channel = (id: number) => seen<Channel>(`/channels/${id}`)
export const changeChannel = (id: number, input: ChannelInput, etag: string) =>
  request<Channel>('PUT', `/channels/${id}`, { json: input, ...ifMatch(etag) })
export const removeChannel = (id: number) => request<void>('DELETE', `/channels/${id}`)
export const testChannel = (id: number) =>
  request<{ delivered: boolean; error: string | null }>('POST', `/channels/${id}/test`)
export const deliveries = (channel: number | null, cursor: string | null) =>
  request<Page<Delivery>>('GET', '/channels/deliveries', { query: { channel, cursor, limit: 50 } })
