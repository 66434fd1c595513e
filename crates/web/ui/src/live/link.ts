// The line to the service: one event stream, resumed by the browser after a short break, opened anew with growing
// pauses after a long one. Events heard before the rows were loaded wait, so that none is lost between the two.
import type { CameraState, Incident, OwnFault, States } from '@/api/types'
import { Pauses } from '@/pauses'
import type { Board } from './board'

/** What the line needs of the world; handed in so that tests own it. */
export interface World {
  open(): EventSource
  states(): Promise<States>
  openIncidents(): Promise<Incident[]>
  /** Whether somebody is still signed in; throws if the service cannot be reached. */
  alive(): Promise<void>
  /** Told that the line is down, and why if that is known. */
  down(why?: unknown): void
  now(): number
  later(action: () => void, ms: number): () => void
}

/** Without a word for so long we ask whether the service is there (its pictures alone change more often). */
const SILENCE_MS = 45_000
const KINDS = ['states', 'incident', 'own', 'reset'] as const
type Kind = (typeof KINDS)[number]

/** Keeps the board true until the returned function is called. */
export function connect(board: Board, world: World): () => void {
  let source: EventSource | null = null
  let loaded = false
  let loading = false
  let waiting: { seq: number; kind: Kind; data: string }[] = []
  const pauses = new Pauses(1_000, 15_000)
  let heard = world.now()
  let stopped = false
  let cancelTimer: (() => void) | null = null
  let cancelWatch: (() => void) | null = null

  function apply(kind: Kind, data: string): void {
    if (kind === 'reset') {
      loaded = false
      void load()
      return
    }
    const body = JSON.parse(data) as unknown
    if (kind === 'states') board.change((body as { cameras: CameraState[] }).cameras)
    else if (kind === 'incident') board.incident(body as Incident)
    else board.ownFaults.value = (body as { own_faults: OwnFault[] }).own_faults
    board.asOf.value = world.now()
  }

  async function load(): Promise<void> {
    if (loading) return
    loading = true
    try {
      const [states, incidents] = await Promise.all([world.states(), world.openIncidents()])
      if (stopped) return
      board.load(states)
      board.loadIncidents(incidents)
      loaded = true
      const late = waiting.filter((event) => event.kind !== 'reset' && !(event.seq <= states.seq))
      waiting = []
      for (const event of late) apply(event.kind, event.data)
      if (source?.readyState === 1) board.link.value = 'live'
    } catch (error) {
      if (!stopped) again(error)
    } finally {
      loading = false
    }
  }

  function again(why?: unknown): void {
    world.down(why)
    source?.close()
    source = null
    waiting = []
    loaded = false
    board.link.value = 'interrupted'
    cancelTimer?.()
    cancelTimer = world.later(() => {
      // A refusal closes the stream for good: ask who we are, so that an ended session leads to the sign-in page.
      world.alive().then(open, again)
    }, pauses.next())
  }

  function open(): void {
    if (stopped) return
    if (board.link.value === 'idle') board.link.value = 'connecting'
    const opened = world.open()
    source = opened
    opened.onopen = () => {
      heard = world.now()
      pauses.reset()
      if (loaded) board.link.value = 'live'
      else void load()
    }
    opened.onerror = () => {
      if (source !== opened) return
      board.link.value = 'interrupted'
      if (opened.readyState === 2) again()
    }
    for (const kind of KINDS) {
      opened.addEventListener(kind, (event) => {
        if (source !== opened) return
        heard = world.now()
        const { lastEventId, data } = event as MessageEvent<string>
        if (loaded) apply(kind, data)
        else if (kind !== 'reset') waiting.push({ seq: Number.parseInt(lastEventId, 10), kind, data })
      })
    }
    opened.addEventListener('heartbeat', () => (heard = world.now()))
  }

  function watch(): void {
    cancelWatch = world.later(() => {
      if (source?.readyState === 1 && world.now() - heard > SILENCE_MS) {
        heard = world.now()
        world.alive().catch(again)
      }
      watch()
    }, 5_000)
  }

  open()
  watch()
  return () => {
    stopped = true
    source?.close()
    source = null
    cancelTimer?.()
    cancelWatch?.()
  }
}
