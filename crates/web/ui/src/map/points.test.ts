import { describe, expect, it } from 'vitest'
import { box, collection, ofRank, rank, within, WORST_FIRST, type Point } from './points'

const point = (id: number, longitude: number, status: Point['status']): Point => ({ id, longitude, latitude: 27, status })

describe('points of a map', () => {
  it('rank by how much they need somebody', () => {
    expect(WORST_FIRST.map(rank)).toEqual([5, 4, 3, 2, 1])
    expect(WORST_FIRST.map((status) => ofRank(rank(status)))).toEqual([...WORST_FIRST])
    expect(collection([point(3, 113, 'offline')]).features[0]?.properties).toEqual({ id: 3, rank: 5 })
  })
  it('are listed worst first within what is shown', () => {
    const points = [point(1, 113.1, 'online'), point(2, 113.2, 'offline'), point(3, 114, 'offline'), point(4, 113.3, 'paused')]
    expect(within(points, [113, 26, 113.5, 28], 2).map((p) => p.id)).toEqual([2, 4])
  })
  it('fit into a box', () => {
    expect(box([])).toBeNull()
    expect(box([point(1, 113, 'online'), point(2, 114, 'online')])).toEqual([112.995, 26.995, 114.005, 27.005])
  })
})
