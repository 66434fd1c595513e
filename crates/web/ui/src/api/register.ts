// The register by hand: its words and its routes.
import { ifMatch, request, seen } from './http'
import type { ImportReport, Ladder, Millis } from './types'

/** The columns of the import's table that a form may set, in the order it shows them. */
export const GROUPS = {
  who: ['town', 'site', 'name', 'gb_code', 'life_cycle'],
  stream: ['main_url', 'sub_url', 'username', 'password', 'transport', 'sessions', 'quirks'],
  network: ['uplink', 'uplink_kbps', 'olt', 'onu_serial'],
  place: ['place_code', 'address', 'longitude', 'latitude', 'coordinates_source', 'power_source', 'power_contact', 'power_phone'],
  device: ['vendor', 'model', 'serial', 'mac', 'installed', 'upkeep_unit', 'upkeep_phone'],
} as const
export type GroupName = keyof typeof GROUPS
export type Column = (typeof GROUPS)[GroupName][number]
export const GROUP_NAMES = Object.keys(GROUPS) as GroupName[]
/** What belongs to one camera alone and is never set for many. */
export const SINGLE: ReadonlySet<Column> = new Set<Column>(['name', 'gb_code', 'main_url', 'sub_url', 'serial', 'mac', 'place_code', 'longitude', 'latitude', 'address', 'coordinates_source'])

export interface CameraCells {
  cells: Record<string, string>
  has_credentials: boolean
  changed: Millis
}
export interface SiteRecord {
  id: number
  name: string
  kind: 'village' | 'central_area'
  town: number
  stat_code: string | null
}
export interface UplinkRecord {
  id: number
  name: string
  olt: string | null
  budget_kbps: number | null
  cameras: number
}
export interface RegisterChange {
  id: number
  at: Millis
  by: string
  kind: 'import' | 'edit' | 'undo'
  detail: string
  added: number
  changed: number
  undoes: number | null
  undone_by: number | null
}

export const cameraCells = (id: number) => seen<CameraCells>(`/register/cameras/${id}`)
/** `etag`: of one camera's record as it was seen. */
export const editCameras = (cameras: number[], cells: Record<string, string>, dryRun: boolean, etag = '') =>
  request<ImportReport>('POST', '/register/cameras', { json: { cameras, cells, dry_run: dryRun }, limitMs: 60_000, ...ifMatch(etag) })
export interface Trial {
  camera: number | null
  main_url: string
  username: string
  password: string
  transport?: string
}
export const tryAddress = (trial: Trial) => request<Ladder>('POST', '/register/trial', { json: trial, limitMs: 90_000 })
export const siteRecord = (id: number) => seen<SiteRecord>(`/register/sites/${id}`)
export const putSite = (id: number, site: Omit<SiteRecord, 'id'>, etag: string) =>
  request<SiteRecord>('PUT', `/register/sites/${id}`, { json: site, ...ifMatch(etag) })
export const uplinkRecord = (id: number) => seen<UplinkRecord>(`/register/uplinks/${id}`)
export const putUplink = (id: number, uplink: Omit<UplinkRecord, 'id' | 'cameras'>, etag: string) =>
  request<UplinkRecord>('PUT', `/register/uplinks/${id}`, { json: uplink, ...ifMatch(etag) })
export const registerChanges = () => request<{ items: RegisterChange[] }>('GET', '/register/changes')
export const undoChange = (id: number) => request<void>('POST', `/register/changes/${id}/undo`)
export const REGISTER_FILE = '/api/v1/register/file'
