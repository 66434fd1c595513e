// One way to the API: JSON in and out, every failure a `Problem` that the page can put into words.
import { attended } from './attended'

/** Why a request failed. `status` 0: the service could not be reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    /** Seconds to wait before another try, if the service said so. */
    readonly retryAfter: number | null,
  ) {
    super(detail || title || code)
    this.name = 'Problem'
  }
}

export type Parameters = Record<string, string | number | boolean | null | undefined>

export interface Options {
  json?: unknown
  /** A body sent as it is, with its type. */
  raw?: { body: BodyInit; type: string }
  query?: Parameters
  headers?: Record<string, string>
  signal?: AbortSignal
  /** Longest wait for the answer to begin. */
  limitMs?: number
  /** Told the answer's validator: what a change of it names in `If-Match`. */
  onEtag?: (etag: string) => void
}

const LIMIT_MS = 30_000

let onSignedOut: () => void = () => {}

/** What to do when the service says that nobody is signed in any more. */
export function whenSignedOut(action: () => void): void {
  onSignedOut = action
}

/** `?a=1&b=2` of everything that has a value; empty without any. */
export function query(parameters: Parameters): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') search.set(key, String(value))
  }
  const text = search.toString()
  return text ? `?${text}` : ''
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {}
  try {
    body = (await response.json()) as Record<string, unknown>
  } catch {
    // Not JSON (a proxy's page, perhaps): the status alone must do.
  }
  const text = (key: string) => (typeof body[key] === 'string' ? (body[key] as string) : '')
  const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
  return new Problem(
    response.status,
    text('code'),
    text('title') || response.statusText,
    text('detail'),
    Number.isFinite(wait) ? wait : null,
  )
}

/** The service could not be reached, or its answer broke off. */
export const unreachable = () => new Problem(0, 'unreachable', '', '', null)

/** Asks and returns the answer, its body unread. Throws [`Problem`]; an abort passes through. */
export async function answer(method: string, path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', ...options.headers }
  // What the page asks for by itself is no sign of life of the one who sat here.
  if (!attended()) headers['x-unattended'] = '1'
  let body: BodyInit | undefined
  if (options.raw) {
    body = options.raw.body
    headers['content-type'] = options.raw.type
  } else if (options.json !== undefined || method !== 'GET') {
    body = options.json === undefined ? undefined : JSON.stringify(options.json)
    headers['content-type'] = 'application/json'
  }
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), options.limitMs ?? LIMIT_MS)
  const cancel = () => limit.abort()
  options.signal?.addEventListener('abort', cancel)
  if (options.signal?.aborted) cancel()
  let response: Response
  try {
    response = await fetch(`/api/v1${path}${query(options.query ?? {})}`, {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body }),
      signal: limit.signal,
    })
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw unreachable()
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', cancel)
  }
  if (!response.ok) {
    const problem = await problemOf(response)
    if (response.status === 401 && path !== '/session') onSignedOut()
    throw problem
  }
  return response
}

/** Asks and returns the decoded answer; `undefined` for an empty one. Throws [`Problem`]; an abort passes through. */
export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await answer(method, path, options)
  const etag = response.headers.get('etag')
  if (etag) options.onEtag?.(etag)
  if (response.status === 204 || response.status === 202) return undefined as T
  return (await response.json()) as T
}

/** A record with its validator: whoever changes it says which one he saw. */
export interface Seen<T> {
  record: T
  etag: string
}
export async function seen<T>(path: string): Promise<Seen<T>> {
  let etag = ''
  const record = await request<T>('GET', path, { onEtag: (told) => (etag = told) })
  return { record, etag }
}
/** Refused if the record is no longer the one that was seen. */
export const ifMatch = (etag: string): Options => (etag ? { headers: { 'if-match': etag } } : {})

interface Paged<T> {
  items: T[]
  next: string | null
}
/** Rows of one page of a list that is read whole. */
const ROWS = 1000
const PAGES = 50
/** Every row of a list that is told in pages; of a list without end, the first. */
export async function whole<T>(path: string, parameters: Parameters = {}): Promise<{ items: T[] }> {
  const items: T[] = []
  let cursor: string | null = null
  for (let n = 0; n < PAGES; n++) {
    const page: Paged<T> = await request<Paged<T>>('GET', path, { query: { ...parameters, limit: ROWS, cursor } })
    items.push(...page.items)
    cursor = page.next
    if (cursor === null) break
  }
  return { items }
}
