import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import en from './en'
import zhCN from './zh-CN'

function leaves(node: object, prefix = ''): [string, string][] {
  return Object.entries(node).flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' ? [[prefix + key, value]] : leaves(value as object, `${prefix}${key}.`),
  )
}
const chinese = new Map(leaves(zhCN))
const english = new Map(leaves(en))

describe('the languages', () => {
  it('have the same keys', () => expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort()))
  it('leave nothing empty', () => {
    for (const [key, text] of [...chinese, ...english]) expect(text.trim(), key).not.toBe('')
  })
  it('fill in the same values', () => {
    const values = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()
    for (const [key, text] of chinese) expect(values(english.get(key) ?? ''), key).toEqual(values(text))
  })
  it('are each in their language', () => {
    for (const [key, text] of english) expect(text, key).not.toMatch(/[\u4e00-\u9fff]/)
  })
  it('are used: no text without a page', () => {
    const root = fileURLToPath(new URL('..', import.meta.url))
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    const source = files
      .filter((name) => /\.(vue|ts)$/.test(name) && !name.includes('i18n') && !name.endsWith('.test.ts'))
      .map((name) => readFileSync(root + name, 'utf8'))
      .join('\n')
    // Keys made from a code word are used by their stem.
    const unused = [...chinese.keys()].filter((key) => !source.includes(key) && !source.includes(`${key.slice(0, key.lastIndexOf('.'))}.\${`))
    expect(unused).toEqual([])
  })
})
