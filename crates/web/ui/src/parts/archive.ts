// Looking into the archive: the reason is asked for once a search, when the service wants one.
import { computed, ref, shallowRef } from 'vue'
import * as api from '@/api/client'
import { Problem } from '@/api/http'
import type { SnapshotEntry, SnapshotGap } from '@/api/types'

/** For how many scheduled snapshots the gaps among these stand. */
export const missed = (entries: readonly SnapshotEntry[]): number =>
  entries.reduce((sum, entry) => (entry.kind === 'gap' ? sum + entry.slots : sum), 0)
/** The last of a gap's slots. */
export const lastSlot = (gap: SnapshotGap): number => gap.slot + (gap.slots - 1) * gap.every_ms

/** The reason given last, offered again; kept for this page load only. */
export const lastReason = ref('')

// Learned from the service's first refusal: from then on every search is asked for its reason beforehand, though
// the service would let an earlier one stand for a while.
const WANTED = 'sharpeyes.reason'
function reasonWanted(): boolean {
  try {
    return sessionStorage.getItem(WANTED) === 'wanted'
  } catch {
    return false
  }
}
function rememberWanted(): void {
  try {
    sessionStorage.setItem(WANTED, 'wanted')
  } catch {
    // Asked again by the service, then.
  }
}

export function useArchive() {
  const entries = shallowRef<SnapshotEntry[]>([])
  const next = shallowRef<string | null>(null)
  const busy = ref(false)
  const searched = ref(false)
  const problem = shallowRef<unknown>(null)
  const asking = ref(false)
  let filter: api.SnapshotFilter = {}
  let reason = ''
  let running: AbortController | null = null

  async function ask(cursor: string | null): Promise<void> {
    running?.abort()
    const mine = new AbortController()
    running = mine
    busy.value = true
    problem.value = null
    try {
      const page = await api.snapshots({ ...filter, cursor }, reason, mine.signal)
      if (running !== mine) return
      entries.value = cursor === null ? page.items : [...entries.value, ...page.items]
      next.value = page.next
      searched.value = true
    } catch (error) {
      if (running !== mine) return
      if (error instanceof Problem && error.status === 428) {
        rememberWanted()
        asking.value = true
      } else problem.value = error
    } finally {
      if (running === mine) busy.value = false
    }
  }

  return {
    entries,
    busy,
    searched,
    problem,
    /** Whether the reason dialog is open. */
    asking,
    hasMore: computed(() => next.value !== null),
    reason: () => reason,
    /** A new search, for a new reason. */
    search(wanted: api.SnapshotFilter): Promise<void> {
      filter = wanted
      reason = ''
      if (!reasonWanted()) return ask(null)
      asking.value = true
      return Promise.resolve()
    },
    /** The reason was given: on with the search. */
    because(text: string): Promise<void> {
      reason = text
      lastReason.value = text
      asking.value = false
      return ask(null)
    },
    more: (): Promise<void> => (next.value === null ? Promise.resolve() : ask(next.value)),
    again: (): Promise<void> => ask(null),
  }
}
