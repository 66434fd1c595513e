import { afterEach, describe, expect, it, vi } from 'vitest'
import { Problem, query, request, whenSignedOut } from './http'

function answers(status: number, body: unknown, headers: Record<string, string> = {}) {
  const fetched = vi.fn(async (_url: string, _options: RequestInit) => new Response(body === null ? null : JSON.stringify(body), { status, headers }))
  vi.stubGlobal('fetch', fetched)
  return fetched
}
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
  whenSignedOut(() => {})
})

describe('a request', () => {
  it('carries only what has a value', () => {
    expect(query({ a: 1, b: null, c: undefined, d: '', e: false, f: '村 1' })).toBe('?a=1&e=false&f=%E6%9D%91+1')
  })
  it('changes things with the type of JSON even without a body', async () => {
    const fetched = answers(204, null)
    await request('POST', '/cameras/1/check')
    expect((fetched.mock.calls[0]?.[1].headers as Record<string, string>)['content-type']).toBe('application/json')
  })
  it('tells a problem in the words of the service', async () => {
    answers(429, { code: 'throttled', title: 'Too many', detail: 'slow down' }, { 'retry-after': '30' })
    await expect(request('POST', '/session')).rejects.toMatchObject({ status: 429, code: 'throttled', detail: 'slow down', retryAfter: 30 })
  })
  it('tells when nobody is signed in any more, but not while signing in', async () => {
    const left = vi.fn()
    whenSignedOut(left)
    answers(401, {})
    await expect(request('POST', '/session')).rejects.toBeInstanceOf(Problem)
    expect(left).not.toHaveBeenCalled()
    await expect(request('GET', '/states')).rejects.toBeInstanceOf(Problem)
    expect(left).toHaveBeenCalledOnce()
  })
  it('gives up a silent service', async () => {
    vi.useFakeTimers()
    vi.stubGlobal('fetch', (_: string, { signal }: RequestInit) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')))))
    const asked = expect(request('GET', '/states', { limitMs: 5_000 })).rejects.toMatchObject({ status: 0, code: 'unreachable' })
    await vi.advanceTimersByTimeAsync(5_000)
    await asked
  })
  it('passes an abort of the caller through', async () => {
    vi.stubGlobal('fetch', (_: string, { signal }: RequestInit) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new DOMException('gone', 'AbortError')))))
    const caller = new AbortController()
    const asked = expect(request('GET', '/snapshots', { signal: caller.signal })).rejects.toMatchObject({ name: 'AbortError' })
    caller.abort()
    await asked
  })
})
