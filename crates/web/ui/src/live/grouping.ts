// From the fleet to what the wall shows: filter, group, lay out in rows. Pure functions.
import type { CameraState, Counts, StatusCode } from '@/api/types'
import { badness, noCounts } from './board'
import type { Names } from './names'

export type GroupBy = 'town' | 'site' | 'uplink' | 'none'
export const GROUPINGS: readonly GroupBy[] = ['town', 'site', 'uplink', 'none']
export type Order = 'place' | 'worst'

export interface WallFilter {
  /** Only these; all if empty. */
  statuses: ReadonlySet<StatusCode>
  /** Only this cause. */
  cause: string | null
  town: number | null
  site: number | null
  /** Words that must all occur in camera, site, town, uplink or number. */
  text: string
}

export interface Group {
  key: string
  title: string
  /** What it belongs to, if that helps. */
  within: string
  cameras: number[]
  counts: Counts
}

/** The cameras that pass, in groups in the order of the register, or the worst first. */
export function groupCameras(
  names: Names,
  state: (id: number) => CameraState | undefined,
  filter: WallFilter,
  by: GroupBy,
  order: Order,
): Group[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean)
  const groups = new Map<string, Group>()
  for (const camera of names.order) {
    const site = names.sites.get(camera.site)
    if (filter.site !== null && camera.site !== filter.site) continue
    if (filter.town !== null && site?.town !== filter.town) continue
    const now = state(camera.id)
    const status = now?.status ?? 'unknown'
    if (filter.statuses.size > 0 && !filter.statuses.has(status)) continue
    if (filter.cause !== null && now?.cause !== filter.cause) continue
    if (words.length > 0) {
      const text = names.searchText(camera.id)
      if (!words.every((word) => text.includes(word))) continue
    }
    const key =
      by === 'town'
        ? `t${site?.town ?? 0}`
        : by === 'site'
          ? `s${camera.site}`
          : by === 'uplink'
            ? `u${camera.uplink ?? 0}`
            : 'all'
    let group = groups.get(key)
    if (!group) {
      group = { key, ...titles(names, camera.id, by), cameras: [], counts: noCounts() }
      groups.set(key, group)
    }
    group.cameras.push(camera.id)
    group.counts[status] += 1
  }
  const list = [...groups.values()]
  if (order === 'worst') {
    const rank = (id: number) => badness(state(id)?.status ?? 'unknown')
    for (const group of list) group.cameras.sort((a, b) => rank(b) - rank(a))
    const share = (group: Group) =>
      (group.counts.offline * 10 + group.counts.impaired * 3 + group.counts.unknown) / group.cameras.length
    list.sort((a, b) => share(b) - share(a))
  }
  return list
}

function titles(names: Names, camera: number, by: GroupBy): { title: string; within: string } {
  const of = names.cameras.get(camera)
  const site = names.sites.get(of?.site ?? -1)
  if (by === 'town') return { title: site ? names.town(site.town) : '', within: '' }
  if (by === 'site') return { title: site?.name ?? '', within: site ? names.town(site.town) : '' }
  if (by === 'uplink') {
    const uplink = of?.uplink == null ? undefined : names.uplinks.get(of.uplink)
    return { title: uplink?.name ?? '', within: uplink?.olt ?? '' }
  }
  return { title: '', within: '' }
}

export type Row =
  | { kind: 'head'; key: string; y: number; height: number; group: Group }
  | { kind: 'tiles'; key: string; y: number; height: number; cameras: readonly number[] }

export interface Layout {
  rows: Row[]
  height: number
  columns: number
}

/** Rows of tiles under group headings, from the top down. */
export function layOut(
  groups: readonly Group[],
  size: { width: number; tile: number; tileHeight: number; gap: number; head: number },
  folded: ReadonlySet<string>,
): Layout {
  const columns = Math.max(1, Math.floor((size.width + size.gap) / (size.tile + size.gap)))
  const rows: Row[] = []
  let y = 0
  for (const group of groups) {
    if (size.head > 0) {
      rows.push({ kind: 'head', key: `h${group.key}`, y, height: size.head, group })
      y += size.head
    }
    if (folded.has(group.key)) continue
    for (let start = 0; start < group.cameras.length; start += columns) {
      const cameras = group.cameras.slice(start, start + columns)
      const height = size.tileHeight + size.gap
      rows.push({ kind: 'tiles', key: `${group.key}/${start}`, y, height, cameras })
      y += height
    }
  }
  return { rows, height: y, columns }
}

/** The rows that touch the given stretch. */
export function visibleRows(layout: Layout, top: number, bottom: number): Row[] {
  const { rows } = layout
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >> 1
    const row = rows[middle] as Row
    if (row.y + row.height <= top) low = middle + 1
    else high = middle
  }
  const seen: Row[] = []
  for (let i = low; i < rows.length && (rows[i] as Row).y < bottom; i += 1) seen.push(rows[i] as Row)
  return seen
}

/** The camera reached from one by a key; columns keep their place across groups as far as the rows allow. */
export function neighbour(
  layout: Layout,
  from: number | null,
  move: 'left' | 'right' | 'up' | 'down' | 'home' | 'end',
): number | null {
  const lines = layout.rows.flatMap((row) => (row.kind === 'tiles' ? [row.cameras] : []))
  const first = lines[0]?.[0] ?? null
  const last = lines.at(-1)?.at(-1) ?? null
  if (move === 'home' || (from === null && move !== 'end')) return first
  if (move === 'end') return last
  const line = lines.findIndex((cameras) => cameras.includes(from as number))
  if (line < 0) return first
  const here = lines[line] as readonly number[]
  const column = here.indexOf(from as number)
  if (move === 'left') return here[column - 1] ?? lines[line - 1]?.at(-1) ?? from
  if (move === 'right') return here[column + 1] ?? lines[line + 1]?.[0] ?? from
  const target = lines[move === 'up' ? line - 1 : line + 1]
  return target ? (target[Math.min(column, target.length - 1)] ?? from) : from
}
