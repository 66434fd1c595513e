// Every route of the API that the pages use, one function each.
import { ifMatch, Problem, query, request, seen, whole } from './http'
import type {
  AuditRecord,
  AuditVerification,
  CameraPage,
  DemoState,
  DemoTarget,
  Enrolment,
  EvidenceExport,
  Examination,
  FleetNames,
  Ground,
  Hold,
  ImportReport,
  Incident,
  Ladder,
  Overview,
  GroupCode,
  Page,
  FoundFinding,
  PictureVerdict,
  Report,
  Retention,
  RoleCode,
  SecondFactor,
  SelfHealth,
  Session,
  SignedIn,
  SnapshotEntry,
  SnapshotPicture,
  States,
  StatusInterval,
  Token,
  User,
  VerifiedSnapshot,
  Vocabulary,
} from './types'

export const EVENTS = '/api/v1/events'

export const signIn = (name: string, password: string, code?: string) =>
  request<Session>('POST', '/session', { json: { name, password, ...(code ? { code } : {}) } })
export const session = () => request<Session>('GET', '/session', { limitMs: 10_000 })
export const signOut = () => request<void>('DELETE', '/session')
export const changePassword = (old: string, fresh: string) =>
  request<void>('POST', '/session/password', { json: { old, new: fresh } })

export const ownSessions = () => request<{ items: SignedIn[] }>('GET', '/sessions')
export const endSession = (id: string) => request<void>('DELETE', `/sessions/${id}`)
export const secondFactor = () => request<SecondFactor>('GET', '/session/second-factor')
export const beginSecondFactor = (password: string) =>
  request<Enrolment>('POST', '/session/second-factor', { json: { password } })
export const finishSecondFactor = (code: string) =>
  request<{ codes: string[] }>('PUT', '/session/second-factor', { json: { code } })
export const removeSecondFactor = (password: string) =>
  request<void>('POST', '/session/second-factor/removal', { json: { password } })

export const vocabulary = () => request<Vocabulary>('GET', '/vocabulary')
export const fleet = () => request<FleetNames>('GET', '/fleet')
export const states = () => request<States>('GET', '/states')
export const overview = () => request<Overview>('GET', '/overview')

export const camera = (id: number) => request<CameraPage>('GET', `/cameras/${id}`)
export const ladder = (id: number) => request<Ladder>('GET', `/cameras/${id}/ladder`)
export const probe = (id: number) => request<Ladder>('POST', `/cameras/${id}/probe`, { limitMs: 90_000 })
export const forgetCertificate = (id: number, reason: string) => request<void>('DELETE', `/cameras/${id}/certificate`, { json: { reason } })
export const check = (id: number) => request<void>('POST', `/cameras/${id}/check`)
export const pause = (id: number, until: number | null, reason: string) =>
  request<void>('POST', `/cameras/${id}/pause`, { json: { until, reason } })
export const history = (
  id: number,
  range: { from?: number; until?: number; limit?: number; cursor?: string | null },
) => request<Page<StatusInterval>>('GET', `/cameras/${id}/history`, { query: range })
export const thumbnail = (id: number, version: number) => `/api/v1/cameras/${id}/thumbnail?v=${version}`

/** Why the service refuses a live view; null if it does not (any more). */
export async function liveRefusal(id: number): Promise<Problem | null> {
  try {
    await request<unknown>('GET', `/cameras/${id}/live`, { limitMs: 10_000 })
    return null
  } catch (error) {
    // It asks for a WebSocket: nothing else is wrong.
    return error instanceof Problem && error.status !== 426 && error.status !== 0 ? error : null
  }
}

export const verdict = (id: number) => request<PictureVerdict>('GET', `/cameras/${id}/picture`)
export const confirmVerdict = (id: number, cause: string) =>
  request<void>('POST', `/cameras/${id}/picture/confirm`, { json: { cause } })
export const falseAlarm = (id: number, cause: string, reason: string, until: number) =>
  request<void>('POST', `/cameras/${id}/picture/false-alarm`, { json: { cause, reason, until } })
export const endException = (id: number, cause: string) =>
  request<void>('DELETE', `/cameras/${id}/picture/exceptions/${cause}`)
export const setClasses = (id: number, classes: { cause: string; on: boolean; limit: number | null }[], reason: string) =>
  request<void>('PUT', `/cameras/${id}/picture/classes`, { json: { classes, reason } })
export const snapshotFindings = (id: string) => request<FoundFinding[]>('GET', `/snapshots/${id}/findings`)
export const diagnosisFile = (format: 'csv' | 'xlsx', language: string) =>
  `/api/v1/diagnosis/results/file?${new URLSearchParams({ format, language })}`
export const setBaseline = (id: number, action: 'accept' | 'reset', reason: string, seen: string | null) =>
  request<void>('POST', `/cameras/${id}/picture/baseline`, { json: { action, reason, seen } })

export interface IncidentFilter {
  open?: boolean
  camera?: number
  from?: number
  until?: number
  limit?: number
  cursor?: string | null
}
export const incidents = (filter: IncidentFilter) =>
  request<Page<Incident>>('GET', '/incidents', { query: { ...filter } })
export const incident = (id: number) => request<Incident>('GET', `/incidents/${id}`)
export const acknowledge = (id: number, reason: string, until: number | null) =>
  request<void>('POST', `/incidents/${id}/acknowledge`, { json: { reason, until } })

export interface SnapshotFilter {
  camera?: number | null
  site?: number | null
  town?: number | null
  uplink?: number | null
  incident?: number | null
  from?: number | null
  until?: number | null
  kind?: 'all' | 'snapshot' | 'gap'
  class?: string | null
  status?: string | null
  cause?: string | null
  limit?: number
  cursor?: string | null
}
/** A header carries ASCII only, so the reason goes percent-encoded. */
const because = (reason: string) => (reason ? { headers: { 'x-reason': encodeURIComponent(reason) } } : {})
export const snapshots = (filter: SnapshotFilter, reason: string, signal?: AbortSignal) =>
  request<Page<SnapshotEntry>>('GET', '/snapshots', {
    query: { ...filter },
    ...because(reason),
    ...(signal ? { signal } : {}),
  })
export const snapshot = (id: string, reason: string) =>
  request<VerifiedSnapshot>('GET', `/snapshots/${encodeURIComponent(id)}`, because(reason))
export const picture = (id: string, width: number) =>
  `/api/v1/snapshots/${encodeURIComponent(id)}/picture?width=${width}`
export const original = (id: string) => `/api/v1/snapshots/${encodeURIComponent(id)}/original`

export const examine = (id: string) => request<Examination>('GET', `/snapshots/${encodeURIComponent(id)}/proof`)

/** What to take out: named snapshots, an incident's, or those of a place and time. */
export interface ExportWish {
  snapshots?: string[]
  incident?: number
  camera?: number | null
  site?: number | null
  town?: number | null
  from?: number | null
  until?: number | null
  class?: string | null
  status?: string | null
  cause?: string | null
}
export const askExport = (wish: ExportWish, reason: string, document: string) =>
  request<EvidenceExport>('POST', '/exports', { json: { ...wish, reason, document } })
export const evidenceExports = (cursor: string | null) =>
  request<Page<EvidenceExport>>('GET', '/exports', { query: { limit: 50, cursor } })
export const decideExport = (id: number, approve: boolean, reason: string) =>
  request<EvidenceExport>('POST', `/exports/${id}/decision`, { json: { approve, reason } })
export const removeExport = (id: number) => request<void>('DELETE', `/exports/${id}`)
export const exportFile = (id: number) => `/api/v1/exports/${id}/file`
export const VERIFIER = '/api/v1/exports/verifier'

export const nearest = (camera: number, at: number, reason: string) =>
  request<SnapshotPicture>('GET', '/snapshots/nearest', { query: { camera, at }, ...because(reason) })

export interface HoldRange {
  camera?: number | null
  site?: number | null
  town?: number | null
  from: number
  until: number
}
export const holds = () => whole<Hold>('/holds')
export const placeHold = (
  hold: HoldRange & { kind: Hold['kind']; reason: string; document: string; expires: number | null },
) => request<Hold>('POST', '/holds', { json: hold })
export const releaseHold = (id: number, reason: string) =>
  request<Hold>('POST', `/holds/${id}/release`, { json: { reason } })
export const verifyAudit = () => request<AuditVerification>('GET', '/audit/verification', { limitMs: 60_000 })

export interface NewUser {
  name: string
  full_name: string
  unit: string
  role: RoleCode
  towns: number[]
  sites: number[]
  expires: number | null
}
export const users = () => whole<User>('/users')
/** A user as he is now, to be changed. */
export const user = (id: number) => seen<User>(`/users/${id}`)
export const addUser = (user: NewUser) =>
  request<{ user: User; password: string }>('POST', '/users', { json: user })
export const changeUser = (id: number, change: Partial<NewUser> & { active?: boolean }, etag = '') =>
  request<unknown>('PATCH', `/users/${id}`, { json: change, ...ifMatch(etag) })
/** What the map is drawn on; null: nothing but a plain ground. */
export const mapGround = () => request<{ ground: Ground | null }>('GET', '/map')
export const MAP_TILES = '/api/v1/map/tiles'
export const resetPassword = (id: number) => request<{ password: string }>('POST', `/users/${id}/password`)

export const sessionsOf = (id: number) => request<{ items: SignedIn[] }>('GET', `/users/${id}/sessions`)
export const endSessionsOf = (id: number) => request<void>('DELETE', `/users/${id}/sessions`)
export const removeSecondFactorOf = (id: number) => request<void>('DELETE', `/users/${id}/second-factor`)

export interface NewToken {
  name: string
  role: RoleCode
  towns: number[]
  sites: number[]
  expires: number
}
export const tokens = () => whole<Token>('/tokens')
export const makeToken = (token: NewToken) => request<{ token: Token; secret: string }>('POST', '/tokens', { json: token })
export const revokeToken = (id: number) => request<void>('DELETE', `/tokens/${id}`)

export interface AuditFilter {
  who?: string
  action?: string
  about?: string
  from?: number | null
  until?: number | null
  limit?: number
  cursor?: string | null
}
export const audit = (filter: AuditFilter) => request<Page<AuditRecord>>('GET', '/audit', { query: { ...filter } })

export const auditFile = (filter: AuditFilter, language: string) => `/api/v1/audit/file${query({ ...filter, language })}`

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
export const importCameras = (file: File, dryRun: boolean, allOrNothing: boolean) =>
  request<ImportReport>('POST', '/import', {
    raw: { body: file, type: /\.xlsx$/i.test(file.name) ? XLSX : 'text/csv' },
    query: { dry_run: dryRun, all_or_nothing: allOrNothing },
    limitMs: 180_000,
  })

export interface ReportQuestion {
  period?: 'day' | 'week' | 'month'
  date?: string
  from?: number | null
  until?: number | null
  group?: GroupCode
  town?: number | null
  site?: number | null
  /** Empty: cameras without one. */
  contractor?: string | null
  camera?: number | null
}
/** An empty contractor means something, so it is put in by hand. */
const asked = (question: ReportQuestion, more: Record<string, string> = {}) =>
  query({ ...question, ...more }) + (question.contractor === '' ? '&contractor=' : '')
export const report = (question: ReportQuestion) => request<Report>('GET', `/reports${asked(question)}`)
export const reportFile = (question: ReportQuestion, format: 'csv' | 'xlsx', language: string) =>
  `/api/v1/reports/file${asked(question, { format, language })}`
export const reportIntervals = (question: ReportQuestion, language: string) =>
  `/api/v1/reports/intervals${asked(question, { language })}`

export const retention = () => request<Retention>('GET', '/retention')
export const selfHealth = () => request<SelfHealth>('GET', '/self')
export const demo = () => request<DemoState>('GET', '/demo')
export const demoFault = (target: DemoTarget, fault: string, on: boolean) =>
  request<void>('POST', '/demo/fault', { json: { target, fault, on } })
