// Small choices that outlive the page.
import { ref, watch, type Ref } from 'vue'

/** A value kept in this browser; `valid` guards against what an older version left there. */
export function stored<T>(key: string, initial: T, valid: (value: unknown) => value is T): Ref<T> {
  let start = initial
  try {
    const text = localStorage.getItem(`sharpeyes.${key}`)
    if (text !== null) {
      const value: unknown = JSON.parse(text)
      if (valid(value)) start = value
    }
  } catch {
    // Unreadable or forbidden: the default stands.
  }
  const value = ref(start) as Ref<T>
  watch(value, (now) => {
    try {
      localStorage.setItem(`sharpeyes.${key}`, JSON.stringify(now))
    } catch {
      // Not remembered, then.
    }
  })
  return value
}
