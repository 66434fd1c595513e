// What is still on the screen although asking for it again failed: of when it is, and why it is no newer. Asked for
// again with growing pauses, and at once when the line or the browser's network is back.
import { onBeforeUnmount, shallowRef, watch } from 'vue'
import { useQueryClient, type Query } from '@tanstack/vue-query'
import { passes } from '@/problem'
import type { Board } from './board'

export interface Kept {
  /** The oldest of it, by our own clock. */
  at: number
  error: unknown
}

const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 30_000
/** Shown by the page in sight, failed when last asked for, and told before. */
const old = (query: Query) => query.isActive() && query.state.status === 'error' && query.state.data !== undefined

export function useKept(board: Board) {
  const client = useQueryClient()
  const kept = shallowRef<Kept | null>(null)
  let pauseMs = FIRST_PAUSE_MS
  let timer: ReturnType<typeof setTimeout> | undefined

  function ask(): Promise<void> {
    return client.refetchQueries({ predicate: old })
  }
  function wait(): void {
    timer = setTimeout(() => {
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      void client.refetchQueries({ predicate: (query) => old(query) && passes(query.state.error) }).finally(() => {
        if (kept.value) wait()
      })
    }, pauseMs)
  }
  function look(): void {
    const found = client.getQueryCache().findAll({ predicate: old })
    const before = kept.value
    if (found.length === 0) {
      if (!before) return
      kept.value = null
      clearTimeout(timer)
      pauseMs = FIRST_PAUSE_MS
      return
    }
    const at = Math.min(...found.map((query) => query.state.dataUpdatedAt))
    const error = found[0]?.state.error
    if (before?.at !== at || before.error !== error) kept.value = { at, error }
    if (!before) wait()
  }
  look()
  const ignore = client.getQueryCache().subscribe(look)
  // What failed without anything to show waits in its own place; both come back with the line.
  watch(board.link, (link) => {
    if (link === 'live') void client.refetchQueries({ predicate: (query) => query.isActive() && query.state.status === 'error' && passes(query.state.error) })
  })
  const online = () => void ask()
  window.addEventListener('online', online)
  onBeforeUnmount(() => {
    ignore()
    clearTimeout(timer)
    window.removeEventListener('online', online)
  })
  return { kept, ask }
}
