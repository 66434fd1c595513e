// What the fleet is like now: one row a camera, each with a trigger of its own, so that a change redraws the tiles
// of that camera and nothing else. Changes are gathered and applied once per frame; whatever depends on many rows
// (grouping, totals) follows `version`, which moves at most twice a second.
import { shallowRef, type ShallowRef } from 'vue'
import type { CameraState, Counts, Incident, OwnFault, States, StatusCode } from '@/api/types'

export type Link = 'idle' | 'connecting' | 'live' | 'interrupted'

/** When to do what was gathered; handed in so that tests own time. */
export interface Pace {
  /** Before the next frame is drawn. */
  frame(action: () => void): void
  /** In so many milliseconds. */
  later(action: () => void, ms: number): void
}

const SUMMARY_EVERY_MS = 500

/** Frames while the page is seen, a timer while it is hidden (hidden pages draw no frames). */
export const browserPace: Pace = {
  frame(action) {
    if (document.hidden) setTimeout(action, 250)
    else requestAnimationFrame(action)
  },
  later(action, ms) {
    setTimeout(action, ms)
  },
}

export function noCounts(): Counts {
  return { online: 0, impaired: 0, offline: 0, unknown: 0, paused: 0 }
}

function sameVerdict(a: CameraState, b: CameraState): boolean {
  return (
    a.status === b.status &&
    a.cause === b.cause &&
    a.besides.join() === b.besides.join() &&
    a.layer === b.layer &&
    a.confirming === b.confirming &&
    a.flapping === b.flapping
  )
}

export class Board {
  /** Moves when a status, cause or flag of any camera has changed. */
  readonly version = shallowRef(0)
  readonly counts = shallowRef<Counts>(noCounts())
  readonly ownFaults = shallowRef<OwnFault[]>([])
  /** Incidents heard of, by id; replaced as a whole when any changes. */
  readonly incidents = shallowRef<ReadonlyMap<number, Incident>>(new Map())
  readonly link = shallowRef<Link>('idle')
  /** The instant (service's clock) up to which this is true. */
  readonly asOf = shallowRef<number | null>(null)
  /** Whether the rows have been loaded. */
  readonly loaded = shallowRef(false)

  private readonly rows = new Map<number, ShallowRef<CameraState>>()
  private totals: Counts = noCounts()
  private pending = new Map<number, CameraState>()
  private frameAsked = false
  private summaryAsked = false

  constructor(private readonly pace: Pace = browserPace) {}

  /** The row of one camera; reading its value subscribes to this camera only. */
  row(id: number): ShallowRef<CameraState> | undefined {
    return this.rows.get(id)
  }

  /** What is known of a camera now, without subscribing. */
  peek(id: number): CameraState | undefined {
    return this.rows.get(id)?.value
  }

  /** How many cameras there are rows for. */
  get size(): number {
    return this.rows.size
  }

  /** Replaces everything by what the service says. */
  load(states: States): void {
    this.pending.clear()
    const seen = new Set<number>()
    this.totals = noCounts()
    for (const state of states.cameras) {
      seen.add(state.id)
      this.totals[state.status] += 1
      this.put(state)
    }
    for (const id of this.rows.keys()) if (!seen.has(id)) this.rows.delete(id)
    this.ownFaults.value = states.own_faults
    this.asOf.value = states.at
    this.loaded.value = true
    this.summarise()
  }

  /** Changed rows; the newest of a camera wins. Shown with the next frame. */
  change(cameras: readonly CameraState[]): void {
    for (const state of cameras) this.pending.set(state.id, state)
    if (!this.frameAsked && this.pending.size > 0) {
      this.frameAsked = true
      this.pace.frame(() => this.apply())
    }
  }

  /** An incident as it now is. */
  incident(incident: Incident): void {
    const next = new Map(this.incidents.value)
    next.set(incident.id, incident)
    this.incidents.value = next
  }

  /** All open incidents; those resolved meanwhile are forgotten. */
  loadIncidents(open: readonly Incident[]): void {
    this.incidents.value = new Map(open.map((incident) => [incident.id, incident]))
  }

  /** Forgets everything (somebody signed out). */
  clear(): void {
    this.pending.clear()
    this.rows.clear()
    this.totals = noCounts()
    this.counts.value = noCounts()
    this.ownFaults.value = []
    this.incidents.value = new Map()
    this.link.value = 'idle'
    this.asOf.value = null
    this.loaded.value = false
    this.version.value += 1
  }

  private apply(): void {
    this.frameAsked = false
    let verdicts = false
    for (const state of this.pending.values()) {
      const before = this.rows.get(state.id)?.value
      if (before) this.totals[before.status] -= 1
      this.totals[state.status] += 1
      if (!before || !sameVerdict(before, state)) verdicts = true
      this.put(state)
    }
    this.pending.clear()
    if (verdicts && !this.summaryAsked) {
      this.summaryAsked = true
      this.pace.later(() => this.summarise(), SUMMARY_EVERY_MS)
    }
  }

  private put(state: CameraState): void {
    const row = this.rows.get(state.id)
    if (row) row.value = state
    else this.rows.set(state.id, shallowRef(state))
  }

  private summarise(): void {
    this.summaryAsked = false
    this.counts.value = { ...this.totals }
    this.version.value += 1
  }
}

/** online + impaired over all that were judged; null if none was. */
export function onlineRate(counts: Counts): number | null {
  const judged = counts.online + counts.impaired + counts.offline
  return judged === 0 ? null : (counts.online + counts.impaired) / judged
}

/** online over all that were judged; null if none was. */
export function intactRate(counts: Counts): number | null {
  const judged = counts.online + counts.impaired + counts.offline
  return judged === 0 ? null : counts.online / judged
}

export function total(counts: Counts): number {
  return counts.online + counts.impaired + counts.offline + counts.unknown + counts.paused
}

const RANK: Record<StatusCode, number> = { offline: 4, impaired: 3, unknown: 2, paused: 1, online: 0 }
/** How bad a status is: higher is worse. */
export function badness(status: StatusCode): number {
  return RANK[status]
}
