// What can be done to an order where it stands, by whoever looks at it; and its diagnosis as a text to be sent on.
// The service decides; this only hides what it would refuse.
import type { Order, OrderAct, OrderPage } from '@/api/desk'
import type { Rung } from '@/api/types'

/** Acts in the order of buttons; the first is the usual next step. */
export function actsFor(order: Order, desk: boolean): OrderAct[] {
  const acts: OrderAct[] = []
  const state = order.state
  const late = desk && order.hold === null && order.waited.length > 0
  if (state === 'closed') return late ? ['approve_hold'] : acts
  if (order.mine) {
    if (state === 'assigned') acts.push('accept', 'decline')
    if (state === 'accepted') acts.push('start', 'decline')
    if (state === 'working') acts.push('finish', 'hold')
    if (state === 'on_hold') acts.push('resume')
  }
  if (desk) {
    if (state === 'reported') acts.push('confirm')
    if (state === 'confirmed') acts.push('assign')
    if (state === 'repaired') acts.push('accept_repair', 'reject')
    if (state === 'on_hold') {
      if (order.hold?.third_party && order.hold.approved_by === null) acts.push('approve_hold')
      acts.push('resume')
    }
    if (['assigned', 'accepted', 'working', 'on_hold'].includes(state)) acts.push('assign')
    if (late) acts.push('approve_hold')
    acts.push('false_alarm', 'merge')
  }
  if (order.mine || desk) acts.push('diagnose', 'note')
  return [...new Set(acts)]
}

/** Which of its cameras still lack a climb that passed after the recovery. */
export function unverified(order: Order, now: number): number[] {
  const since = order.recovered
  return order.to_verify.filter((camera) => {
    const climb = order.verifications.find((v) => v.camera === camera)
    return !climb || !climb.passed || climb.picture === null || since === null || climb.at < since || now - climb.at > 3_600_000
  })
}

export interface Words {
  camera(id: number): string
  place(id: number): string
  cause(code: string): string
  likely(code: string): string
  layer(code: string): string
  next(code: string): string
  time(at: number): string
  label(key: 'order' | 'incident' | 'cause' | 'likely' | 'evidence' | 'next' | 'cameras' | 'since' | 'found'): string
  evidence(item: { zh: string; en: string }): string
  colon: string
  comma: string
  bracket(text: string): string
}

/** The diagnosis as plain text, for a message to whoever stands at the pole. No address and no account in it. */
export function diagnosisText(page: OrderPage, rungs: readonly Rung[], words: Words): string {
  const { order, incident } = page
  const named = (key: Parameters<Words['label']>[0], value: string) => `${words.label(key)}${words.colon}${value}`.trim()
  const lines = [`${words.label('order')} G${order.id}`]
  if (incident) {
    lines.push(`${words.label('incident')} E${incident.id}${words.comma}${words.label('since')} ${words.time(incident.opened)}`)
    lines.push(named('cause', words.cause(incident.cause)))
    lines.push(named('likely', words.likely(incident.likely) + words.bracket(`${incident.confidence}%`)))
    for (const item of incident.evidence) lines.push(`· ${words.evidence(item)}`)
    const next = words.next(incident.cause)
    if (next) lines.push(named('next', next))
  }
  lines.push(named('cameras', ''))
  for (const camera of order.cameras.slice(0, 12)) lines.push(`· ${words.place(camera)} ${words.camera(camera)}`)
  if (order.cameras.length > 12) lines.push(`· … ${order.cameras.length}`)
  const failed = rungs.find((rung) => rung.outcome === 'failed')
  if (failed) lines.push(named('evidence', `${words.layer(failed.layer)} — ${failed.cause ? words.cause(failed.cause) : ''} ${failed.evidence}`))
  if (order.confirmed) lines.push(named('found', `${words.likely(order.confirmed.found)} ${order.confirmed.note}`))
  return lines.join('\n')
}
