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
