// The words of the JSON API, version 1. Times are milliseconds since 1970 in UTC.

export type StatusCode = 'online' | 'impaired' | 'offline' | 'unknown' | 'paused'
export type LayerCode =
  | 'address'
  | 'network'
  | 'port'
  | 'rtsp'
  | 'auth'
  | 'media'
  | 'flow'
  | 'decode'
  | 'picture'
  | 'clock'
export type CauseCode = string
export type SeverityCode = 'minor' | 'major' | 'critical'
export type RoleCode = 'operator' | 'technician' | 'auditor' | 'administrator' | 'security'
export type Millis = number

/** Every status, in the order screens show them. */
export const STATUSES: readonly StatusCode[] = ['online', 'impaired', 'offline', 'unknown', 'paused']
/** Every rung of the ladder, lowest first. */
export const LAYERS: readonly LayerCode[] = [
  'address',
  'network',
  'port',
  'rtsp',
  'auth',
  'media',
  'flow',
  'decode',
  'picture',
  'clock',
]
/** Worst first. */
export const SEVERITIES: readonly SeverityCode[] = ['critical', 'major', 'minor']
export const ROLES: readonly RoleCode[] = ['operator', 'technician', 'auditor', 'administrator', 'security']

export interface User {
  id: number
  name: string
  full_name: string
  unit: string
  role: RoleCode
  towns: number[]
  sites: number[]
  active: boolean
  expires: Millis | null
  must_change_password: boolean
  second_factor: boolean
  created: Millis
}

export interface Session {
  user: User
  version: string
  demo: boolean
  now: Millis
  must_change_password: boolean
  /** The role must have a second factor and has none: nothing else can be used before. */
  second_factor_missing: boolean
  /** System, security and audit administration are in different hands. */
  separate_duties: boolean
}

/** A signed-in browser. */
export interface SignedIn {
  id: string
  created: Millis
  used: Millis
  expires: Millis
  address: string
  agent: string
  current: boolean
}

export interface SecondFactor {
  since: Millis | null
  recovery_left: number
  required: boolean
}
export interface Enrolment {
  secret: string
  address: string
}

/** A program's right to use the API. */
export interface Token {
  id: number
  name: string
  role: RoleCode
  towns: number[]
  sites: number[]
  maker: string
  created: Millis
  expires: Millis
  used: Millis | null
  revoked: Millis | null
}

export interface Word {
  code: string
  zh: string
  en: string
}

export interface CauseWord extends Word {
  layer: LayerCode
  status: StatusCode
  next_zh: string
  next_en: string
}

export interface RuleWord extends Word {
  scope: string
  situation: string
  layer: LayerCode | null
  cause: CauseCode | null
  likely: string
  confidence: number
}
/** A rule that makes one incident of many cameras. */
export interface JoiningWord extends Word {
  shared: string
  parts: number
  share: number
  within_s: number | null
}

export interface Vocabulary {
  statuses: Word[]
  layers: Word[]
  causes: CauseWord[]
  likely: Word[]
  severities: Word[]
  classes: Word[]
  roles: Word[]
  parts: Word[]
  order_states: Word[]
  order_outcomes: Word[]
  hold_reasons: Word[]
  rule_scopes: Word[]
  situations: Word[]
  rules: RuleWord[]
  shared: Word[]
  joinings: JoiningWord[]
}

export interface Town {
  id: number
  name: string
}
export interface Site {
  id: number
  name: string
  kind: 'village' | 'central_area'
  town: number
}
export interface Uplink {
  id: number
  name: string
  olt: string | null
}
export interface CameraName {
  /** Degrees east and north, WGS-84. */
  at: number[] | null
  id: number
  name: string
  site: number
  uplink: number | null
}
export interface FleetNames {
  towns: Town[]
  sites: Site[]
  uplinks: Uplink[]
  cameras: CameraName[]
}

export type Counts = Record<StatusCode, number>

export interface CameraState {
  id: number
  status: StatusCode
  since: Millis
  layer: LayerCode | null
  cause: CauseCode | null
  /** Other faults that were confirmed too, while its video arrives. */
  besides: CauseCode[]
  detail: string
  confirming: boolean
  flapping: boolean
  last_picture: Millis | null
  last_snapshot: Millis | null
  next_try: Millis | null
  /** 0: no picture yet; else the version of the thumbnail. */
  thumb: number
}

export interface OwnFault {
  part: string
  detail: string
}

export interface States {
  seq: number
  at: Millis
  counts: Counts
  cameras: CameraState[]
  own_faults: OwnFault[]
}

export interface StatusInterval {
  camera: number
  from: Millis
  until: Millis | null
  status: StatusCode
  layer: LayerCode | null
  cause: CauseCode | null
  detail: string
}

export interface Overview {
  counts: Counts
  total: number
  online_rate: number | null
  intact_rate: number | null
  towns: { town: number; counts: Counts; total: number; online_rate: number | null }[]
  worst_sites: { site: number; counts: Counts; total: number }[]
  recent: StatusInterval[]
  incidents: Record<SeverityCode, number>
  /** null while they are being counted. */
  snapshots_24h: { stored: number; gaps: number } | null
  archive: { state: string; records: number; bytes: number; free_bytes: number; oldest: Millis | null }
}

export interface CameraRecord {
  id: number
  name: string
  site: number
  town: number
  uplink: number | null
  gb_code: string | null
  gb_fault: string | null
  main_url: string | null
  sub_url: string | null
  transport: string
  life_cycle: string
  place: {
    code?: string | null
    address?: string | null
    coordinates?: { longitude: number; latitude: number; source?: string | null } | null
    power?: { source?: string | null; contact?: string | null; phone?: string | null } | null
    onu_serial?: string | null
  }
  device: {
    vendor?: string | null
    model?: string | null
    serial?: string | null
    mac?: string | null
    installed?: string | null
    sessions?: number | null
    quirks: string
  }
  upkeep: { unit?: string | null; phone?: string | null }
  has_credentials: boolean
}

export interface Figures {
  window_ms: number
  codec: string | null
  profile: string | null
  width: number
  height: number
  packets: number
  lost: number
  reordered: number
  duplicates: number
  longest_gap_ms: number
  bitrate: number
  fps: number
  keyframes: number
  keyframe_age_ms: number | null
  keyframe_interval_ms: number | null
  first_keyframe_ms: number | null
  jitter_ms: number
  clock_offset_ms: number | null
  clock_uncertainty_ms: number | null
  clock_drift_ppm: number | null
  clock_drift_uncertainty_ppm: number | null
  clock_absurd: boolean
}

export type StreamCode = 'main' | 'sub'
export interface Carriage {
  transport: string
  fallback: string | null
}
export interface StreamFormat {
  stream: StreamCode
  from: Millis
  codec: string
  profile: string | null
  width: number
  height: number
}
export interface Certificate {
  sha256: string
  seen: Millis
}

export interface CameraPage {
  camera: CameraRecord
  state: CameraState
  stream: StreamCode
  carriage: Carriage | null
  figures: Figures | null
  formats: StreamFormat[]
  certificate: Certificate | null
  incidents: Incident[]
}

export type LevelCode = 'slight' | 'severe'
/** What came of diagnosing a picture; the first four are no fault of the picture and no judgement on it. */
export type OutcomeCode = 'not_checked' | 'login_failed' | 'no_stream' | 'not_decoded' | 'normal' | 'slight' | 'severe'
export type SaidCode = 'confirmed' | 'false_alarm'
export type MeasureCode = 'brightness' | 'sharpness' | 'noise' | 'stripes' | 'plain' | 'scene'
/** A box on a picture: shares of its width and height from the upper left corner. */
export interface Area {
  left: number
  top: number
  width: number
  height: number
}
/** One class as it is judged on one camera. */
export interface ClassRule {
  cause: CauseCode
  on: boolean
  off_for_all: boolean
  limit: number | null
  usual: number | null
  lowest: number | null
  highest: number | null
}
/** What was found on a camera's picture when a snapshot was taken. */
export interface FoundFinding {
  cause: CauseCode
  level: LevelCode
  confidence: number
  measured: number
  threshold: number
  detail: string
  since: Millis
  until: Millis | null
  areas: Area[]
  twin: number | null
}
export interface PictureFinding {
  cause: CauseCode
  level: LevelCode
  confidence: number
  measured: number
  threshold: number
  detail: string
  areas: Area[]
  twin: number | null
  since: Millis
  excepted: boolean
  said: SaidCode | null
}
export interface PictureWord {
  cause: CauseCode
  since: Millis
  said: SaidCode
  at: Millis
  who: string
  who_detail: string
  reason: string
  until: Millis | null
}
export interface SnapshotName {
  id: string
  captured: Millis
}
/** By which light a camera sees: daylight, colour in the dark, infrared. */
export type LightCode = 'day' | 'dark' | 'infrared'
/** The verdict on a camera's picture. While it is not judged the findings are those of the last picture that was. */
export interface PictureVerdict {
  outcome: OutcomeCode
  unchecked_since: Millis | null
  judged: Millis | null
  level: LevelCode | null
  findings: PictureFinding[]
  measures: { kind: MeasureCode; value: number; low: number | null; high: number | null }[]
  classes: ClassRule[]
  baseline: {
    light: LightCode
    day: number
    dark: number
    infrared: number
    needed: number
    settled: number
    reference: SnapshotName | null
    accepted_by: string | null
    accepted: Millis | null
  }
  present: SnapshotName | null
  exceptions: PictureWord[]
  words: PictureWord[]
}

export type RungOutcome = 'passed' | 'failed' | 'skipped'
export interface Rung {
  layer: LayerCode
  outcome: RungOutcome
  ms: number | null
  cause: CauseCode | null
  confidence: ConfidenceCode | null
  evidence: string
}
export type ConfidenceCode = 'possible' | 'likely' | 'certain'
export interface Ladder {
  at: Millis
  source: 'session' | 'probe'
  status: StatusCode
  layer: LayerCode | null
  cause: CauseCode | null
  confidence: ConfidenceCode | null
  rungs: Rung[]
  transcript: string | null
}

export type ScopeKind = 'camera' | 'uplink' | 'site' | 'olt' | 'town' | 'county' | 'own'
export interface Scope {
  kind: ScopeKind
  /** Absent for the county and ourselves; the name of a line terminal. */
  id?: number | string | null
}
export interface Incident {
  id: number
  scope: Scope
  opened: Millis
  resolved: Millis | null
  severity: SeverityCode
  cause: CauseCode
  likely: string
  confidence: number
  evidence: { rule: string; weight: number; zh: string; en: string }[]
  members: { camera: number; joined: Millis; left: Millis | null; cause: CauseCode }[]
  acknowledged: { by: string; at: Millis; reason: string; until: Millis | null } | null
  folded_into: number | null
  reopened: Millis[]
}

export interface SnapshotPicture {
  kind: 'snapshot'
  id: string
  camera: number
  slot: Millis
  class: string
  captured: Millis
  camera_clock: Millis | null
  camera_clock_uncertainty_ms: number | null
  codec: string
  converted_from: string | null
  width: number
  height: number
  bytes: number
  sha256: string
  status: StatusCode
  cause: CauseCode | null
}
export interface SnapshotGap {
  kind: 'gap'
  camera: number
  slot: Millis
  slots: number
  every_ms: number
  cause: CauseCode
  detail: string
}
export type SnapshotEntry = SnapshotPicture | SnapshotGap
export type VerifiedSnapshot = SnapshotPicture & { verified: boolean }

export type LinkCode = 'picture' | 'record' | 'tree' | 'seal' | 'manifest' | 'signature' | 'chain'
export interface Examination {
  steps: { link: LinkCode; outcome: 'holds' | 'fails' | 'not_reached'; found: string }[]
  segment: number | null
  records: number | null
  sealed: Millis | null
  path: string[]
  node: string | null
}

export interface Hold {
  id: number
  kind: 'legal' | 'audit'
  cameras: number[]
  from: Millis
  until: Millis
  reason: string
  document: string
  by: string
  placed: Millis
  expires: Millis | null
  holds: boolean
  released: Millis | null
  released_by: string | null
  release_reason: string | null
}
export interface AuditVerification {
  records: number
  first_wrong: number | null
  anchors: number
  anchors_wrong: string[]
  anchored_to: number | null
}

export type ExportState =
  | 'awaiting_approval'
  | 'queued'
  | 'running'
  | 'done'
  | 'failed'
  | 'refused'
  | 'cancelled'
  | 'expired'
export interface EvidenceExport {
  id: number
  created: Millis
  who: string
  who_detail: string
  reason: string
  document: string
  asked: string
  state: ExportState
  decided_by: string | null
  decision: string
  changed: Millis
  done: number | null
  total: number | null
  snapshots: number
  gaps: number
  left_out: number
  bytes: number
  sha256: string
  error: string
  expires: Millis | null
}

export interface AuditRecord {
  seq: number
  at: Millis
  who: string
  who_detail: string
  address: string
  action: string
  object: string
  reason: string
  success: boolean
  detail: string
}

export type ImportOutcome = 'added' | 'changed' | 'unchanged' | 'rejected'
export interface ImportRow {
  line: number
  name: string
  outcome: ImportOutcome
  fields: string[]
  faults: ImportFault[]
  warnings: string[]
}
export interface ImportFault {
  line: number
  column: string
  value: string
  expected: string
}
export interface ImportReport {
  applied: boolean
  counts: Record<ImportOutcome, number>
  rows: ImportRow[]
}

export interface SelfHealth {
  version: string
  started: Millis
  uptime_s: number
  cpu_percent: number
  rss_bytes: number
  own_faults: OwnFault[]
  processes: { part: string; processes: number; cpu_percent: number; rss_bytes: number }[]
  machine: {
    system: string
    kernel: string
    cores: number
    cpu_percent: number | null
    load: number[] | null
    memory_bytes: number | null
    available_bytes: number | null
    uptime_s: number | null
  }
  disks: { holds: string[]; total_bytes: number; free_bytes: number; full_in_days: number | null }[]
  queues: { name: string; waiting: number; most: number | null }[]
  clock: { now: Millis; kept: boolean | null; offset_us: number | null; within_us: number | null }
  ingest: Record<string, unknown>
  decoders: Record<string, unknown>
  archive: Record<string, unknown>
  database: {
    state: string
    detail: string
    engine: string
    bytes: number
    log_bytes: number
    last_write: Millis | null
    last_write_ms: number | null
  }
  certificate: { sha256: string; trouble: string | null } | null
  unsent_reports: { mailing: number; name: string; from: Millis; until: Millis; attempts: number; next: Millis | null; error: string }[] | null
  verdicts: {
    since: Millis
    confirmed: number
    false_alarms: number
    confirmed_share: number | null
    exceptions: number
    classes: { cause: CauseCode; confirmed: number; false_alarms: number }[]
  } | null
}

/** What the map is drawn on. */
export interface Ground {
  kind: string
  least_zoom: number
  most_zoom: number
  /** West, south, east, north. */
  bounds: number[]
  attribution: string
  gcj02: boolean
}

/** What is kept alike: some classes, of one place or of everywhere else. */
export interface Kept {
  classes: string[]
  place: string | null
  days: number | null
  most_bytes: number | null
  bytes: number
  segments: number
  records: number
  daily_bytes: number | null
  oldest: Millis | null
  next_purge: Millis | null
  over: boolean
}
export interface Purge {
  segment: number
  at: Millis
  records: number
  bytes: number | null
  oldest: Millis
  newest: Millis
  reason: string
  classes: string[]
  place: string | null
}
export interface Retention {
  keep_days: number
  most_bytes: number | null
  high_water_percent: number
  bytes: number
  free_bytes: number
  kept: Kept[]
  held: {
    days: number | null
    most_bytes: number | null
    holds: number
    segments: number
    bytes: number
    overdue_bytes: number
  }
  places: { name: string; covers: string[]; unknown: string[] }[]
  forecast: { pressed_in_days: number | null; refused_in_days: number | null; settled_bytes: number | null; store_away: boolean } | null
  purges: Purge[]
}

export interface DemoTarget {
  kind: 'camera' | 'site' | 'uplink' | 'all'
  id?: number | null
}
export interface DemoState {
  faults: Word[]
  active: { target: DemoTarget; fault: string }[]
}

export interface Page<T> {
  items: T[]
  next: string | null
}

// ---- reports ----

export const GROUPS = ['town', 'site', 'contractor', 'camera'] as const
export type GroupCode = (typeof GROUPS)[number]

/** Rates are 0–1 and null without a denominator. */
export interface ReportFigures {
  online_at_end: number | null
  online_by_duration: number | null
  online_by_samples: number | null
  days_complete: number
  days_incomplete: number
  intact: number | null
  picture_fault: number | null
  picture_fault_by_class: { cause: CauseCode; rate: number }[]
  completeness: number | null
  stored: number
  gaps: number
  repaired_in_time: number | null
  due: number
  in_time: number
  repeated: number | null
  repeats: number
  outages: number
  standing: number
  ended: number
  mttr_ms: number | null
  mtbf_ms: number | null
  judged_ms: number
  offline_ms: number
  unknown: number | null
  paused: number | null
  excused: number | null
}

export interface GroupRow {
  id: number | null
  name: string
  town: string | null
  site: string | null
  cameras: number
  figures: ReportFigures
  before: ReportFigures | null
}

export interface Report {
  period: 'day' | 'week' | 'month' | 'range'
  from: number
  until: number
  as_of: number | null
  frozen: { at: number; hash: string } | null
  repair_within_ms: number
  repeat_within_ms: number
  group: GroupCode
  cameras: number
  total: ReportFigures
  before_from: number
  before_until: number
  before: ReportFigures | null
  groups: GroupRow[]
  trend_step: 'hour' | 'day' | 'month'
  trend: {
    at: number
    online_by_duration: number | null
    intact: number | null
    picture_fault: number | null
    completeness: number | null
    unknown: number | null
    outages: number
    offline_ms: number
  }[]
}
