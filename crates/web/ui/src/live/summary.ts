// Totals by town, site and cause from the rows of the board. Pure functions.
import type { CameraState, Counts } from '@/api/types'
import { noCounts } from './board'
import type { Names } from './names'

export interface PlaceTotals {
  id: number
  counts: Counts
  total: number
}

type StateOf = (id: number) => CameraState | undefined

function add(into: Map<number, PlaceTotals>, id: number, status: keyof Counts): void {
  let place = into.get(id)
  if (!place) {
    place = { id, counts: noCounts(), total: 0 }
    into.set(id, place)
  }
  place.counts[status] += 1
  place.total += 1
}

export interface Summary {
  towns: PlaceTotals[]
  sites: Map<number, PlaceTotals>
  causes: { code: string; cameras: number }[]
}

/** Everything at once: one walk over the fleet. */
export function summarise(names: Names, state: StateOf): Summary {
  const towns = new Map<number, PlaceTotals>()
  const sites = new Map<number, PlaceTotals>()
  const causes = new Map<string, number>()
  for (const camera of names.order) {
    const now = state(camera.id)
    const status = now?.status ?? 'unknown'
    add(sites, camera.site, status)
    const town = names.sites.get(camera.site)?.town
    if (town !== undefined) add(towns, town, status)
    if (now?.cause && status !== 'online' && status !== 'paused') causes.set(now.cause, (causes.get(now.cause) ?? 0) + 1)
  }
  return {
    towns: [...towns.values()],
    sites,
    causes: [...causes]
      .map(([code, cameras]) => ({ code, cameras }))
      .sort((a, b) => b.cameras - a.cameras || a.code.localeCompare(b.code)),
  }
}

/** How much is wrong at a place: offline weighs most; a whole site down weighs more than its cameras. */
export function trouble(place: PlaceTotals): number {
  const { offline, impaired, unknown } = place.counts
  const whole = offline === place.total && place.total > 1 ? 5 : 0
  return offline * 10 + impaired * 3 + unknown + whole
}

/** The places with anything wrong, worst first. */
export function worst(places: Iterable<PlaceTotals>, most: number): PlaceTotals[] {
  return [...places]
    .filter((place) => trouble(place) > 0)
    .sort((a, b) => trouble(b) - trouble(a) || a.id - b.id)
    .slice(0, most)
}

