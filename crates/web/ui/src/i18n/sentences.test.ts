import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { language } from './index'
import { ALL_SENTENCES, said } from './sentences'
import zhCN from './zh-CN'

describe('what the service says', () => {
  beforeEach(() => (language.value = 'zh-CN'))
  afterEach(() => (language.value = 'zh-CN'))
  it('is told in Chinese, its values as they are', () => {
    expect(said('no packet for 5.0 s')).toBe('5.0 秒没有数据包')
    expect(said('ping answered in 0.3 ms; TCP answered')).toBe('ping 应答 0.3 毫秒；TCP 有应答')
    expect(said('10.0.0.9:554 refused the connection (the host answers ping)')).toBe('10.0.0.9:554 拒绝连接（主机能 ping 通）')
    expect(said('+0.0 s ± 0.00 s, +0.1 ± 0.6 s/day')).toBe('+0.0 秒 ± 0.00 秒，每天漂移 +0.1 ± 0.6 秒')
    expect(said('the server refused: status 500')).toBe('服务器拒绝：状态 500')
    expect(said('edges agree with the usual scene by 12 %, by 80 % if it is shifted by 3 % of the width and 4 % of the height')).toBe(
      '轮廓与平时场景吻合 12%，若横移画面宽度的 3%、纵移高度的 4% 则吻合 80%',
    )
    expect(said('10.0.0.9:554 did not answer within 4 s; before: stalled (no packet for 5.0 s)')).toBe('10.0.0.9:554 在 4 秒内无应答；此前：stalled（5.0 秒没有数据包）')
    expect(said('no packet for 5.0 s; then 10.0.0.9:554 did not answer within 4 s')).toBe('5.0 秒没有数据包；随后10.0.0.9:554 在 4 秒内无应答')
  })
  it('is as it came where it is no sentence of ours, and in English', () => {
    expect(said('RTSP/1.0 461 Unsupported transport')).toBe('RTSP/1.0 461 Unsupported transport')
    expect(said('')).toBe('')
    language.value = 'en'
    expect(said('no packet for 5.0 s')).toBe('no packet for 5.0 s')
  })
  it('has every value in both languages, and no sentence twice', () => {
    const seen = new Set<string>()
    for (const [english, chinese] of ALL_SENTENCES) {
      expect(seen.has(english), english).toBe(false)
      seen.add(english)
      const values = english.split('{}').length - 1
      const told = chinese.match(/\{\d*\}/g)?.length ?? 0
      // A number of the system's that says nothing to people may be left out.
      expect(told === values || english.includes('os error'), english).toBe(true)
      expect(chinese, english).toMatch(/[\u4e00-\u9fff]|TLS：|SETUP：/)
    }
  })
  it('leaves out no sentence that the service can say', () => {
    const root = fileURLToPath(new URL('../../../../..', import.meta.url))
    const text = String.raw`(?:format!\(\s*)?"((?:[^"\\]|\\.)*)"`
    // Where sentences are made that pages show, and how they look there.
    const places: [folder: string, shape: string][] = [
      ['crates/web/src', String.raw`Problem::(?:invalid|busy)\(\s*${text}`],
      // What is added to a deed in the audit log.
      ['crates/web/src/api', String.raw`\.detail\("((?:[^"\\]|\\.)*)"`],
      ['crates/ingest/src', String.raw`failure\(\s*Cause::\w+,\s*${text}`],
      ['crates/ingest/src', String.raw`detail: ${text}`],
      ['crates/health/src', String.raw`detail(?: =|:) ${text}`],
      ['crates/picture/src', String.raw`detail(?: =|:)\s*${text}`],
      ['crates/picture/src/error.rs', String.raw`#\[error\(${text}`],
      ['crates/picture/src/sandbox.rs', String.raw`(?:Ok|Err)\(${text}`],
      ['crates/notify/src', String.raw`Refusal::(?:Settings|Unreachable|Refused)\(\s*${text}`],
      ['crates/notify/src/lib.rs', String.raw`#\[error\(${text}`],
      ['crates/notify/src/target.rs', String.raw`[sS]ome\(${text}`],
      ['crates/web/src/tls.rs', String.raw`#\[error\(${text}`],
      ['crates/health/src/desk/act.rs', String.raw`#\[error\(\s*${text}`],
      ['crates/health/src/desk/window.rs', String.raw`#\[error\(\s*${text}`],
      ['crates/health/src/desk/notice.rs', String.raw`Some\(${text}`],
      ['crates/archive/src/holds.rs', String.raw`HoldLimit\(${text}`],
      ['crates/store-sqlite/src', String.raw`Conflict\(${text}`],
      ['crates/web/src/users.rs', String.raw`Invalid\(${text}`],
      ['crates/web/src/sheet.rs', String.raw`#\[error\(${text}`],
      ['crates/fleet/src/address.rs', String.raw`#\[error\(${text}`],
      ['crates/fleet/src/import/mod.rs', String.raw`#\[error\(${text}`],
      ['crates/fleet/src/import', String.raw`expected: ${text}`],
      ['src/node', String.raw`Some\(${text}`],
      ['src/node', String.raw`then\(\|\| ${text}`],
    ]
    // Refusals: those whose code has a text of its own are told by it, unless it repeats the sentence.
    const own = new Set(Object.entries(zhCN.problem.codes).filter(([, told]) => !told.includes('{detail}')).map(([code]) => code))
    const missing: string[] = []
    const sentences = (source: string) => [
      ...[...source.matchAll(new RegExp(String.raw`Problem::new\(\s*StatusCode::\w+,\s*"(\w+)",\s*${text}`, 'g'))].filter(([, code]) => !own.has(code!)).map(([, , told]) => told!),
    ]
    for (const [place, shape] of places) {
      const files = place.endsWith('.rs') ? [''] : readdirSync(root + place, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs') && !name.includes('tests'))
      for (const name of files) {
        const source = readFileSync(name === '' ? root + place : `${root}${place}/${name}`, 'utf8').split('#[cfg(test)]')[0]!
        const found = [...source.matchAll(new RegExp(shape, 'g'))].map(([, told]) => told!)
        for (const told of [...found, ...sentences(source)]) {
          const sentence = told.replaceAll('\\"', '"').replace(/\{[^}]*\}/g, '7')
          if (/[a-z']{2,} [a-z]{2,}/.test(sentence) && said(sentence) === sentence) missing.push(sentence)
        }
      }
    }
    expect([...new Set(missing)]).toEqual([])
  })
})
