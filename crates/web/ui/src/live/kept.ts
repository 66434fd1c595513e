// What is still on the screen although asking for it again failed: of when it is, and why it is no newer. Asked for
// again with growing pauses, and at once when the line or the browser's network is back.
import { onBeforeUnmount, shallowRef, watch } from 'vue'
import { useQueryClient, type Query } from '@tanstack/vue-query'
import { Pauses } from '@/pauses'
import { passes } from '@/problem'
import type { Board } from './board'

export interface Kept {
  /** The oldest of it, by our own clock. */
  at: number
  error: unknown
}

/** Shown by the page in sight, failed when last asked for, and told before. */
const old = (query: Query) => query.isActive() && query.state.status === 'error' && query.state.data !== undefined

export function useKept(board: Board) {
  const client = useQueryClient()
  const kept = shallowRef<Kept | null>(null)
  const pauses = new Pauses(5_000, 30_000)
  let timer: ReturnType<typeof setTimeout> | undefined

  function ask(): Promise<void> {
    return client.refetchQueries({ predicate: old })
  }
  function wait(): void {
    clearTimeout(timer)
    timer = setTimeout(() => {
      void client.refetchQueries({ predicate: (query) => old(query) && passes(query.state.error) }).finally(() => {
        if (kept.value) wait()
      })
    }, pauses.next())
  }
  function look(): void {
    const found = client.getQueryCache().findAll({ predicate: old })
    const before = kept.value
    if (found.length === 0) {
      if (!before) return
      kept.value = null
      clearTimeout(timer)
      pauses.reset()
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
