// To the clipboard, where the browser allows it: over plain http it does not.
import { t } from '@/i18n'
import { done, failed } from './said'

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    done(t('common.copied'))
  } catch {
    failed(new Error(t('common.cannotCopy')))
  }
}
