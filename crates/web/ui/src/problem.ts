// A failure in words that say what to do.
import { Problem } from '@/api/http'
import { t, told } from '@/i18n'
import { said } from '@/i18n/sentences'

/** Whether the same may well work a little later: the service silent, sick or busy. */
export function passes(error: unknown): boolean {
  return error instanceof Problem && (error.status === 0 || error.status >= 500)
}

export function explain(error: unknown): string {
  if (!(error instanceof Problem)) return error instanceof Error ? error.message : String(error)
  if (error.status === 0) return t('problem.unreachable')
  if (error.status === 429) {
    return error.retryAfter ? t('problem.tooManyWait', { s: error.retryAfter }) : t('problem.tooMany')
  }
  const key = `problem.codes.${error.code}`
  if (told(key)) return t(key, { detail: said(error.detail) })
  if (error.detail) return said(error.detail)
  if (error.status === 403) return t('problem.forbidden')
  if (error.status === 404) return t('problem.codes.not_found')
  if (error.status >= 500) return t('problem.server', { status: error.status })
  return error.title || t('problem.server', { status: error.status })
}
