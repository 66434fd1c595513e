// The address bar as the memory of a page's filters, so that every view can be sent to somebody.
import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'

/** Reads and writes parts of the address; several changes at once become one step. */
export function useAddress() {
  const route = useRoute()
  const router = useRouter()
  const name = route.name
  let pending: LocationQueryRaw | null = null

  function set(changes: Record<string, string | number | null | undefined>): void {
    if (route.name !== name) return
    const first = pending === null
    pending ??= { ...route.query }
    for (const [key, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === '') delete pending[key]
      else pending[key] = String(value)
    }
    if (first) {
      queueMicrotask(() => {
        const query = pending ?? {}
        pending = null
        void router.replace({ query })
      })
    }
  }

  function text(key: string): WritableComputedRef<string> {
    return computed({
      get: () => {
        const value = route.query[key]
        return typeof value === 'string' ? value : ''
      },
      set: (value) => set({ [key]: value }),
    })
  }

  function number(key: string): WritableComputedRef<number | null> {
    return computed({
      get: () => {
        const value = route.query[key]
        return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : null
      },
      set: (value) => set({ [key]: value }),
    })
  }

  return { set, text, number }
}
