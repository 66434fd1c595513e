// Every page against a real server in demo mode: usable with a screen reader and a keyboard (axe finds nothing
// serious), nothing wider than the screen at 360 px, the first route small.
import { expect, test, type Page } from '@playwright/test'
import { ask, enter } from './enter'
import { judged, tooWide } from './judged'
import { shot } from './shot'

/** Largest first route, compressed as it is sent, in bytes: fonts and data left out. */
const FIRST_ROUTE = 250 * 1024
/** Pages that show what the log keeps, as it was written down. */
const RECORDS = ['/audit', '/register?tab=changes']
const SIZES = [
  { width: 1366, height: 768 },
  { width: 360, height: 780 },
]

/** Texts of a Chinese page that are English sentences: three words of small letters after each other. */
function english(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const text = node.textContent?.trim() ?? ''
      if (node.parentElement?.closest('pre, code, script, style, .mono, [lang=en]')) continue
      if (/\b[a-z]{2,},? [a-z']{2,},? [a-z]{2,}\b/.test(text)) found.push(text)
    }
    return found
  })
}

/** Every page that there is, with one camera of each kind of trouble. */
async function everyPage(page: Page): Promise<string[]> {
  const { cameras } = await ask<{ cameras: { id: number; site: number }[] }>(page, '/fleet')
  const first = cameras[0]!
  const { cameras: states } = await ask<{ cameras: { id: number; cause: string | null }[] }>(page, '/states')
  const troubled = [...new Map(states.filter((state) => state.cause !== null).map((state) => [state.cause, state.id])).values()].slice(0, 5)
  return [
    '/',
    '/wall',
    '/map',
    '/sites',
    `/sites/${first.site}`,
    `/cameras/${first.id}`,
    ...troubled.map((id) => `/cameras/${id}`),
    '/incidents',
    `/live?cameras=${first.id}&split=4`,
    '/orders',
    '/windows',
    '/handovers',
    '/reports',
    '/snapshots',
    '/exports',
    '/users',
    '/channels',
    '/mailings',
    '/tokens',
    '/account',
    '/audit',
    '/register',
    '/register?tab=changes',
    '/import',
    '/retention',
    '/self',
    '/demo',
    '/more',
    '/password',
    '/no-such-page',
  ]
}

test('every page is usable by everybody, on the desk and on the phone', async ({ page }) => {
  await page.goto('/sign-in')
  await page.locator('#name').waitFor()
  const complaints = await judged(page, '/sign-in', 1440)
  await enter(page)
  const paths = await everyPage(page)
  for (const path of paths) {
    await page.setViewportSize(SIZES[0]!)
    await page.goto(path)
    await page.locator('.page, .card').first().waitFor()
    // Data has come, or its place says that none has.
    await expect(page.locator('.notice .spinner')).toHaveCount(0, { timeout: 20_000 })
    for (const size of SIZES) {
      await page.setViewportSize(size)
      // What moves when the width changes has come to rest.
      await page.waitForTimeout(350)
      complaints.push(...(await judged(page, path, size.width)))
    }
    if (!RECORDS.includes(path)) complaints.push(...(await english(page)).map((text) => `${path} says in English: ${text}`))
  }
  expect(complaints).toEqual([])
})

test('in English, too, nothing is wider than the screen, from the phone to the wall of the monitoring centre', async ({ page }) => {
  await enter(page)
  const paths = await everyPage(page)
  await page.evaluate(() => localStorage.setItem('sharpeyes.language', 'en'))
  const complaints: string[] = []
  for (const path of [...paths, '/?screen=full', '/wall?screen=full']) {
    await page.goto(path)
    await page.locator('.page, .card').first().waitFor()
    await expect(page.locator('html')).toHaveAttribute('lang', 'en')
    await expect(page.locator('.notice .spinner')).toHaveCount(0, { timeout: 20_000 })
    for (const [width, height] of [
      [3840, 2160],
      [1920, 1080],
      [360, 780],
    ] as const) {
      await page.setViewportSize({ width, height })
      await page.waitForTimeout(350)
      complaints.push(...(await tooWide(page, path, width)))
      await shot(page, `en-${width}${path.replaceAll(/[^a-z0-9]+/g, '-')}`)
    }
  }
  expect(complaints).toEqual([])
})

test('the first route is small', async ({ page }) => {
  await enter(page)
  const client = await page.context().newCDPSession(page)
  await client.send('Network.enable')
  await client.send('Network.setCacheDisabled', { cacheDisabled: true })
  const asked = new Map<string, string>()
  let bytes = 0
  client.on('Network.requestWillBeSent', (event) => asked.set(event.requestId, event.request.url))
  client.on('Network.loadingFinished', (event) => {
    const url = new URL(asked.get(event.requestId) ?? 'data:,')
    if (url.pathname.startsWith('/assets/') || url.pathname === '/') bytes += event.encodedDataLength
  })
  await page.goto('/')
  await page.locator('[data-test=total]').waitFor()
  await page.waitForLoadState('load')
  console.log(`first route: ${Math.round(bytes / 1024)} KB compressed`)
  expect(bytes).toBeGreaterThan(50_000)
  expect(bytes).toBeLessThanOrEqual(FIRST_ROUTE)
})
