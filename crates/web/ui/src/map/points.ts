// Cameras as points of a map, each with a rank by how much it needs somebody.
import type { StatusCode } from '@/api/types'

export interface Point {
  id: number
  longitude: number
  latitude: number
  status: StatusCode
}

/** Worst first; the place in the list is the rank. */
export const WORST_FIRST: readonly StatusCode[] = ['offline', 'impaired', 'unknown', 'paused', 'online']
/** A rank that grows with trouble, so that the greatest of a cluster is its worst. */
export const rank = (status: StatusCode): number => WORST_FIRST.length - WORST_FIRST.indexOf(status)
export const ofRank = (rank: number): StatusCode => WORST_FIRST[WORST_FIRST.length - rank] ?? 'unknown'

export function collection(points: readonly Point[]) {
  return {
    type: 'FeatureCollection' as const,
    features: points.map((point) => ({
      type: 'Feature' as const,
      id: point.id,
      geometry: { type: 'Point' as const, coordinates: [point.longitude, point.latitude] },
      properties: { id: point.id, rank: rank(point.status) },
    })),
  }
}

/** The box around all points with a margin; null without points. */
export function box(points: readonly Point[]): [number, number, number, number] | null {
  if (points.length === 0) return null
  const edge = (pick: (point: Point) => number, of: (a: number, b: number) => number) =>
    points.map(pick).reduce((a, b) => of(a, b))
  const margin = 0.005
  return [
    edge((p) => p.longitude, Math.min) - margin,
    edge((p) => p.latitude, Math.min) - margin,
    edge((p) => p.longitude, Math.max) + margin,
    edge((p) => p.latitude, Math.max) + margin,
  ]
}

/** Those within a box, the worst first, at most so many. */
export function within(points: readonly Point[], [west, south, east, north]: readonly number[], most: number): Point[] {
  return points
    .filter((p) => p.longitude >= west! && p.longitude <= east! && p.latitude >= south! && p.latitude <= north!)
    .sort((a, b) => rank(b.status) - rank(a.status) || a.id - b.id)
    .slice(0, most)
}
