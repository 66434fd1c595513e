// The sound of a new incident: two soft tones, made here, no file. Can be switched off; remembered.
import { shallowRef } from 'vue'

const STORED = 'sharpeyes.bell'
function stored(): boolean {
  try {
    return localStorage.getItem(STORED) !== 'off'
  } catch {
    return true
  }
}
export const bell = shallowRef(stored())

export function toggleBell(): void {
  bell.value = !bell.value
  try {
    localStorage.setItem(STORED, bell.value ? 'on' : 'off')
  } catch {
    // Not remembered, then.
  }
  if (bell.value) ring()
}

let context: AudioContext | null = null
let last = 0

/** Rings, unless it is switched off or rang a moment ago: a storm of incidents is one sound. */
export function ring(): void {
  const at = Date.now()
  if (!bell.value || at - last < 5_000 || typeof AudioContext === 'undefined') return
  last = at
  try {
    context ??= new AudioContext()
    // Browsers keep quiet until somebody has touched the page; then the badge alone must do.
    void context.resume()
    for (const [i, pitch] of [880, 660].entries()) {
      const tone = context.createOscillator()
      const volume = context.createGain()
      const start = context.currentTime + i * 0.22
      tone.frequency.value = pitch
      volume.gain.setValueAtTime(0.0001, start)
      volume.gain.exponentialRampToValueAtTime(0.2, start + 0.02)
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.4)
      tone.connect(volume).connect(context.destination)
      tone.start(start)
      tone.stop(start + 0.45)
    }
  } catch {
    // Without sound, then.
  }
}
