import { t } from '@/i18n'

/** Reasons for looking into the archive that are given again and again. */
export function reasonPresets(): string[] {
  return [t('reason.presets.patrol'), t('reason.presets.fault'), t('reason.presets.case'), t('reason.presets.request')]
}
