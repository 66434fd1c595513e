// Two languages, complete by type: a key that one of them lacks does not compile, nor does asking for a key that
// does not exist. Closed lists (statuses, causes …) are not here: they come from the service's vocabulary.
import { createI18n } from 'vue-i18n'
import { shallowRef } from 'vue'
import type { Messages } from './zh-CN'
import type { Language as ElementLanguage } from 'element-plus/es/locale'

export type Language = 'zh-CN' | 'en'
export const LANGUAGES: readonly { code: Language; name: string }[] = [
  { code: 'zh-CN', name: '中文' },
  { code: 'en', name: 'English' },
]

type Leaves<T, P extends string = ''> = {
  [K in keyof T & string]: T[K] extends string ? `${P}${K}` : Leaves<T[K], `${P}${K}.`>
}[keyof T & string]
/** Every text there is. */
export type TextKey = Leaves<Messages>

const STORED = 'sharpeyes.language'
const i18n = createI18n({ legacy: false, locale: 'zh-CN', fallbackLocale: false, messages: {} })

/** The language on screen. */
export const language = shallowRef<Language>('zh-CN')
/** Element Plus's own words in that language. */
export const elementLocale = shallowRef<ElementLanguage | undefined>(undefined)

/** The plug-in for the application. */
export const plugin = i18n

async function load(code: Language): Promise<void> {
  const [messages, element] =
    code === 'en'
      ? await Promise.all([import('./en'), import('element-plus/es/locale/lang/en')])
      : await Promise.all([import('./zh-CN'), import('element-plus/es/locale/lang/zh-cn')])
  i18n.global.setLocaleMessage(code, messages.default)
  i18n.global.locale.value = code
  language.value = code
  elementLocale.value = element.default
}

/** The language chosen earlier, or Chinese. */
export async function startLanguage(): Promise<void> {
  let stored: string | null = null
  try {
    stored = localStorage.getItem(STORED)
  } catch {
    // Storage may be forbidden: the default stands.
  }
  await load(stored === 'en' ? 'en' : 'zh-CN')
}

/** Switches and remembers. */
export async function setLanguage(code: Language): Promise<void> {
  await load(code)
  document.documentElement.lang = code
  try {
    localStorage.setItem(STORED, code)
  } catch {
    // Not remembered, then.
  }
}

/** The codes that have a text below `list`, in the order of the texts. */
export function codesOf(list: 'audit.actions'): string[] {
  const [part, name] = list.split('.') as ['audit', 'actions']
  const messages = i18n.global.messages.value as Partial<Record<Language, Messages>>
  return Object.keys(messages[language.value]?.[part][name] ?? {})
}

/** Whether a key has a text: for codes that may be newer than this page. */
export function told(key: string): key is TextKey {
  return i18n.global.te(key)
}

/** The text of a key; `n` among the values chooses the plural. */
export function t(key: TextKey, values: Record<string, string | number> = {}): string {
  const translate = i18n.global.t as (key: string, values: object, plural?: number) => string
  // Also of a number that is written out already: 1,204.
  const n = typeof values.n === 'string' ? Number(values.n.replace(/,/g, '')) : values.n
  return n === undefined || Number.isNaN(n) ? translate(key, values) : translate(key, values, n)
}
