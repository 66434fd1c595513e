// What each page shows while it waits, when the service fails, when the network is gone and when there is nothing yet:
// every route the router knows, against a real server in demo mode whose answers are held, replaced or cut off on
// their way. A new page is among them by itself.
import { expect, test, type Browser, type Page, type Route } from '@playwright/test'
import { Cable } from './cable'
import { ask, enter } from './enter'

type Mode = 'well' | 'held' | 'failing' | 'empty'
interface Known {
  path: string
  name: string
  open: boolean
}

/** Pages look better, or ask for more, with something chosen; `{camera}` and `{site}` are the first of the fleet. */
const CHOSEN: Record<string, string> = {
  live: '?cameras={camera}',
  day: '?camera={camera}',
  map: '?camera={camera}',
}
/** What pages ask for beside, and do without: the ground of the map, whether live view is refused, given orders. */
const BESIDE = /\/(map|live|session|events)$|\/orders\?open=true/

function routes(page: Page): Promise<Known[]> {
  return page.evaluate(() => {
    const app = (document.querySelector('#app') as unknown as { __vue_app__: { config: { globalProperties: { $router: { getRoutes(): { path: string; name?: unknown; meta: { open?: boolean } }[] } } } } }).__vue_app__
    return app.config.globalProperties.$router.getRoutes().map((route) => ({ path: route.path, name: String(route.name), open: route.meta.open ?? false }))
  })
}
/** Addresses of a route: without its number where that may be left out, and with it. */
function addresses(route: Known, ids: { camera: number; site: number }): string[] {
  const id = String(route.name === 'sites' ? ids.site : route.name === 'camera' ? ids.camera : 1)
  const filled = route.path.replace(/\/:rest\(.*$/, '/no-such-page').replace(/:id\(\\d\+\)\??/, id)
  const chosen = (CHOSEN[route.name] ?? '').replace('{camera}', String(ids.camera))
  const bare = route.path.replace(/\/:id\(\\d\+\)\?$/, '')
  return [...new Set([...(route.path.endsWith('?') ? [bare || '/'] : []), filled + chosen, ...(chosen ? [filled] : [])])]
}
/** As a link on the page would, without loading it anew. */
async function go(page: Page, to: string): Promise<void> {
  await page.evaluate((to) => {
    const app = (document.querySelector('#app') as unknown as { __vue_app__: { config: { globalProperties: { $router: { push(to: string): Promise<unknown> } } } } }).__vue_app__
    return app.config.globalProperties.$router.push(to).then(() => undefined)
  }, to)
}

/** A page signed in like the first one, whose answers can be meddled with, and what it has asked for since `began`. */
class Meddled {
  mode: Mode = 'well'
  asked: string[] = []
  private readonly held: (() => void)[] = []
  private constructor(
    readonly page: Page,
    readonly cable: Cable,
  ) {}

  static async open(browser: Browser, like: Page): Promise<Meddled> {
    const cable = await Cable.to(process.env.SHARPEYES_URL ?? 'http://127.0.0.1:8080')
    const context = await browser.newContext({ baseURL: cable.url, storageState: await like.context().storageState(), viewport: { width: 1366, height: 768 }, locale: 'zh-CN', timezoneId: 'UTC' })
    const page = await context.newPage()
    const meddled = new Meddled(page, cable)
    await page.addInitScript(() => {
      Object.assign(window, { shifted: 0 })
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) (window as unknown as { shifted: number }).shifted += (entry as unknown as { value: number }).value
      }).observe({ type: 'layout-shift', buffered: true })
    })
    await page.route(/\/api\/v1\//, (route) => meddled.answer(route))
    return meddled
  }

  private async answer(route: Route): Promise<void> {
    const request = route.request()
    const url = request.url()
    if (request.resourceType() !== 'fetch' || /\/(session|events)$/.test(url)) return route.continue().catch(() => undefined)
    if (!BESIDE.test(url)) this.asked.push(url)
    if (this.mode === 'failing') {
      return route.fulfill({
        status: 500,
        contentType: 'application/problem+json',
        body: JSON.stringify({ type: 'urn:sharpeyes:problem:internal', title: 'Internal Server Error', status: 500, detail: 'something failed here; the log says what', code: 'internal' }),
      })
    }
    if (this.mode === 'held') await new Promise<void>((go) => this.held.push(go))
    if (this.mode !== 'empty') return route.continue().catch(() => undefined)
    const answer = await route.fetch().catch(() => null)
    if (!answer) return
    const text = await answer.text()
    const body = /json/.test(answer.headers()['content-type'] ?? '') ? (JSON.parse(text) as Record<string, unknown>) : null
    if (!answer.ok() || !body) return route.fulfill({ response: answer })
    const lists = /\/fleet$/.test(url) ? ['towns', 'sites', 'uplinks', 'cameras'] : /\/states$/.test(url) ? ['cameras'] : Array.isArray(body.items) ? ['items'] : []
    for (const list of lists) body[list] = []
    if ('next' in body) body.next = null
    return route.fulfill({ response: answer, json: body })
  }

  release(): void {
    this.mode = 'well'
    for (const go of this.held.splice(0)) go()
  }
  close(): Promise<void> {
    this.release()
    this.cable.close()
    return this.page.context().close()
  }
  get main() {
    return this.page.locator('#main')
  }
  spinners() {
    return this.main.locator('.notice .spinner')
  }
  alerts() {
    return this.main.locator('.notice[role=alert]')
  }
  /** Everything asked for has come or has failed. */
  async settled(): Promise<void> {
    await expect(this.spinners()).toHaveCount(0)
  }
}

const complaints: string[] = []
async function found(what: string, is: () => Promise<void>): Promise<void> {
  try {
    await is()
  } catch (error) {
    complaints.push(`${what}: ${String(error).split('\n').slice(0, 6).join(' ').slice(0, 400)}`)
  }
}

/** The service fails: a sentence, what to do, a way to try again; then it is well again and so is the page, by itself. */
async function failing(one: Meddled, paths: readonly string[]): Promise<void> {
  await one.page.goto('/more')
  await one.page.locator('.link.live').waitFor()
  for (const path of paths) {
    one.mode = 'failing'
    one.asked = []
    await go(one.page, path)
    await found(`${path} while the service fails`, async () => {
      await one.settled()
      if (one.asked.length === 0) return
      // Either there is nothing to show, and that is said in its place, or what there was stays and is said to be old.
      const told = one.alerts().or(one.main.locator('[data-test=kept]')).first()
      await expect(told).toContainText('服务内部出错')
      await expect(told.getByRole('button', { name: '重试' })).toBeVisible()
    })
    one.mode = 'well'
    await one.page.evaluate(() => window.dispatchEvent(new Event('online')))
    await found(`${path} when the service is well again`, async () => {
      await one.settled()
      await expect(one.alerts().filter({ hasNotText: /不存在/ })).toHaveCount(0)
      await expect(one.main.locator('[data-test=kept]')).toHaveCount(0)
    })
  }
}

/** Answers take their time: the page says that it waits, and nothing jumps when they come. Then the network goes. */
async function slow(one: Meddled, paths: readonly string[]): Promise<void> {
  const { page } = one
  await page.goto('/more')
  await page.locator('.link.live').waitFor()
  for (const path of paths) {
    one.mode = 'held'
    one.asked = []
    await go(page, path)
    await found(`${path} while answers are slow`, async () => {
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
      if (one.asked.length > 0) await expect(one.spinners().first()).toBeVisible()
      await expect(one.alerts()).toHaveCount(0)
    })
    await page.evaluate(() => Object.assign(window, { shifted: 0 }))
    one.release()
    await found(`${path} once answers have come`, async () => {
      await one.settled()
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
      const shifted = await page.evaluate(() => (window as unknown as { shifted: number }).shifted)
      if (process.env.SHARPEYES_SHIFTS) console.log(path, shifted.toFixed(3))
      expect(shifted, 'layout shift').toBeLessThan(0.1)
    })
    await found(`${path} without a network`, async () => {
      const before = (await one.main.innerText()).length
      one.cable.pullOut()
      await expect(page.locator('[data-test=interrupted]')).toContainText(/数据截至 \d\d:\d\d/)
      expect((await one.main.innerText()).length, 'what was there stays').toBeGreaterThan(before * 0.7)
    })
    one.cable.plugIn()
    await found(`${path} with a network again`, async () => {
      await expect(page.locator('[data-test=interrupted]')).toHaveCount(0)
      await expect(one.main.locator('[data-test=kept]')).toHaveCount(0)
      await expect(one.alerts().filter({ hasNotText: /不存在/ })).toHaveCount(0)
    })
  }
}

/** Nothing there yet: each place says so in words of its own. */
async function empty(one: Meddled, paths: readonly string[]): Promise<void> {
  one.mode = 'empty'
  await one.page.goto('/more')
  await one.page.locator('.link.live').waitFor()
  for (const path of paths) {
    await go(one.page, path)
    await found(`${path} with nothing there`, async () => {
      await one.settled()
      const texts = await one.main.locator('.notice').allInnerTexts()
      for (const text of texts) expect(text.trim(), 'in words of its own').not.toMatch(/^(暂无内容)?$/)
      await expect(one.alerts().filter({ hasNotText: /不存在/ })).toHaveCount(0)
      if (/^\/(wall|sites|map|register|$)/.test(path)) await expect(one.main.locator('[data-test=no-cameras]').first()).toBeVisible()
    })
  }
}

test('every page has a form for waiting, failing, being cut off and having nothing', async ({ page, browser }) => {
  await enter(page)
  const { cameras } = await ask<{ cameras: { id: number; site: number }[] }>(page, '/fleet')
  const ids = { camera: cameras[0]!.id, site: cameras[0]!.site }
  const known = await routes(page)
  expect(known.length).toBeGreaterThan(20)
  // SHARPEYES_PAGES: a pattern of those to visit.
  const wanted = new RegExp(process.env.SHARPEYES_PAGES ?? '')
  const paths = known.filter((route) => !route.open).flatMap((route) => addresses(route, ids)).filter((path) => wanted.test(path))
  const pages = await Promise.all([0, 1, 2].map(() => Meddled.open(browser, page)))
  const [first, second, third] = pages as [Meddled, Meddled, Meddled]
  await Promise.all([failing(first, paths), slow(second, paths), empty(third, paths)])
  await Promise.all(pages.map((one) => one.close()))
  expect(complaints).toEqual([])
})
