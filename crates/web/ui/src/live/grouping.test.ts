import { describe, expect, it } from 'vitest'
import type { CameraState, StatusCode } from '@/api/types'
import { groupCameras, layOut, neighbour, visibleRows, type WallFilter } from './grouping'
import { Names } from './names'
import { summarise, worst } from './summary'

const names = new Names({
  towns: [
    { id: 1, name: '青山镇' },
    { id: 2, name: '石桥镇' },
  ],
  sites: [
    { id: 10, name: '李家村', kind: 'village', town: 1 },
    { id: 20, name: '王湾村', kind: 'village', town: 2 },
  ],
  uplinks: [{ id: 5, name: 'ONU-5', olt: 'OLT-1' }],
  cameras: [
    { id: 3, name: '王湾村桥头', site: 20, uplink: 5, at: null },
    { id: 1, name: '李家村村口', site: 10, uplink: 5, at: null },
    { id: 2, name: '李家村广场', site: 10, uplink: null, at: null },
  ],
})
const statuses: Record<number, [StatusCode, string | null]> = {
  1: ['online', null],
  2: ['offline', 'no_answer'],
  3: ['impaired', 'packet_loss'],
}
const state = (id: number) => ({ status: statuses[id]?.[0], cause: statuses[id]?.[1] }) as CameraState
const all: WallFilter = { statuses: new Set(), cause: null, town: null, site: null, text: '' }
const ids = (filter: Partial<WallFilter>) =>
  groupCameras(names, state, { ...all, ...filter }, 'none', 'place').flatMap((group) => group.cameras)

describe('filters', () => {
  it('let all pass in the order of town and site', () => expect(ids({})).toEqual([1, 2, 3]))
  it('by status', () => expect(ids({ statuses: new Set(['offline', 'impaired']) })).toEqual([2, 3]))
  it('by cause', () => expect(ids({ cause: 'packet_loss' })).toEqual([3]))
  it('by town and site', () => {
    expect(ids({ town: 1 })).toEqual([1, 2])
    expect(ids({ site: 20 })).toEqual([3])
  })
  it('by every word of the text, wherever it stands', () => {
    expect(ids({ text: '青山 广场' })).toEqual([2])
    expect(ids({ text: 'olt 村' })).toEqual([])
    expect(ids({ text: 'ONU-5' })).toEqual([1, 3])
  })
})

describe('groups', () => {
  it('by town with counts', () => {
    const groups = groupCameras(names, state, all, 'town', 'place')
    expect(groups.map((group) => [group.title, group.cameras, group.counts.offline])).toEqual([
      ['青山镇', [1, 2], 1],
      ['石桥镇', [3], 0],
    ])
  })
  it('by uplink, the unknown one among them', () => {
    const groups = groupCameras(names, state, all, 'uplink', 'place')
    expect(groups.map((group) => [group.title, group.within, group.cameras])).toEqual([
      ['ONU-5', 'OLT-1', [1, 3]],
      ['', '', [2]],
    ])
  })
  it('the worst first', () => {
    expect(groupCameras(names, state, all, 'none', 'worst')[0]?.cameras).toEqual([2, 3, 1])
  })
})

describe('the layout', () => {
  const cameras = Array.from({ length: 10_000 }, (_, i) => i + 1)
  const group = { key: 'a', title: 'a', within: '', cameras, counts: { online: 0, impaired: 0, offline: 0, unknown: 0, paused: 0 } }
  const size = { width: 1000, tile: 100, tileHeight: 80, gap: 10, head: 40 }
  const layout = layOut([group, { ...group, key: 'b', cameras: [20_001, 20_002] }], size, new Set())

  it('fills rows without holes', () => {
    expect(layout.columns).toBe(9)
    let y = 0
    for (const row of layout.rows) {
      expect(row.y).toBe(y)
      y += row.height
    }
    expect(layout.height).toBe(y)
  })
  it('shows only the rows in sight', () => {
    const rows = visibleRows(layout, 50_000, 50_800)
    expect(rows.length).toBeLessThanOrEqual(10)
    expect(rows[0]!.y).toBeLessThanOrEqual(50_000)
    expect(rows.at(-1)!.y + rows.at(-1)!.height).toBeGreaterThanOrEqual(50_800)
  })
  it('folds a group away', () => {
    const folded = layOut([group], size, new Set(['a']))
    expect(folded.height).toBe(40)
  })
  it('moves by keys, across groups too', () => {
    expect(neighbour(layout, null, 'right')).toBe(1)
    expect(neighbour(layout, 1, 'right')).toBe(2)
    expect(neighbour(layout, 1, 'down')).toBe(10)
    expect(neighbour(layout, 10, 'up')).toBe(1)
    expect(neighbour(layout, 10_000, 'right')).toBe(20_001)
    expect(neighbour(layout, 1, 'left')).toBe(1)
    expect(neighbour(layout, 1, 'end')).toBe(20_002)
    expect(neighbour(layout, 20_002, 'down')).toBe(20_002)
  })
})

describe('the summary', () => {
  const summary = summarise(names, state)
  it('counts towns, sites and causes', () => {
    expect(summary.towns.find((town) => town.id === 1)?.counts).toMatchObject({ online: 1, offline: 1 })
    expect(summary.causes).toEqual([
      { code: 'no_answer', cameras: 1 },
      { code: 'packet_loss', cameras: 1 },
    ])
  })
  it('names the worst sites, and none without trouble', () => {
    expect(worst(summary.sites.values(), 5).map((site) => site.id)).toEqual([10, 20])
    expect(worst(summarise(names, () => ({ status: 'online', cause: null }) as CameraState).sites.values(), 5)).toEqual([])
  })
})
