// Holds our words (types.ts) against the service's OpenAPI document (schema.ts): what it answers must fit what the
// pages expect. Compiled, never run: a drift between the two fails the type check.
import type { components } from './schema'
import type * as Channels from './channels'
import type * as Desk from './desk'
import type * as Mailings from './mailings'
import type * as Handovers from './handovers'
import type * as Register from './register'
import type * as Ours from './types'

type Theirs = components['schemas']

/** The service always tells every field; in the document one that may be null counts as optional. */
type Told<T> = T extends readonly (infer U)[]
  ? Told<U>[]
  : T extends object
    ? { [K in keyof T]-?: Told<Exclude<T[K], undefined>> }
    : T

/** `true` if what the service tells can stand where the pages expect ours. */
type Fits<T, O> = [Told<T>] extends [O] ? true : { told: Told<T>; expected: O }

// Closed lists that the document gives as plain text.
type Incident = Omit<Ours.Incident, 'scope'> & { scope: { kind: string; id?: number | string | null } }
type ImportRow = Omit<Ours.ImportRow, 'outcome'> & { outcome: string }

type Examination = Omit<Ours.Examination, 'steps'> & { steps: { link: string; outcome: string; found: string }[] }
type Placed<T> = Omit<T, 'scope'> & { scope: Incident['scope'] }

type ShiftOurs = Omit<Handovers.ShiftReport, 'incidents' | 'windows'> & {
  incidents: Placed<Handovers.ShiftReport['incidents'][number]>[]
  windows: Placed<Handovers.ShiftReport['windows'][number]>[]
}

type Nearest = Omit<Ours.SnapshotPicture, 'kind'>
type Hold = Omit<Ours.Hold, 'kind'> & { kind: string }

type Contract = {
  session: Fits<Theirs['SessionView'], Ours.Session>
  vocabulary: Fits<Theirs['Vocabulary'], Ours.Vocabulary>
  fleet: Fits<Theirs['FleetView'], Ours.FleetNames>
  states: Fits<Theirs['States'], Ours.States>
  overview: Fits<Theirs['Overview'], Ours.Overview>
  camera: Fits<Theirs['CameraPage'], Omit<Ours.CameraPage, 'incidents'> & { incidents: Incident[] }>
  ladder: Fits<Theirs['Ladder'], Ours.Ladder>
  history: Fits<Theirs['IntervalView'], Ours.StatusInterval>
  found: Fits<Theirs['FoundView'], Ours.FoundFinding>
  picture: Fits<Theirs['PictureView'], Ours.PictureVerdict>
  verdicts: Fits<Theirs['VerdictsView'], NonNullable<Ours.SelfHealth['verdicts']>>
  processes: Fits<Theirs['ProcessView'], Ours.SelfHealth['processes'][number]>
  machine: Fits<Theirs['MachineView'], Ours.SelfHealth['machine']>
  disks: Fits<Theirs['DiskView'], Ours.SelfHealth['disks'][number]>
  queues: Fits<Theirs['QueueView'], Ours.SelfHealth['queues'][number]>
  clock: Fits<Theirs['ClockView'], Ours.SelfHealth['clock']>
  database: Fits<Theirs['Database'], Ours.SelfHealth['database']>
  incident: Fits<Theirs['IncidentView'], Incident>
  snapshots: Fits<Theirs['SnapshotEntry'], Ours.SnapshotEntry>
  snapshot: Fits<Theirs['Verified'], Ours.VerifiedSnapshot>
  examination: Fits<Theirs['ExaminationView'], Examination>
  export: Fits<Theirs['ExportView'], Ours.EvidenceExport>
  nearest: Fits<Theirs['SnapshotView'], Nearest>
  holds: Fits<Theirs['HoldView'], Hold>
  retention: Fits<Theirs['RetentionView'], Ours.Retention>
  auditVerification: Fits<Theirs['AuditVerification'], Ours.AuditVerification>
  sessions: Fits<Theirs['SignedIn'], Ours.SignedIn>
  secondFactor: Fits<Theirs['SecondFactor'], Ours.SecondFactor>
  enrolment: Fits<Theirs['Enrolment'], Ours.Enrolment>
  tokens: Fits<Theirs['Token'], Ours.Token>
  users: Fits<Theirs['User'], Ours.User>
  audit: Fits<Theirs['AuditView'], Ours.AuditRecord>
  record: Fits<Theirs['Record'], Register.CameraCells>
  siteRecord: Fits<Theirs['SiteRecord'], Register.SiteRecord>
  uplinkRecord: Fits<Theirs['UplinkRecord'], Register.UplinkRecord>
  registerChanges: Fits<Theirs['ChangeView'], Register.RegisterChange>
  report: Fits<Theirs['Report'], Ours.Report>
  import: Fits<Theirs['ImportReport'], Omit<Ours.ImportReport, 'rows'> & { rows: ImportRow[] }>
  windows: Fits<Theirs['WindowView'], Placed<Desk.Window>>
  excuses: Fits<Theirs['ExcuseView'], Placed<Desk.Excuse>>
  orders: Fits<Theirs['OrderView'], Desk.Order>
  order: Fits<Theirs['OrderPage'], Omit<Desk.OrderPage, 'incident'> & { incident: Incident | null }>
  orderFigures: Fits<Theirs['OrderFiguresView'], Desk.OrderFigures>
  assignees: Fits<Theirs['Assignees'], Desk.Assignees>
  incidentOrders: Fits<Theirs['IncidentOrders'], { orders: Desk.Order[]; confirmed: Desk.Confirmed | null }>
  shift: Fits<Theirs['ShiftReport'], ShiftOurs>
  handover: Fits<Theirs['HandoverView'], Handovers.Handover>
  channels: Fits<Theirs['ChannelView'], Channels.Channel>
  deliveries: Fits<Theirs['DeliveryView'], Channels.Delivery>
  mailings: Fits<Theirs['MailingView'], Mailings.Mailing>
  sendings: Fits<Theirs['SendingView'], Mailings.Sending>
  unsentReports: Fits<Theirs['UnsentReport'], NonNullable<Ours.SelfHealth['unsent_reports']>[number]>
  ground: Fits<Theirs['GroundView'], Ours.Ground>
  demo: Fits<Theirs['DemoState'], Ours.DemoState>
}

type AllHold<T extends Record<keyof T, true>> = T
export type Checked = AllHold<Contract>
