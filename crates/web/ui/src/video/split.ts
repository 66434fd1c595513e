// Which cameras stand in which cell of a split screen.

export const SPLITS = [1, 4, 9, 16] as const

/** Camera numbers of a list in the address, each once, at most so many. */
export function parseCameras(text: string, most: number): number[] {
  const ids = text.split(',').filter((part) => /^\d{1,9}$/.test(part)).map(Number)
  return [...new Set(ids)].filter((id) => id > 0).slice(0, most)
}

/** The split that was chosen, or the smallest that shows all. */
export function splitFor(chosen: number | null, count: number): number {
  return SPLITS.find((n) => n === chosen) ?? SPLITS.find((n) => n >= Math.max(count, 1)) ?? 16
}

/** The cells of a page (from 1), empty ones as null. */
export function cellsOf(cameras: readonly number[], split: number, page: number): (number | null)[] {
  const shown = cameras.slice((page - 1) * split, page * split)
  return Array.from({ length: split }, (_, n) => shown[n] ?? null)
}
