// Times, sizes and rates in words. Times are shown in the county's zone whatever the browser's is.
import { language, t } from '@/i18n'
import { said } from '@/i18n/sentences'

export const ZONE = 'Asia/Shanghai'
const ZONE_OFFSET_MS = 8 * 3_600_000 // no daylight saving there since 1991

const formatters = new Map<string, Intl.DateTimeFormat>()
function formatter(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  let made = formatters.get(name)
  if (!made) {
    made = new Intl.DateTimeFormat('zh-CN', { timeZone: ZONE, hourCycle: 'h23', ...options })
    formatters.set(name, made)
  }
  return made
}

function parts(at: number): Record<string, string> {
  const found: Record<string, string> = {}
  const all = formatter('all', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(at)
  for (const part of all) found[part.type] = part.value
  return found
}

/** `2026-11-24 11:05:09`. */
export function dateTime(at: number | null | undefined): string {
  if (at == null) return '—'
  const p = parts(at)
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`
}

/** `11-24 11:05:09`, for lists of recent things. */
export function shortDateTime(at: number | null | undefined): string {
  return at == null ? '—' : dateTime(at).slice(5)
}

/** `11:05:09`. */
export function clock(at: number | null | undefined): string {
  return at == null ? '—' : dateTime(at).slice(11)
}

/** `11:05:09` for today, else `11-24 11:05`. */
export function brief(at: number | null | undefined, now = Date.now()): string {
  if (at == null) return '—'
  const text = dateTime(at)
  return text.slice(0, 10) === dateTime(now).slice(0, 10) ? text.slice(11) : text.slice(5, 16)
}

/** `2026-11-24T11:05:09` in the county's zone → the instant; null if it is no such text. */
export function fromCountyText(text: string | null | undefined): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text ?? '')
  if (!match) return null
  const [year, month, day, hour, minute, second] = match.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return Date.UTC(year, month - 1, day, hour, minute, second) - ZONE_OFFSET_MS
}

/** The instant → `2026-11-24T11:05:09` in the county's zone. */
export function toCountyText(at: number | null): string | null {
  return at === null ? null : dateTime(at).replace(' ', 'T')
}

/** The start of the county's day that holds this instant. */
export function startOfDay(at: number): number {
  return fromCountyText(dateTime(at).slice(0, 10)) ?? at
}

/** How long, in its two largest units. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return t('time.s', { n: seconds })
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return t('time.ms', { m: minutes, s: seconds % 60 })
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return t('time.hm', { h: hours, m: minutes % 60 })
  return t('time.dh', { d: Math.floor(hours / 24), h: hours % 24 })
}

/** `2,345`. */
export function count(n: number): string {
  return n.toLocaleString(language.value === 'en' ? 'en-GB' : 'zh-CN')
}

/** A share as `98.62 %`; a dash without one. Never rounds up to a full hundred. */
export function rate(share: number | null | undefined): string {
  if (share == null || !Number.isFinite(share)) return '—'
  const percent = share * 100
  const shown = percent < 100 ? Math.min(99.99, Math.round(percent * 100) / 100) : 100
  return `${shown === 100 ? '100' : shown.toFixed(2)}%`
}

/** `12.3 GB`, decimal units as disks are sold. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = n
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `+0.2 s`: a difference of clocks; none below what is shown. */
export function offset(ms: number | null | undefined): string {
  if (ms == null) return '—'
  const tenths = Math.round(ms / 100)
  return `${tenths > 0 ? '+' : ''}${((tenths || 0) / 10).toFixed(1)} s`
}

/** Evidence as it is told, its instants in the county's time. */
export function evidence(text: string): string {
  return said(text)
    .replace(/\buntil_ms=(\d{13})\b/g, (_, at: string) => `→ ${dateTime(Number(at))}`)
    .replace(/\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/g, (at) => dateTime(Date.parse(at)))
}

/** `2.05 Mbit/s`. */
export function bitrate(n: number): string {
  return n >= 1_000_000 ? `${(n / 1_000_000).toFixed(2)} Mbit/s` : `${Math.round(n / 1000)} kbit/s`
}

/** ` (text)` in the signs of the language; nothing of nothing. */
export function bracket(text: string | null | undefined): string {
  return text ? t('common.bracket', { text }) : ''
}
