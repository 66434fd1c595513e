// The pages under a fleet that changes all the time. Prints what it measured, beside the aim of each.
//
// SHARPEYES_URL, SHARPEYES_USER, SHARPEYES_PASSWORD; SHARPEYES_CAMERAS; SHARPEYES_SLACK (how many times the aim is
// allowed, on a machine that does other work beside).
import { expect, test, type CDPSession, type Page } from '@playwright/test'

const cameras = Number(process.env.SHARPEYES_CAMERAS ?? '800')
const slack = Number(process.env.SHARPEYES_SLACK ?? '1')
const WATCH_MS = 10_000

interface Metrics {
  /** Seconds that the page's main thread worked. */
  busy: number
  at: number
}

async function metrics(cdp: CDPSession): Promise<Metrics> {
  const { metrics } = await cdp.send('Performance.getMetrics')
  const value = (name: string) => metrics.find((m) => m.name === name)?.value ?? Number.NaN
  return { busy: value('TaskDuration'), at: value('Timestamp') }
}

function atMost(what: string, value: number, aim: number): void {
  console.log(`  ${value <= aim ? 'ok    ' : 'MISSED'} ${what}: ${value.toFixed(2)} (aim: at most ${aim})`)
  expect.soft(value, what).toBeLessThanOrEqual(aim * slack)
}

/** Opens a page from nothing and gives the seconds until what it is for is on the screen. */
async function opened(page: Page, path: string, shown: () => Promise<unknown>): Promise<number> {
  const from = Date.now()
  await page.goto(path, { waitUntil: 'commit' })
  await shown()
  return (Date.now() - from) / 1000
}

test('the pages show the whole fleet at once and stay at hand while it changes', async ({ page }) => {
  await page.goto('/')
  await page.locator('#name').fill(process.env.SHARPEYES_USER ?? '')
  await page.locator('#password').fill(process.env.SHARPEYES_PASSWORD ?? '')
  await page.locator('button[type=submit]').click()
  const all = cameras.toLocaleString('zh-CN')
  const total = page.locator('[data-test=total]')
  await expect(total).toHaveText(all)
  const tiles = page.locator('[data-test=wall] [data-camera]')
  const wallIsThere = async () => {
    await expect(page.locator('[data-test=shown]')).toContainText(all)
    await tiles.first().waitFor()
    // Every picture in sight is decoded.
    await page.waitForFunction(() => {
      const box = document.querySelector('[data-test=wall]')?.getBoundingClientRect()
      const images = Array.from(document.querySelectorAll<HTMLImageElement>('[data-test=wall] img')).filter((image) => {
        const at = image.getBoundingClientRect()
        return box && at.bottom > box.top && at.top < box.bottom
      })
      return images.length > 0 && images.every((image) => image.complete && image.naturalWidth > 0)
    })
  }
  atMost('overview, s', await opened(page, '/', () => expect(total).toHaveText(all)), 1)
  atMost('wall with its pictures, s', await opened(page, '/wall', wallIsThere), 1.5)

  // ---- changes arrive, and cost little ----
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Performance.enable')
  await page.evaluate(() => {
    const seen = { changes: 0, longestFrame: 0 }
    Object.assign(window, { seen })
    new MutationObserver((records) => (seen.changes += records.length)).observe(document.querySelector('[data-test=wall]')!, {
      subtree: true,
      attributeFilter: ['data-status'],
    })
    let before = performance.now()
    const frame = (now: number) => {
      seen.longestFrame = Math.max(seen.longestFrame, now - before)
      before = now
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  const before = await metrics(cdp)
  await page.waitForTimeout(WATCH_MS)
  const after = await metrics(cdp)
  const seen = await page.evaluate(() => (window as unknown as { seen: { changes: number; longestFrame: number } }).seen)
  expect(seen.changes, 'changes are seen on the wall').toBeGreaterThan(0)
  atMost('share of a core in the page at 100 changes/s', (after.busy - before.busy) / (after.at - before.at), 0.2)
  atMost('longest time without a frame, ms', seen.longestFrame, 250)

  // ---- and the page answers ----
  const chip = page.locator('[data-test=filter-offline]')
  const from = Date.now()
  await chip.click()
  await expect(chip).toHaveAttribute('aria-pressed', 'true')
  await expect(tiles.and(page.locator(':not([data-status=offline])'))).toHaveCount(0)
  atMost('from a click on a filter to the filtered wall, s', (Date.now() - from) / 1000, 0.5)
})
