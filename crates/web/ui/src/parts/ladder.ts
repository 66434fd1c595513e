// From what the service says of a climb to the ten rungs on screen. Pure functions.
import { LAYERS, type CameraState, type ConfidenceCode, type Ladder, type LayerCode, type RungOutcome } from '@/api/types'

export interface ShownRung {
  layer: LayerCode
  /** `unreached`: above the rung that failed, or not part of this climb. */
  outcome: RungOutcome | 'unreached'
  ms: number | null
  cause: string | null
  /** How sure the outcome is; null if it was not checked, or nothing says. */
  confidence: ConfidenceCode | null
  evidence: string
}

/** All ten rungs, lowest first; those the climb does not tell of are unreached. */
export function rungsOf(ladder: Ladder): ShownRung[] {
  const told = new Map(ladder.rungs.map((rung) => [rung.layer, rung]))
  const failed = LAYERS.findIndex((layer) => told.get(layer)?.outcome === 'failed')
  return LAYERS.map((layer, i) => {
    const rung = told.get(layer)
    if (!rung) return { layer, outcome: 'unreached', ms: null, cause: null, confidence: null, evidence: '' }
    const beyond = failed >= 0 && i > failed && rung.outcome === 'skipped'
    return { layer, outcome: beyond ? 'unreached' : rung.outcome, ms: rung.ms, cause: rung.cause, confidence: rung.confidence, evidence: rung.evidence }
  })
}

/** The ladder as far as a state alone tells it, until the climb itself is known. */
export function rungsOfState(state: CameraState): ShownRung[] {
  const failed = state.layer === null ? -1 : LAYERS.indexOf(state.layer)
  return LAYERS.map((layer, i) => {
    if (state.status === 'unknown' || state.status === 'paused') {
      return { layer, outcome: 'unreached', ms: null, cause: i === failed ? state.cause : null, confidence: null, evidence: i === failed ? state.detail : '' }
    }
    if (i === failed) return { layer, outcome: 'failed', ms: null, cause: state.cause, confidence: null, evidence: state.detail }
    // An impaired camera delivers pictures: what lies above the failing rung was reached all the same.
    const reached = failed < 0 || i < failed
    return { layer, outcome: reached ? 'passed' : 'unreached', ms: null, cause: null, confidence: null, evidence: '' }
  })
}

/** The rung the eye should find first. */
export function failingRung(rungs: readonly ShownRung[]): ShownRung | null {
  return rungs.find((rung) => rung.outcome === 'failed') ?? null
}
