import { describe, expect, it, vi } from 'vitest'
import type { CameraState, States } from '@/api/types'
import { Board } from './board'
import { connect, type World } from './link'

class Source {
  readyState = 0
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  private readonly listeners = new Map<string, (event: unknown) => void>()
  addEventListener(kind: string, listener: (event: unknown) => void) {
    this.listeners.set(kind, listener)
  }
  close() {
    this.readyState = 2
  }
  opened() {
    this.readyState = 1
    this.onopen?.()
  }
  broken(forGood: boolean) {
    this.readyState = forGood ? 2 : 0
    this.onerror?.()
  }
  says(kind: string, seq: number, data: unknown) {
    this.listeners.get(kind)?.({ lastEventId: String(seq), data: JSON.stringify(data) })
  }
}

const row = (id: number, status: string) => ({ id, status, thumb: 1 }) as CameraState
const page = (seq: number, ...cameras: CameraState[]) => ({ seq, at: 1000, cameras, own_faults: [] }) as unknown as States

function line(answers: States[]) {
  const sources: Source[] = []
  const timers: { action: () => void; ms: number }[] = []
  const board = new Board({ frame: (action) => action(), later: (action) => action() })
  const asked = { states: 0, alive: 0 }
  const world: World = {
    open() {
      const source = new Source()
      sources.push(source)
      return source as unknown as EventSource
    },
    states: async () => answers[Math.min(asked.states++, answers.length - 1)] as States,
    openIncidents: async () => [],
    alive: async () => void (asked.alive += 1),
    now: () => 5000,
    down: () => undefined,
    later(action, ms) {
      const timer = { action, ms }
      timers.push(timer)
      return () => void timers.splice(timers.indexOf(timer), 1)
    },
  }
  const stop = connect(board, world)
  const settle = () => vi.waitFor(() => expect(board.link.value).toBe('live'))
  return { board, sources, timers, asked, stop, settle, last: () => sources.at(-1) as Source }
}

describe('the line', () => {
  it('keeps what was heard while the rows were still loading, and drops what they contain', async () => {
    const l = line([page(5, row(1, 'online'), row(2, 'online'))])
    l.last().opened()
    l.last().says('states', 5, { cameras: [row(1, 'unknown')] })
    l.last().says('states', 6, { cameras: [row(2, 'offline')] })
    await l.settle()
    expect(l.board.peek(1)?.status).toBe('online')
    expect(l.board.peek(2)?.status).toBe('offline')
    l.stop()
  })

  it('says when it is interrupted, and is live again without loading when the browser resumes', async () => {
    const l = line([page(1, row(1, 'online'))])
    l.last().opened()
    await l.settle()
    l.last().broken(false)
    expect(l.board.link.value).toBe('interrupted')
    l.last().opened()
    expect(l.board.link.value).toBe('live')
    expect(l.asked.states).toBe(1)
    l.stop()
  })

  it('opens a new stream after a refusal, asking first whether somebody is signed in, and loads anew', async () => {
    const l = line([page(1, row(1, 'online')), page(9, row(1, 'offline'))])
    l.last().opened()
    await l.settle()
    l.last().broken(true)
    const pause = l.timers.find((timer) => timer.ms >= 750 && timer.ms <= 1250)
    expect(pause).toBeDefined()
    pause?.action()
    await vi.waitFor(() => expect(l.sources).toHaveLength(2))
    expect(l.asked.alive).toBe(1)
    l.last().opened()
    await l.settle()
    expect(l.board.peek(1)?.status).toBe('offline')
    l.stop()
  })

  it('loads anew when told that events were lost', async () => {
    const l = line([page(1, row(1, 'online')), page(9, row(1, 'paused'))])
    l.last().opened()
    await l.settle()
    l.last().says('reset', 9, {})
    await vi.waitFor(() => expect(l.board.peek(1)?.status).toBe('paused'))
    expect(l.asked.states).toBe(2)
    l.stop()
  })
})
