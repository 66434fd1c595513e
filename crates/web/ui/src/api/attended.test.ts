import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { attended, isWall, watchOver } from './attended'
import { request } from './http'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  isWall(false)
})

it('somebody is there while keys and pointer move, and always in front of a wall', async () => {
  const keys = new EventTarget()
  watchOver(keys)
  const told: (string | undefined)[] = []
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    told.push((init.headers as Record<string, string>)['x-unattended'])
    return Promise.resolve(new Response(null, { status: 204 }))
  })
  const ask = () => request('GET', '/overview')
  keys.dispatchEvent(new Event('keydown'))
  expect(attended()).toBe(true)
  await ask()
  vi.advanceTimersByTime(61_000)
  expect(attended()).toBe(false)
  await ask()
  isWall(true)
  await ask()
  isWall(false)
  keys.dispatchEvent(new Event('pointermove'))
  await ask()
  expect(told).toEqual([undefined, '1', undefined, undefined])
})
