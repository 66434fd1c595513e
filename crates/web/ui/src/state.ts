// What every page shares: who is signed in, the names of the fleet, the words of the closed lists, the live board.
import { computed, shallowRef } from 'vue'
import * as api from '@/api/client'
import { orders } from '@/api/desk'
import { Problem, whenSignedOut } from '@/api/http'
import type { CauseWord, Incident, RoleCode, JoiningWord, RuleWord, Scope, Session, Vocabulary, Word } from '@/api/types'
import { language, t } from '@/i18n'
import { Board } from '@/live/board'
import { connect } from '@/live/link'
import { Names } from '@/live/names'

export const board = new Board()
export const session = shallowRef<Session | null>(null)
export const names = shallowRef<Names>(new Names({ towns: [], sites: [], uplinks: [], cameras: [] }))
const vocabulary = shallowRef<Vocabulary | null>(null)
/** Why there is nothing to show yet: the service did not answer, or not well; null while all is well. */
export const startProblem = shallowRef<Problem | null>(null)
/** The service's clock minus ours. */
let skew = 0

/** Now, by the service's clock. */
export function now(): number {
  return Date.now() + skew
}

// ---- who may do what (the service decides; this only hides what it would refuse) ----

export type Power =
  | 'watch'
  | 'live'
  | 'incidents'
  | 'acknowledge'
  | 'snapshots'
  | 'original'
  | 'export'
  | 'probe'
  | 'pause'
  | 'handovers'
  | 'confirmVerdict'
  | 'judgePicture'
  | 'setDiagnosis'
  | 'users'
  | 'channels'
  | 'certificate'
  | 'audit'
  | 'import'
  | 'self'
  | 'retention'
  | 'demo'

const POWERS: Record<Exclude<Power, 'demo'>, readonly RoleCode[]> = {
  watch: ['operator', 'technician', 'auditor', 'administrator'],
  live: ['operator', 'technician', 'administrator'],
  incidents: ['operator', 'technician', 'auditor', 'administrator'],
  acknowledge: ['operator', 'administrator'],
  snapshots: ['operator', 'auditor', 'administrator'],
  original: ['auditor', 'administrator'],
  export: ['auditor', 'administrator'],
  probe: ['technician', 'operator', 'administrator'],
  pause: ['operator', 'administrator'],
  handovers: ['operator', 'auditor', 'administrator'],
  confirmVerdict: ['technician', 'operator', 'administrator'],
  judgePicture: ['operator', 'administrator'],
  setDiagnosis: ['administrator'],
  channels: ['administrator'],
  certificate: ['administrator'],
  users: ['administrator', 'security'],
  audit: ['auditor', 'administrator'],
  import: ['administrator'],
  self: ['administrator', 'operator'],
  retention: ['administrator'],
}

export function may(power: Power): boolean {
  const now = session.value
  if (!now) return false
  if (power === 'demo') return now.demo && ['operator', 'administrator'].includes(now.user.role)
  // Three hands 三员分立: what is the security administrator's or the auditor's is nobody else's.
  if (now.separate_duties && power === 'users') return now.user.role === 'security'
  if (now.separate_duties && (power === 'audit' || power === 'original' || power === 'export')) return now.user.role === 'auditor'
  return POWERS[power].includes(now.user.role)
}

// ---- whose present pictures one sees: a technician those of the open orders given to him, an auditor none (his are in
// the archive, for a stated reason) ----

const given = shallowRef<ReadonlySet<number>>(new Set())
export function sees(camera: number): boolean {
  const role = session.value?.user.role
  return role === 'technician' ? given.value.has(camera) : role !== 'auditor'
}
/** Reads anew which cameras were given to him (after an order was taken on or closed, say). */
export async function loadGiven(): Promise<void> {
  if (session.value?.user.role !== 'technician') return
  const page = await orders({ open: true, limit: 500 })
  given.value = new Set(page.items.flatMap((order) => order.cameras))
}

// ---- words ----

function pick(word: Word | undefined, code: string): string {
  if (!word) return code
  return language.value === 'en' ? word.en.charAt(0).toUpperCase() + word.en.slice(1) : word.zh
}

type List = 'statuses' | 'parts' | 'layers' | 'likely' | 'severities' | 'classes' | 'roles' | 'order_states' | 'order_outcomes' | 'hold_reasons' | 'rule_scopes' | 'situations' | 'shared'
/** The word for a code of a closed list; the code itself if the list does not know it. */
export function word(list: List, code: string | null | undefined): string {
  if (!code) return ''
  return pick(
    vocabulary.value?.[list].find((entry) => entry.code === code),
    code,
  )
}

/** The rules that infer causes, with their sentences. */
export const rules = computed<readonly RuleWord[]>(() => vocabulary.value?.rules ?? [])
/** The rules that make one incident of many cameras. */
export const joinings = computed<readonly JoiningWord[]>(() => vocabulary.value?.joinings ?? [])
/** Everything that may lie behind an incident. */
export const likelyWords = computed<readonly Word[]>(() => vocabulary.value?.likely ?? [])
const causesByCode = computed(() => new Map((vocabulary.value?.causes ?? []).map((cause) => [cause.code, cause])))
export const causes = computed<readonly CauseWord[]>(() => vocabulary.value?.causes ?? [])
export function cause(code: string | null | undefined): string {
  return code ? pick(causesByCode.value.get(code), code) : ''
}
export function causeWord(code: string | null | undefined): CauseWord | undefined {
  return code ? causesByCode.value.get(code) : undefined
}
/** What the technician should do next. */
export function nextStep(code: string | null | undefined): string {
  const found = causeWord(code)
  return found ? (language.value === 'en' ? found.next_en : found.next_zh) : ''
}
export function bilingual(text: { zh: string; en: string }): string {
  return language.value === 'en' ? text.en : text.zh
}

// ---- incidents ----

export const openIncidents = computed<Incident[]>(() =>
  [...board.incidents.value.values()]
    .filter((incident) => incident.resolved === null && incident.folded_into === null)
    .sort((a, b) => b.opened - a.opened || b.id - a.id),
)
/** What an incident is about, by name. */
export function scopeName(incident: Incident): string {
  return nameOf(incident.scope)
}
/** What a place is called; what kind of place it is where it has no name. */
export function placeName(scope: Scope): string {
  return nameOf(scope) || t(`scope.${scope.kind}`)
}
function nameOf({ kind, id }: Scope): string {
  const known = names.value
  if (kind === 'camera') return known.camera(Number(id))
  if (kind === 'site') return known.site(Number(id))
  if (kind === 'uplink') return known.uplink(Number(id))
  if (kind === 'town') return known.town(Number(id))
  if (kind === 'olt') return String(id ?? '')
  return ''
}

// ---- start and end ----

let disconnect: (() => void) | null = null

async function allOpenIncidents(): Promise<Incident[]> {
  const all: Incident[] = []
  let cursor: string | null = null
  // Bounded: a county has hundreds of open incidents at the very worst.
  for (let page = 0; page < 20; page += 1) {
    const answer = await api.incidents({ open: true, limit: 500, cursor })
    all.push(...answer.items)
    cursor = answer.next
    if (cursor === null) break
  }
  return all
}

function setSession(found: Session | null): void {
  session.value = found
  if (found) skew = found.now - Date.now()
}

let hurry: () => void = () => {}
/** Asks who is signed in until the service answers. */
export async function meetService(): Promise<void> {
  for (;;) {
    try {
      await findSession()
      startProblem.value = null
      return
    } catch (error) {
      down(error)
      await new Promise<void>((again) => (hurry = again))
    }
  }
}
/** Whoever shows that the service does not answer says when to ask again. */
export function meetNow(): void {
  hurry()
}

/** Asks who is signed in; null if nobody is. */
export async function findSession(): Promise<Session | null> {
  try {
    setSession(await api.session())
  } catch (error) {
    if (error instanceof Problem && error.status === 401) setSession(null)
    else throw error
  }
  return session.value
}

export async function signIn(name: string, password: string, code?: string): Promise<Session> {
  const found = await api.signIn(name, password, code)
  setSession(found)
  return found
}

/** Reads names and words anew (after an import, say). */
export async function loadNames(): Promise<void> {
  const [fleet, words] = await Promise.all([api.fleet(), api.vocabulary()])
  names.value = new Names(fleet)
  vocabulary.value = words
}

/** Nothing can be shown before the first rows are there; later the board says of when it is. */
function down(why: unknown): void {
  if (!board.loaded.value) startProblem.value = why instanceof Problem ? why : new Problem(0, 'unreachable', '', '', null)
}

/** Names, words and the live line, once somebody is signed in. Does nothing the second time. */
export function startBoard(): void {
  if (disconnect) return
  let first: Promise<void> | null = loadNames()
  if (!may('watch')) {
    // Who only gives rights has names and words, and no line to the county.
    disconnect = () => undefined
    first.then(() => (startProblem.value = null), down)
    return
  }
  first.catch(() => undefined)
  const again = setInterval(() => void loadGiven().catch(() => undefined), 60_000)
  void loadGiven().catch(() => undefined)
  const hangUp = connect(board, {
    open: () => new EventSource(api.EVENTS),
    states: async () => {
      // Loading anew may mean that the register has changed.
      const known = first ?? loadNames()
      first = null
      const [states] = await Promise.all([api.states(), known])
      return states
    },
    openIncidents: allOpenIncidents,
    alive: async () => {
      try {
        setSession(await api.session())
      } catch (error) {
        if (error instanceof Problem && error.status === 401) signedOut()
        throw error
      }
    },
    down,
    now,
    later(action, ms) {
      const timer = setTimeout(action, ms)
      return () => clearTimeout(timer)
    },
  })
  const online = () => {
    if (board.link.value === 'interrupted') restartBoard()
  }
  window.addEventListener('online', online)
  disconnect = () => {
    window.removeEventListener('online', online)
    clearInterval(again)
    given.value = new Set()
    hangUp()
  }
}

/** From the beginning, at once: what is on the board stays until there is better. */
export function restartBoard(): void {
  if (!session.value) return
  stopBoard()
  startBoard()
}

function stopBoard(): void {
  disconnect?.()
  disconnect = null
}

let leave: () => void = () => {}
/** What to show when nobody is signed in any more. */
export function whenLeft(action: () => void): void {
  leave = action
}

function signedOut(): void {
  stopBoard()
  startProblem.value = null
  board.clear()
  setSession(null)
  leave()
}
whenSignedOut(signedOut)

/** Throws if the service did not end the session: then he is still signed in, and must know. */
export async function signOut(): Promise<void> {
  try {
    await api.signOut()
  } catch (error) {
    if (!(error instanceof Problem && error.status === 401)) throw error
  }
  signedOut()
}
