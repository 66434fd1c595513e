// Dark for the control room, light for the office; remembered.
import { shallowRef } from 'vue'

const STORED = 'sharpeyes.theme'
export const dark = shallowRef(document.documentElement.classList.contains('dark'))

export function toggleTheme(): void {
  dark.value = !dark.value
  document.documentElement.classList.toggle('dark', dark.value)
  try {
    localStorage.setItem(STORED, dark.value ? 'dark' : 'light')
  } catch {
    // Not remembered, then.
  }
}

/** The light look until the answer is called: paper is white. */
export function onPaper(): () => void {
  const before = dark.value
  const look = (next: boolean) => {
    dark.value = next
    document.documentElement.classList.toggle('dark', next)
  }
  look(false)
  return () => look(before)
}
