import { computed, watchEffect } from 'vue'
import { describe, expect, it } from 'vitest'
import type { CameraState, Incident, States, StatusCode } from '@/api/types'
import { Board, intactRate, onlineRate, type Pace } from './board'

function state(id: number, status: StatusCode, more: Partial<CameraState> = {}): CameraState {
  return {
    id,
    status,
    since: 0,
    layer: null,
    cause: null,
    besides: [],
    detail: '',
    confirming: false,
    flapping: false,
    last_picture: null,
    last_snapshot: null,
    next_try: null,
    thumb: 1,
    ...more,
  }
}

function states(...cameras: CameraState[]): States {
  return { seq: 1, at: 0, counts: { online: 0, impaired: 0, offline: 0, unknown: 0, paused: 0 }, cameras, own_faults: [] }
}

class Hand implements Pace {
  frames: (() => void)[] = []
  timers: (() => void)[] = []
  frame(action: () => void) {
    this.frames.push(action)
  }
  later(action: () => void) {
    this.timers.push(action)
  }
  draw() {
    for (const action of this.frames.splice(0)) action()
  }
  pass() {
    for (const action of this.timers.splice(0)) action()
  }
}

describe('the board', () => {
  it('applies many changes with one frame, the newest of a camera winning', () => {
    const hand = new Hand()
    const board = new Board(hand)
    board.load(states(state(1, 'online'), state(2, 'online')))
    board.change([state(1, 'offline')])
    board.change([state(1, 'impaired'), state(2, 'offline')])
    expect(hand.frames).toHaveLength(1)
    expect(board.peek(1)?.status).toBe('online')
    hand.draw()
    expect(board.peek(1)?.status).toBe('impaired')
    hand.pass()
    expect(board.counts.value).toMatchObject({ online: 0, impaired: 1, offline: 1 })
  })

  it('wakes only what reads the camera that changed', () => {
    const hand = new Hand()
    const board = new Board(hand)
    board.load(states(state(1, 'online'), state(2, 'online')))
    const runs = { one: 0, two: 0 }
    watchEffect(() => (board.row(1)?.value, (runs.one += 1)), { flush: 'sync' })
    watchEffect(() => (board.row(2)?.value, (runs.two += 1)), { flush: 'sync' })
    board.change([state(2, 'offline')])
    hand.draw()
    expect(runs).toEqual({ one: 1, two: 2 })
  })

  it('does not regroup for a new thumbnail, and once for a burst of verdicts', () => {
    const hand = new Hand()
    const board = new Board(hand)
    board.load(states(state(1, 'online'), state(2, 'online')))
    let runs = 0
    const groups = computed(() => ((runs += 1), board.version.value))
    expect(groups.value).toBe(1)
    board.change([state(1, 'online', { thumb: 2 })])
    hand.draw()
    hand.pass()
    expect(groups.value).toBe(1)
    for (let i = 0; i < 50; i += 1) {
      board.change([state(1, i % 2 ? 'online' : 'offline')])
      hand.draw()
    }
    expect(hand.timers).toHaveLength(1)
    hand.pass()
    expect(groups.value).toBe(2)
    expect(runs).toBe(2)
  })

  it('forgets cameras that the service no longer knows', () => {
    const board = new Board(new Hand())
    board.load(states(state(1, 'online'), state(2, 'offline')))
    board.load(states(state(2, 'online')))
    expect(board.size).toBe(1)
    expect(board.row(1)).toBeUndefined()
    expect(board.counts.value).toMatchObject({ online: 1, offline: 0 })
  })

  it('keeps incidents by id', () => {
    const board = new Board(new Hand())
    const incident = { id: 7, resolved: null } as Incident
    board.loadIncidents([incident])
    const before = board.incidents.value
    board.incident({ ...incident, resolved: 5 })
    expect(before.get(7)?.resolved).toBeNull()
    expect(board.incidents.value.get(7)?.resolved).toBe(5)
  })
})

describe('rates', () => {
  const counts = { online: 90, impaired: 5, offline: 5, unknown: 50, paused: 50 }
  it('leave unknown and paused out', () => {
    expect(onlineRate(counts)).toBe(0.95)
    expect(intactRate(counts)).toBe(0.9)
  })
  it('say nothing of nothing', () => {
    expect(onlineRate({ online: 0, impaired: 0, offline: 0, unknown: 3, paused: 0 })).toBeNull()
  })
})
